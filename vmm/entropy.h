/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The seed that a guest's kernel gets for its random numbers (/chosen/rng-seed in its device
 * tree). Without one Linux stirs its whole entropy pool for nearly every packet, until it has
 * collected enough by itself.
 */

#include <stddef.h>
#include <stdint.h>

/*
 * Fill `size` bytes at `seed`. The source is the jitter of the counter against memory accesses and
 * whatever the interrupted system does meanwhile; `salt` of `salt_size` bytes keeps apart VMs that
 * measure the same. It is as good as the board's counter is fine: see docs/security.md.
 */
void entropy_fill(void *seed, size_t size, const void *salt, size_t salt_size);
