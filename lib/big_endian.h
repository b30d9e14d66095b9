/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Numbers in network byte order (RFC 791, appendix B), at any address. */

#include <stdint.h>

static inline uint16_t get_be16(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

/* The lower 16 bits of `value`. */
static inline void put_be16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline uint32_t get_be32(const uint8_t *from)
{
    return (uint32_t)get_be16(from) << 16 | get_be16(from + 2);
}

static inline void put_be32(uint8_t *to, uint32_t value)
{
    put_be16(to, value >> 16);
    put_be16(to + 2, value);
}
