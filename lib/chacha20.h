/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The ChaCha20 block function (RFC 8439, 2.3). It takes as long whatever the key is. */

#include <stdint.h>

#define CHACHA20_KEY_SIZE   32u /* bytes */
#define CHACHA20_NONCE_SIZE 12u
#define CHACHA20_BLOCK_SIZE 64u

/*
 * Write the block of that key, number and nonce to `block`, which may be where the key is. To one
 * who does not know the key, each block is as good as random, whatever he knows of the others.
 */
void chacha20_block(uint8_t block[CHACHA20_BLOCK_SIZE], const uint8_t key[CHACHA20_KEY_SIZE],
                    uint32_t number, const uint8_t nonce[CHACHA20_NONCE_SIZE]);
