/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Random bytes: for a guest's virtio entropy device (virtio/rng.h), and seeds for its own random
 * numbers (/chosen/rng-seed in its device tree). It gets another seed each time that it starts.
 * Without one Linux mixes its whole entropy pool for nearly every packet, until it has collected
 * enough entropy by itself.
 *
 * They come from a secret that the build has drawn for this machine alone, and from the jitter
 * of the counter against memory accesses. The secret protects the seed from other machines, which
 * can read the counter as well. The jitter makes one start differ from the next, even where the
 * board is switched off in between. Whoever has the image has the secret: see docs/security.md.
 */

#include <stddef.h>
#include <stdint.h>

#define ENTROPY_SECRET_SIZE 32u /* bytes */

/* Start from that secret, which is copied. */
void entropy_init(const uint8_t secret[ENTROPY_SECRET_SIZE]);

/* Fill `size` bytes at `seed`. Earlier seeds cannot be computed from the state that is kept. */
void entropy_seed(void *seed, size_t size);

/* The same for bytes that a running guest asks for. It takes an eighth of the jitter, and of the
 * time. */
void entropy_more(void *bytes, size_t size);
