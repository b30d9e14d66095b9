/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: switch/forward.c switch/convert.c switch/join.c switch/mac_table.c lib/token_bucket.c
 * SOURCES: lib/offload.c lib/checksum.c tests/fuzz/silence.c
 *
 * What becomes of frames between ports on VLANs, on none, a mirror and the world outside: the input
 * is who is where, the MTU, and frames, with their headers. None may arrive on a VLAN that its
 * sender is not on, nor with a header that counts from beyond it, nor be longer than the MTU lets
 * it.
 */

#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "switch/forward.h"

#define PORTS  5u
#define FRAMES 64

static const uint16_t trunks[][3] = {{10, 20, 0}, {20, 0}, {10, 0}};

static struct switch_port_config configs[PORTS];
static struct port ports[PORTS];
static struct stats_port stats[PORTS];
static uint32_t accepts[PORTS];
static struct forward forward;
static struct port *sender;
static uint8_t bytes[NET_GSO_FRAME_MAX + 16];
static uint8_t arrived[NET_HEADER + NET_GSO_FRAME_MAX + 16];

static bool is_on(const struct port *port, uint16_t vlan)
{
    return (forward.members[vlan] >> port->index & 1) != 0;
}

/* The VLAN that whoever is behind the port takes the frame to be on. */
static uint16_t vlan_behind(const struct port *port, const uint8_t *ethernet)
{
    switch (ethernet[12] << 8 | ethernet[13]) {
    case 0x8100:
    case 0x88a8:
    case 0x9100:
    case 0x9200:
    case 0x9300:
        return (uint16_t)((ethernet[14] << 8 | ethernet[15]) & 0xfff);
    default:
        return port->native;
    }
}

static void check_vlan(const struct port *to, const uint8_t *ethernet)
{
    uint16_t vlan = vlan_behind(to, ethernet);

    if (to == forward.mirror || (!sender->vlan_aware && !to->vlan_aware)) {
        return;
    }
    if (!is_on(sender, vlan) || !is_on(to, vlan) || (!to->trunk && vlan != to->native)) {
        abort();
    }
}

