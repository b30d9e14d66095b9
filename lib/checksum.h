/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The Internet checksum (RFC 1071). */

#include <stdint.h>

#define CHECKSUM_RIGHT 0xffffu /* what a sum is if the checksum in it is right */

/* The one's complement sum in 16 bits, below 0x10000, of sums of 16-bit words. */
uint32_t checksum_fold(uint64_t sum);

/*
 * The one's complement sum of `count` bytes as big-endian 16-bit words, the last padded by a zero
 * byte, below 0x10000. `bytes` may have any alignment, and may change meanwhile: each is read once.
 * What a header with a right checksum in it sums to is 0xffff.
 */
uint32_t checksum_sum(const void *bytes, uint32_t count);
