/* SPDX-License-Identifier: BSD-2-Clause */

#include "entropy.h"

#include <string.h>
#include "lib/chacha20.h"
#include "lib/cpu.h"

/* Each takes a ChaCha20 block. A seed is drawn where time does not press. */
#define SAMPLES_OF_SEED 64u
#define SAMPLES_OF_MORE 8u

#define SCRATCH_SIZE 4096u

_Static_assert(ENTROPY_SECRET_SIZE == CHACHA20_KEY_SIZE, "the first key is the secret");

static uint8_t key[CHACHA20_KEY_SIZE];

void entropy_init(const uint8_t secret[ENTROPY_SECRET_SIZE])
{
    memcpy(key, secret, sizeof(key));
}

/* Mix `input` into the key. The last key cannot be computed from the next one. */
static void mix(uint64_t input, uint32_t number)
{
    uint8_t nonce[CHACHA20_NONCE_SIZE] = {0};
    uint8_t block[CHACHA20_BLOCK_SIZE];

    memcpy(nonce, &input, sizeof(input));
    chacha20_block(block, key, number, nonce);
    memcpy(key, block, sizeof(key));
}

/* The counter, after memory accesses whose addresses depend on earlier samples: their time jitters.
 */
static uint64_t sample(void)
{
    static volatile uint8_t scratch[SCRATCH_SIZE];
    uint32_t place;

    memcpy(&place, key, sizeof(place));
    scratch[place % SCRATCH_SIZE] += 1;
    scratch[(place >> 16) % SCRATCH_SIZE] ^= (uint8_t)place;
    return cpu_counter();
}

static void fill(uint8_t *bytes, size_t size, uint32_t samples)
{
    static const uint8_t nonce[CHACHA20_NONCE_SIZE];
    uint32_t number = 0;

    for (uint32_t i = 0; i < samples; i++) {
        mix(sample(), i);
    }
    for (size_t done = 0; done < size; number++) {
        uint8_t block[CHACHA20_BLOCK_SIZE];
        size_t part = size - done < sizeof(block) ? size - done : sizeof(block);

        chacha20_block(block, key, number, nonce);
        memcpy(bytes + done, block, part);
        done += part;
    }
    mix(UINT64_MAX, number);
}

void entropy_seed(void *seed, size_t size)
{
    fill(seed, size, SAMPLES_OF_SEED);
}

void entropy_more(void *bytes, size_t size)
{
    fill(bytes, size, SAMPLES_OF_MORE);
}