/* What `arrived` holds: a header, and a frame of `length` bytes. */
static void check_arrived(const struct port *to, uint32_t length)
{
    struct virtio_net_hdr_v1 net;

    if (length > NET_GSO_FRAME_MAX + VLAN_TAG || length < 14) {
        abort();
    }
    memcpy(&net, arrived, sizeof(net));
    check_vlan(to, arrived + NET_HEADER);
    if ((net.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 &&
        (net.csum_start < ETHERNET_HEADER ||
         (uint32_t)net.csum_start + net.csum_offset + 2 > length)) {
        abort();
    }
    if (net.hdr_len > length || (net.gso_type == 0 && net.gso_size != 0)) {
        abort();
    }
    /* A tag may have come on top. */
    if (net.gso_size > to->mtu ||
        (net.gso_type == 0 && length > NET_FRAME_MAX(to->mtu) + VLAN_TAG)) {
        abort();
    }
}

static enum port_result receive(struct port *to, const struct frame_head *head,
                                uint32_t head_length, const struct frame *frame)
{
    uint32_t rest = frame->length - frame->skip;

    if (frame->length < frame->skip || head_length + rest > sizeof(arrived)) {
        abort();
    }
    memcpy(arrived, head, head_length);
    memcpy(arrived + head_length, frame->segments[0].bytes + frame->skip, rest);
    check_arrived(to, head_length - NET_HEADER + rest);
    return PORT_SENT;
}

/* ---- Ports in whose memory segments are cut: each record in a piece of its own ---- */

static uint8_t *room;
static uint32_t room_length;

static void *reserve(struct port *to, uint32_t count)
{
    (void)to;
    if (room != NULL || count <= NET_HEADER || count > sizeof(arrived)) {
        abort();
    }
    room = malloc(count);
    room_length = count;
    memset(room, 0xa5, count);
    return room;
}

static void commit(struct port *to)
{
    if (room == NULL) {
        abort();
    }
    memcpy(arrived, room, room_length);
    free(room);
    room = NULL;
    check_arrived(to, room_length - NET_HEADER);
}

static const struct port_ops ops = {.send = receive};
static const struct port_ops ring_ops = {.send = receive, .reserve = reserve, .commit = commit};

static void open_port(uint8_t index, uint8_t kind, uint16_t mtu)
{
    struct port *port = &ports[index];

    memset(port, 0, sizeof(*port));
    configs[index] = (struct switch_port_config){.name = "vm", .may_reach = UINT64_MAX};
    port->ops = (kind & 0x40) != 0 ? &ring_ops : &ops;
    port->config = &configs[index];
    port->index = index;
    port->stats = &stats[index];
    port->mtu = mtu;
    port->reach = ~(1ULL << index);
    port->accepts = &accepts[index];
    port->trunk = (kind & 1) != 0;
    port->native = (kind >> 1 & 3) == 3 ? SWITCH_VLAN_NONE : (uint16_t)((kind >> 1 & 3) * 10);
    port->vlan_aware = port->trunk || port->native != SWITCH_VLAN_NONE;
    if (index == 0 && (kind & 0x80) != 0) {
        configs[index].path = SWITCH_PATH_UPLINK;
    }
    mac_table_reserve(&forward.table, index, MAC_TABLE_QUOTA);
    forward.up |= 1ULL << index;
    if (!port->trunk || port->native != SWITCH_VLAN_NONE ||
        port->config->path == SWITCH_PATH_UPLINK) {
        forward.members[port->native] |= 1ULL << index;
    }
    if (port->vlan_aware) {
        forward.vlan_aware |= 1ULL << index;
    }
    for (const uint16_t *vlan = trunks[(kind >> 3) % 3]; port->trunk && *vlan != 0; vlan++) {
        forward.members[*vlan] |= 1ULL << index;
    }
}

/* Addresses that meet, tags as the input says, and behind them what it holds. */
static void make_frame(struct input *input, struct frame *frame)
{
    static const uint16_t types[] = {0x8100, 0x88a8, 0x9100, 0x0800, 0x86dd, 0x0806};
    uint32_t at = 12;

    memset(bytes, 0, sizeof(bytes));
    bytes[0] = take(input, 1) % 2 != 0 ? 0xff : 0x52;
    bytes[5] = (uint8_t)(take(input, 1) % PORTS);
    bytes[6] = 0x52;
    bytes[11] = sender->index;
    for (uint64_t tags = take(input, 1) % 5; tags > 0; tags--) {
        uint16_t type = types[take(input, 1) % 6];
        uint16_t control = (uint16_t)(take(input, 1) % 5 * 10);

        bytes[at++] = (uint8_t)(type >> 8);
        bytes[at++] = (uint8_t)type;
        bytes[at++] = (uint8_t)(control >> 8);
        bytes[at++] = (uint8_t)control;
    }
    scribble(input, bytes + at, 128);
    memset(frame, 0, sizeof(*frame));
    frame->length = (uint32_t)take(input, 2) + (take(input, 1) % 2 != 0 ? 18 : 0);
    for (uint32_t i = 0; i < NET_HEADER; i++) {
        ((uint8_t *)&frame->head)[i] = (uint8_t)take(input, 1);
    }
    memcpy(frame->head.ethernet, bytes, sizeof(frame->head.ethernet));
    frame->segments[0] = (struct frame_segment){bytes, frame->length};
    frame->segment_count = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct frame frame;
    struct input input = {data, size};

    memset(&forward, 0, sizeof(forward));
    mac_table_init(&forward.table, 0, 1);
    forward.ports = ports;
    uint16_t mtu = take(&input, 1) % 2 != 0 ? NET_MTU_MAX : NET_MTU;
    for (uint8_t i = 0; i < PORTS; i++) {
        open_port(i, (uint8_t)take(&input, 1), mtu);
        accepts[i] = NET_PORT_UP | (uint32_t)take(&input, 1);
    }
    forward.mirror = take(&input, 1) % 2 != 0 ? &ports[PORTS - 1] : NULL;
    for (int i = 0; i < FRAMES && input.left > 0; i++) {
        sender = &ports[take(&input, 1) % PORTS];
        make_frame(&input, &frame);
        forward_frame(&forward, sender, &frame, 1);
    }
    return 0;
}
