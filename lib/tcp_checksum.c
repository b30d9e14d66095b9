/* SPDX-License-Identifier: BSD-2-Clause */

#include "tcp_checksum.h"

#include <linux/if_ether.h>
#include "big_endian.h"
#include "checksum.h"
#include "ip_header.h"

/* The addresses and the TCP segment of `count` bytes behind them, from which the sum is made. */
static bool sum_right(const uint8_t *addresses, uint32_t addresses_size, const uint8_t *tcp,
                      uint32_t count)
{
    uint64_t sum = (uint64_t)checksum_sum(addresses, addresses_size) + PROTOCOL_TCP + count +
                   checksum_sum(tcp, count);

    return count >= TCP_HEADER_MIN && checksum_fold(sum) == CHECKSUM_RIGHT;
}

static bool ipv4_right(const uint8_t *ip, uint32_t available)
{
    uint32_t length;

    if (available < IPV4_HEADER || ip[0] != IPV4_VERSION_IHL || ip[IPV4_PROTOCOL] != PROTOCOL_TCP ||
        (get_be16(ip + IPV4_FRAGMENT) & ~IPV4_DONT_FRAGMENT) != 0) {
        return false;
    }
    length = get_be16(ip + IPV4_LENGTH);
    return length >= IPV4_HEADER && length <= available &&
           checksum_sum(ip, IPV4_HEADER) == CHECKSUM_RIGHT &&
           sum_right(ip + IPV4_ADDRESSES, IPV4_ADDRESSES_SIZE, ip + IPV4_HEADER,
                     length - IPV4_HEADER);
}

static bool ipv6_right(const uint8_t *ip, uint32_t available)
{
    uint32_t length;

    if (available < IPV6_HEADER || ip[0] >> 4 != IPV6_VERSION ||
        ip[IPV6_NEXT_HEADER] != PROTOCOL_TCP) {
        return false;
    }
    length = get_be16(ip + IPV6_LENGTH);
    return length <= available - IPV6_HEADER &&
           sum_right(ip + IPV6_ADDRESSES, IPV6_ADDRESSES_SIZE, ip + IPV6_HEADER, length);
}

bool tcp_checksum_right(const uint8_t *frame, uint32_t length)
{
    uint32_t network = ETH_HLEN;
    uint32_t type;

    if (length < ETH_HLEN + VLAN_TAG_SIZE) {
        return false;
    }
    type = get_be16(frame + network - 2);
    if (type == ETH_P_8021Q) {
        network += VLAN_TAG_SIZE;
        type = get_be16(frame + network - 2);
    }
    if (type == ETH_P_IP) {
        return ipv4_right(frame + network, length - network);
    }
    return type == ETH_P_IPV6 && ipv6_right(frame + network, length - network);
}
