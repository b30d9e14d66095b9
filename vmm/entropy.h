/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The seed that a guest's kernel gets for its random numbers (/chosen/rng-seed in its device
 * tree), another one each time that it starts. Without one Linux stirs its whole entropy pool for
 * nearly every packet, until it has collected enough by itself.
 *
 * It comes from a secret that the build has drawn for this machine alone, and from the jitter of
 * the counter against memory accesses. The secret keeps the seed from others, who can read the
 * counter as well; the jitter makes one start differ from the next where the board is switched off
 * in between. To those who have the image the secret is none: see docs/security.md.
 */

#include <stddef.h>
#include <stdint.h>

#define ENTROPY_SECRET_SIZE 32u /* bytes */

/* Begin with that secret, which is copied. */
void entropy_init(const uint8_t secret[ENTROPY_SECRET_SIZE]);

/* Fill `size` bytes at `seed`. What was given out before cannot be told from what is kept. */
void entropy_fill(void *seed, size_t size);
