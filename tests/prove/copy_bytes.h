/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* memcpy() for WP, which does not take bytes for what else they may be. */

#include <stddef.h>
#include <stdint.h>

/* Assumption: memcpy() as the C standard has it. */
/*@ requires \valid(to + (0 .. count - 1));
    requires \valid_read(from + (0 .. count - 1));
    assigns to[0 .. count - 1] \from from[0 .. count - 1];
 */
void copy_bytes(uint8_t *to, const uint8_t *from, size_t count);

#define memcpy(to, from, count) copy_bytes((uint8_t *)(to), (const uint8_t *)(from), count)
