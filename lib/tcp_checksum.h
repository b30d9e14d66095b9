/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Whether a received frame's TCP checksum is right, for whoever receives it without a card that
 * says so. */

#include <stdbool.h>
#include <stdint.h>

/*
 * Look at an Ethernet frame of `length` bytes. Returns true if it is TCP (RFC 9293, 3.1) in IPv4
 * without options (RFC 791) or in IPv6 without extension headers (RFC 8200), behind a VLAN tag or
 * none, no fragment, and its checksums are right. `frame` may have any alignment.
 */
bool tcp_checksum_right(const uint8_t *frame, uint32_t length);
