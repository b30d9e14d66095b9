/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Which frames a guest's network card takes in, as its driver has set it over the control queue
 * (virtio 1.2, 5.1.6.5). A filter spares the guest frames; it is no protection of anybody.
 */

#include <stdbool.h>
#include <stdint.h>

#define NET_FILTER_ADDRESSES 32u /* of each kind; with more, all of that kind pass */
#define NET_FILTER_VLANS     4096u

/* An Ethernet address as a number: its first byte is the least significant. */
struct net_filter_table {
    uint32_t count;
    bool all; /* the driver's list did not fit */
    uint64_t address[NET_FILTER_ADDRESSES];
};

struct net_filter {
    uint64_t own;
    bool promiscuous;
    bool all_multicast;
    bool all_unicast;
    bool no_multicast;
    bool no_unicast;
    bool no_broadcast;
    bool by_vlan; /* tagged frames pass only if their VLAN has been added */
    struct net_filter_table unicast;
    struct net_filter_table multicast;
    uint32_t vlans[NET_FILTER_VLANS / 32];
};

uint64_t net_filter_address(const uint8_t mac[6]);

/*
 * After power-on everything passes: a driver that does not know the filter expects it. `by_vlan` is
 * set when the driver has negotiated VLAN filtering.
 */
void net_filter_reset(struct net_filter *filter, const uint8_t mac[6], bool by_vlan);

/*
 * Whether a frame passes that is sent to `destination`. `type` is the frame's bytes 12 to 15 as a
 * little-endian number: its type, and behind a VLAN's type its tag.
 */
bool net_filter_passes(const struct net_filter *filter, uint64_t destination, uint32_t type);

/*
 * Carry out a command VIRTIO_NET_CTRL_RX, _MAC or _VLAN. `data` is a private copy of the first
 * `length` bytes that followed it of `total`. Returns false, and changes nothing, if the command
 * or its data make no sense.
 */
bool net_filter_command(struct net_filter *filter, uint8_t class, uint8_t command,
                        const uint8_t *data, uint32_t length, uint32_t total);
