/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/entropy.c lib/chacha20.c tests/unit/fake/fake_microkit.c
 *
 * ChaCha20 as it is published, and the guests' seeds: who knows all but the secret knows nothing.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/chacha20.h"
#include "vmm/entropy.h"

#define SEED 64u

static void bytes_of(uint8_t *to, const char *hex)
{
    for (; *hex != '\0'; hex += 2) {
        char pair[3] = {hex[0], hex[1], 0};

        *to++ = (uint8_t)strtoul(pair, NULL, 16);
    }
}

/* RFC 8439, 2.3.2 and the test vectors 1 to 5 of its appendix A.1. */
static void blocks_are_those_of_the_rfc(void **state)
{
    static const struct {
        const char *key;
        const char *nonce;
        uint32_t number;
        const char *block;
    } vectors[] = {
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
         "000000090000004a00000000", 1,
         "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
         "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"},
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", 0,
         "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
         "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"},
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", 1,
         "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
         "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"},
        {"0000000000000000000000000000000000000000000000000000000000000001",
         "000000000000000000000000", 1,
         "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
         "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"},
        {"00ff000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", 2,
         "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
         "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"},
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000002", 0,
         "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
         "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint8_t key[CHACHA20_KEY_SIZE], nonce[CHACHA20_NONCE_SIZE];
        uint8_t block[CHACHA20_BLOCK_SIZE], expected[CHACHA20_BLOCK_SIZE];

        bytes_of(key, vectors[i].key);
        bytes_of(nonce, vectors[i].nonce);
        bytes_of(expected, vectors[i].block);
        chacha20_block(block, key, vectors[i].number, nonce);
        assert_memory_equal(block, expected, sizeof(block));
    }
}

static unsigned bits_that_differ(const uint8_t *a, const uint8_t *b, size_t size)
{
    unsigned bits = 0;

    for (size_t i = 0; i < size; i++) {
        bits += (unsigned)__builtin_popcount(a[i] ^ b[i]);
    }
    return bits;
}

/* As many bits differ as of random numbers: 256 of 512, with a deviation of 11. */
static void unrelated(const uint8_t *a, const uint8_t *b)
{
    assert_in_range(bits_that_differ(a, b, SEED), 256 - 66, 256 + 66);
}

/* The seed of a machine with that secret, which starts when the counter is there. */
static void seed_of(uint8_t *seed, uint8_t secret_byte, uint64_t counter)
{
    uint8_t secret[ENTROPY_SECRET_SIZE] = {[ENTROPY_SECRET_SIZE - 1] = secret_byte};

    fake_reset();
    fake.counter = counter;
    entropy_init(secret);
    entropy_seed(seed, SEED);
}

/* A neighbour that has read the counter just when this machine did does not know its seed. */
static void the_counter_alone_tells_nothing(void **state)
{
    uint8_t mine[SEED], another[SEED], again[SEED];

    (void)state;
    seed_of(mine, 1, 1000);
    seed_of(another, 2, 1000); /* a secret that differs in two bits */
    unrelated(mine, another);
    seed_of(again, 1, 1000); /* all else is the same */
    assert_memory_equal(mine, again, SEED);
}

static void each_start_has_its_own(void **state)
{
    uint8_t first[SEED], second[SEED], later[SEED];

    (void)state;
    seed_of(first, 1, 1000);
    entropy_seed(second, SEED); /* after a restart, and be it at the same time */
    unrelated(first, second);
    seed_of(later, 1, 1001); /* or of the whole board, a tick later */
    unrelated(first, later);
    unrelated(second, later);
}

static void a_seed_may_have_any_size(void **state)
{
    uint8_t large[200] = {0}, small[72] = {0};
    uint8_t secret[ENTROPY_SECRET_SIZE] = {7};

    (void)state;
    fake_reset();
    entropy_init(secret);
    entropy_seed(large, sizeof(large) - 1);
    assert_int_equal(large[sizeof(large) - 1], 0);
    unrelated(large, large + 64);
    entropy_init(secret);
    entropy_seed(small, sizeof(small) - 1);
    assert_memory_equal(small, large, sizeof(small) - 1);
    assert_int_equal(small[sizeof(small) - 1], 0);
}

static void what_a_running_guest_gets_is_as_unrelated(void **state)
{
    uint8_t seed[SEED], bytes[SEED], more[SEED], another[SEED];

    (void)state;
    seed_of(seed, 1, 1000);
    entropy_more(bytes, SEED);
    entropy_more(more, SEED);
    unrelated(seed, bytes);
    unrelated(bytes, more);
    seed_of(seed, 2, 1000);
    entropy_more(another, SEED);
    unrelated(bytes, another);
    seed_of(seed, 1, 1000);
    fake.counter++; /* what is asked for later is something else */
    entropy_more(another, SEED);
    unrelated(bytes, another);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_those_of_the_rfc),
        cmocka_unit_test(the_counter_alone_tells_nothing),
        cmocka_unit_test(each_start_has_its_own),
        cmocka_unit_test(a_seed_may_have_any_size),
        cmocka_unit_test(what_a_running_guest_gets_is_as_unrelated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
