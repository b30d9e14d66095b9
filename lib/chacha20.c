/* SPDX-License-Identifier: BSD-2-Clause */

#include "chacha20.h"

#include <stddef.h>

#define WORDS         16u
#define DOUBLE_ROUNDS 10u

/* "expand 32-byte k" */
static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

static uint32_t read_le32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static uint32_t add_and_rotate(uint32_t *sum, uint32_t addend, uint32_t word, unsigned left)
{
    *sum += addend;
    word ^= *sum;
    return word << left | word >> (32 - left);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *d = add_and_rotate(a, *b, *d, 16);
    *b = add_and_rotate(c, *d, *b, 12);
    *d = add_and_rotate(a, *b, *d, 8);
    *b = add_and_rotate(c, *d, *b, 7);
}

/* Columns, then diagonals. */
static void double_round(uint32_t w[WORDS])
{
    for (unsigned i = 0; i < 4; i++) {
        quarter_round(&w[i], &w[4 + i], &w[8 + i], &w[12 + i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        quarter_round(&w[i], &w[4 + (i + 1) % 4], &w[8 + (i + 2) % 4], &w[12 + (i + 3) % 4]);
    }
}

void chacha20_block(uint8_t block[CHACHA20_BLOCK_SIZE], const uint8_t key[CHACHA20_KEY_SIZE],
                    uint32_t number, const uint8_t nonce[CHACHA20_NONCE_SIZE])
{
    uint32_t begin[WORDS], word[WORDS];

    for (unsigned i = 0; i < 4; i++) {
        begin[i] = constants[i];
    }
    for (unsigned i = 0; i < 8; i++) {
        begin[4 + i] = read_le32(key + 4ul * i);
    }
    begin[12] = number;
    for (unsigned i = 0; i < 3; i++) {
        begin[13 + i] = read_le32(nonce + 4ul * i);
    }
    for (unsigned i = 0; i < WORDS; i++) {
        word[i] = begin[i];
    }
    for (unsigned i = 0; i < DOUBLE_ROUNDS; i++) {
        double_round(word);
    }
    for (unsigned i = 0; i < CHACHA20_BLOCK_SIZE; i++) {
        block[i] = (uint8_t)((word[i / 4] + begin[i / 4]) >> (8 * (i % 4)));
    }
}
