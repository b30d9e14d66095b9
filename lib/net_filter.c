/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_filter.h"

#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <stddef.h>

#define BROADCAST     0xffffffffffffULL
#define MULTICAST_BIT 1u      /* of the first byte */
#define TYPE_VLAN     0x0081u /* ETH_P_8021Q, big endian in the frame */
#define TYPE_SERVICE  0xa888u /* ETH_P_8021AD */

uint64_t net_filter_address(const uint8_t mac[6])
{
    uint64_t address = 0;

    /*@ loop invariant i <= ETH_ALEN;
        loop assigns i, address; */
    for (unsigned i = 0; i < ETH_ALEN; i++) {
        address |= (uint64_t)mac[i] << (8 * i);
    }
    return address;
}

void net_filter_reset(struct net_filter *filter, const uint8_t mac[6], bool by_vlan)
{
    *filter = (struct net_filter){.promiscuous = true, .by_vlan = by_vlan};
    filter->own = net_filter_address(mac);
}

static bool in_table(const struct net_filter_table *table, uint64_t address)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->address[i] == address) {
            return true;
        }
    }
    return table->all;
}

static bool vlan_passes(const struct net_filter *filter, uint32_t type)
{
    uint32_t kind = type & 0xffffu;
    uint32_t vlan;

    if (!filter->by_vlan || (kind != TYPE_VLAN && kind != TYPE_SERVICE)) {
        return true;
    }
    vlan = (type >> 8 & 0xf00u) | type >> 24; /* the tag is big endian, its VLAN the low 12 bits */
    return (filter->vlans[vlan / 32] >> (vlan % 32) & 1u) != 0;
}

bool net_filter_passes(const struct net_filter *filter, uint64_t destination, uint32_t type)
{
    if (filter->promiscuous) {
        return true;
    }
    if (!vlan_passes(filter, type)) {
        return false;
    }
    if (destination == BROADCAST) {
        return !filter->no_broadcast;
    }
    if ((destination & MULTICAST_BIT) != 0) {
        return !filter->no_multicast &&
               (filter->all_multicast || in_table(&filter->multicast, destination));
    }
    return !filter->no_unicast && (destination == filter->own || filter->all_unicast ||
                                   in_table(&filter->unicast, destination));
}

static bool receive_mode(struct net_filter *filter, uint8_t command, const uint8_t *data,
                         uint32_t length)
{
    bool *mode[] = {
        [VIRTIO_NET_CTRL_RX_PROMISC] = &filter->promiscuous,
        [VIRTIO_NET_CTRL_RX_ALLMULTI] = &filter->all_multicast,
        [VIRTIO_NET_CTRL_RX_ALLUNI] = &filter->all_unicast,
        [VIRTIO_NET_CTRL_RX_NOMULTI] = &filter->no_multicast,
        [VIRTIO_NET_CTRL_RX_NOUNI] = &filter->no_unicast,
        [VIRTIO_NET_CTRL_RX_NOBCAST] = &filter->no_broadcast,
    };

    if (command >= sizeof(mode) / sizeof(mode[0]) || length < 1) {
        return false;
    }
    *mode[command] = data[0] != 0;
    return true;
}

/*
 * Read a struct virtio_net_ctrl_mac at *offset and step behind it. Returns false if there is less
 * of it than it says.
 */
static bool read_table(struct net_filter_table *table, const uint8_t *data, uint32_t length,
                       uint32_t *offset)
{
    uint32_t count;

    if (length - *offset < 4) {
        return false;
    }
    data += *offset;
    count = data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
    if (count > (length - *offset - 4) / ETH_ALEN) {
        return false;
    }
    *offset += 4 + count * ETH_ALEN;
    table->all = count > NET_FILTER_ADDRESSES;
    table->count = table->all ? 0 : count;
    /*@ loop invariant i <= table->count;
        loop assigns i, table->address[0 .. NET_FILTER_ADDRESSES - 1]; */
    for (uint32_t i = 0; i < table->count; i++) {
        table->address[i] = net_filter_address(data + 4 + (size_t)i * ETH_ALEN);
    }
    return true;
}

static bool set_tables(struct net_filter *filter, const uint8_t *data, uint32_t length,
                       uint32_t total)
{
    struct net_filter_table unicast = {.all = true};
    struct net_filter_table multicast = {.all = true};
    uint32_t offset = 0;

    /* A list longer than what has been copied is one that does not fit either. */
    if (length == total && (!read_table(&unicast, data, length, &offset) ||
                            !read_table(&multicast, data, length, &offset))) {
        return false;
    }
    filter->unicast = unicast;
    filter->multicast = multicast;
    return true;
}

static bool set_vlan(struct net_filter *filter, uint8_t command, const uint8_t *data,
                     uint32_t length)
{
    uint32_t vlan;

    if (length < 2) {
        return false;
    }
    vlan = data[0] | (uint32_t)data[1] << 8;
    if (vlan >= NET_FILTER_VLANS) {
        return false;
    }
    switch (command) {
    case VIRTIO_NET_CTRL_VLAN_ADD:
        filter->vlans[vlan / 32] |= 1u << (vlan % 32);
        return true;
    case VIRTIO_NET_CTRL_VLAN_DEL:
        filter->vlans[vlan / 32] &= ~(1u << (vlan % 32));
        return true;
    default:
        return false;
    }
}

bool net_filter_command(struct net_filter *filter, uint8_t class, uint8_t command,
                        const uint8_t *data, uint32_t length, uint32_t total)
{
    switch (class) {
    case VIRTIO_NET_CTRL_RX:
        return receive_mode(filter, command, data, length);
    case VIRTIO_NET_CTRL_VLAN:
        return set_vlan(filter, command, data, length);
    case VIRTIO_NET_CTRL_MAC:
        if (command == VIRTIO_NET_CTRL_MAC_TABLE_SET) {
            return set_tables(filter, data, length, total);
        }
        if (command == VIRTIO_NET_CTRL_MAC_ADDR_SET && length >= ETH_ALEN &&
            (data[0] & MULTICAST_BIT) == 0) {
            filter->own = net_filter_address(data);
            return true;
        }
        return false;
    default:
        return false;
    }
}
