/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/tcp_checksum.c
 * WP: sum_right ipv4_right ipv6_right tcp_checksum_right
 *
 * Any frame of any length: what is read lies in it, whatever its headers say.
 */

#include "prelude.h"

#include "lib/tcp_checksum.h"
#include "big_endian_contracts.h"

/* Assumption: lib/checksum.h. Unit tests and fuzzing have it under sanitizers. */
/*@ requires \valid_read((uint8_t *)bytes + (0 .. count - 1));
    assigns \nothing;
 */
uint32_t checksum_sum(const void *bytes, uint32_t count);
/* Assumption: as above. */
/*@ assigns \nothing; */
uint32_t checksum_fold(uint64_t sum);

/*@ requires \valid_read(frame + (0 .. length - 1));
    assigns \nothing;
 */
bool tcp_checksum_right(const uint8_t *frame, uint32_t length);

#include "lib/tcp_checksum.c"

/*@ requires \valid_read(addresses + (0 .. addresses_size - 1));
    requires \valid_read(tcp + (0 .. count - 1));
    assigns \nothing;
 */
static bool sum_right(const uint8_t *addresses, uint32_t addresses_size, const uint8_t *tcp,
                      uint32_t count);

/*@ requires \valid_read(ip + (0 .. available - 1));
    assigns \nothing;
 */
static bool ipv4_right(const uint8_t *ip, uint32_t available);

/*@ requires \valid_read(ip + (0 .. available - 1));
    assigns \nothing;
 */
static bool ipv6_right(const uint8_t *ip, uint32_t available);
