/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What lib/big_endian.h reads and writes; big_endian.c proves it. A number read is any number. */

#include "lib/big_endian.h"

/*@ requires \valid_read(from + (0 .. 1));
    assigns \nothing;
 */
static inline uint16_t get_be16(const uint8_t *from);

/*@ requires \valid(to + (0 .. 1));
    assigns to[0 .. 1];
 */
static inline void put_be16(uint8_t *to, uint32_t value);

/*@ requires \valid_read(from + (0 .. 3));
    assigns \nothing;
 */
static inline uint32_t get_be32(const uint8_t *from);

/*@ requires \valid(to + (0 .. 3));
    assigns to[0 .. 3];
 */
static inline void put_be32(uint8_t *to, uint32_t value);
