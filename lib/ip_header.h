/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Offsets and values in the headers of a frame: IEEE 802.1Q, 9.4; RFC 791, RFC 8200, RFC 9293.
 * Offsets count from the beginning of the header.
 */

#define VLAN_TAG_SIZE       4u
#define IPV4_VERSION_IHL    0x45u /* no options */
#define IPV4_LENGTH         2u
#define IPV4_ID             4u
#define IPV4_FRAGMENT       6u
#define IPV4_PROTOCOL       9u
#define IPV4_CHECKSUM       10u
#define IPV4_ADDRESSES      12u
#define IPV4_ADDRESSES_SIZE 8u
#define IPV4_HEADER         20u
#define IPV4_DONT_FRAGMENT  0x4000u
#define IPV6_VERSION        6u
#define IPV6_LENGTH         4u
#define IPV6_NEXT_HEADER    6u
#define IPV6_ADDRESSES      8u
#define IPV6_ADDRESSES_SIZE 32u
#define IPV6_HEADER         40u
#define TCP_SEQUENCE        4u
#define TCP_DATA_OFFSET     12u
#define TCP_FLAGS           13u
#define TCP_CHECKSUM        16u
#define TCP_HEADER_MIN      20u
#define TCP_FIN             0x01u
#define TCP_PSH             0x08u
#define TCP_ACK             0x10u
#define TCP_CWR             0x80u
#define PROTOCOL_TCP        6u
#define PROTOCOL_UDP        17u
