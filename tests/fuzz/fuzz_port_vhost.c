/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: switch/forward.c switch/convert.c switch/join.c switch/mac_table.c lib/token_bucket.c
 * SOURCES: lib/checksum.c
 * SOURCES: lib/virtqueue.c lib/net_header.c lib/net_buffers.c lib/net_filter.c lib/offload.c
 * SOURCES: tests/fuzz/silence.c
 *
 * Guests on one switch by the data path `vhost`. Two of them write into their own memory what they
 * like, and offer frames and buffers in proper form, with monitors that call as they like, and
 * which set filters, coalescing and polling. Nothing may be touched but the guests' memories and
 * pages.
 *
 * A third guest keeps to the rules and receives. Its memory changes in the buffers that it has
 * offered and in its used ring alone, in order; what is there has the address of who has sent it,
 * and a header that this guest accepts. A frame that was offered in proper form is there byte for
 * byte if it needs no conversion, and is there if the buffers suffice and no filter is set. The
 * third guest is interrupted for it, and the sender gets its buffer back and is asked to kick.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"

/* Its state lives as long as its PD; here it must not outlive an input. */
#include "switch/forward.h"
#include "switch/port_vhost.c"

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 16384u
#define HONEST   2u
#define GUESTS   3u
#define TURNS    64 /* frames that are taken at most at a time, so that every input ends */

/* The queues of a guest that begins in proper form. */
#define RX_SIZE  8u
#define RX_DESC  0x000u
#define RX_AVAIL 0x100u
#define RX_USED  0x200u
#define TX_SIZE  128u
#define TX_DESC  0x400u
#define TX_AVAIL 0xc00u
#define TX_USED  0xd20u
#define FRAME_AT 0x1200u
#define ROOM     (RAM_SIZE - FRAME_AT)

/* The third guest's buffers, RX_SIZE of them. */
#define BUFFER_AT  0x1000u
#define BUFFER     4096u
#define HONEST_RAM (BUFFER_AT + RX_SIZE * BUFFER)

/* Apart from each other, so that a step beyond the end of one is a report. */
static uint8_t first[RAM_SIZE] __attribute__((aligned(4096)));
static uint8_t second[RAM_SIZE] __attribute__((aligned(4096)));
static uint8_t honest[HONEST_RAM] __attribute__((aligned(4096)));
static uint8_t *const ram[GUESTS] = {first, second, honest};
static uint8_t expected[HONEST_RAM]; /* the third guest's memory as it should be */
static struct vhost_page pages[GUESTS];
static struct switch_port_config configs[GUESTS];
static struct port ports[GUESTS];
static struct stats_port stats[GUESTS];
static struct forward forward;

/* The third guest. */
static struct {
    uint64_t features;
    uint32_t accepts;
    uint32_t buffer; /* bytes of each */
    uint16_t offered, received, seen;
    bool filters; /* its monitor has set one */
} receiver;

/* A frame in proper form, while the switch forwards it. */
static struct {
    bool any;
    bool plain; /* no offload is requested, or only what the third guest accepts */
    bool valid; /* it must arrive, if the receiver is ready */
    uint32_t length;
    uint8_t bytes[ROOM]; /* with the header as the receiver gets it */
} sent;

/* Whether the first guests have done nothing since they have begun that no driver does. */
static bool tame[GUESTS];
static uint16_t sends[GUESTS];
static uint64_t negotiated[GUESTS];

static void require(bool what)
{
    if (!what) {
        abort();
    }
}

static void open_port(uint8_t index, uint16_t mtu)
{
    struct port *port = &ports[index];

    memset(port, 0, sizeof(*port));
    memset(&pages[index], 0, sizeof(pages[index]));
    configs[index] = (struct switch_port_config){
        .name = "vm",
        .path = SWITCH_PATH_VHOST,
        .mac = {0x52, 0, 0, 0, 0, index},
        .mac_fixed = true,
        .may_reach = (1u << GUESTS) - 1,
        .vhost_page = &pages[index],
        .ram = ram[index],
        .ram_gpa = RAM_GPA,
        .ram_size = index == HONEST ? HONEST_RAM : RAM_SIZE,
    };
    port->config = &configs[index];
    port->index = index;
    port->stats = &stats[index];
    port->mtu = mtu;
    port->mac = 0x52ull | (uint64_t)index << 40;
    port->reach = ((1u << GUESTS) - 1) & ~(1u << index);
    mac_table_reserve(&forward.table, index, MAC_TABLE_QUOTA);
    mac_table_add_static(&forward.table, port->mac, index);
    forward.static_ports |= 1u << index;
    forward.members[SWITCH_VLAN_NONE] |= 1u << index;
    forward.up |= 1u << index;
    if (port_vhost_attach(port) != NULL) {
        abort();
    }
}

/* ---- The third guest ---- */

static uint16_t load16(const uint8_t *memory, uint32_t at)
{
    uint16_t value;

    memcpy(&value, memory + at, sizeof(value));
    return value;
}

static void honest_puts(uint32_t at, const void *bytes, uint32_t count)
{
    memcpy(honest + at, bytes, count);
    memcpy(expected + at, bytes, count);
}

static void honest_puts16(uint32_t at, uint16_t value)
{
    honest_puts(at, &value, sizeof(value));
}

static bool receiver_has(unsigned feature)
{
    return (receiver.features >> feature & 1) != 0;
}

static void honest_begins(struct input *input)
{
    uint8_t how = (uint8_t)take(input, 1);
    uint64_t start[1] = {1ull << VIRTIO_F_VERSION_1 |
                         (how & 1 ? 1ull << VIRTIO_NET_F_MRG_RXBUF : 0) |
                         (how & 2 ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0) |
                         (how & 4 ? 1ull << VIRTIO_NET_F_CTRL_VLAN : 0)};
    uint64_t accepts[1] = {NET_PORT_UP | (how & 8 ? how >> 3 & 0x1eu : 0)};
    uint64_t rx[5] = {VHOST_RX, RX_SIZE, RAM_GPA + RX_DESC, RAM_GPA + RX_AVAIL, RAM_GPA + RX_USED};

    memset(&receiver, 0, sizeof(receiver));
    memset(honest, 0, sizeof(honest));
    memset(expected, 0, sizeof(expected));
    receiver.features = start[0];
    receiver.accepts = (uint32_t)accepts[0];
    receiver.buffer = 16u + (uint32_t)take(input, 1) * 16;
    require(port_vhost_call(&ports[HONEST], VHOST_START, start, 1) == VHOST_OK);
    require(port_vhost_call(&ports[HONEST], VHOST_ACCEPTS, accepts, 1) == VHOST_OK);
    require(port_vhost_call(&ports[HONEST], VHOST_QUEUE, rx, 5) == VHOST_OK);
}

/* It has been interrupted, or has not: it looks, and offers up to `count` buffers. */
static void honest_refills(uint32_t count)
{
    for (; count > 0 && (uint16_t)(receiver.offered - receiver.received) < RX_SIZE; count--) {
        uint16_t index = receiver.offered % RX_SIZE;
        struct vring_desc desc = {.addr = RAM_GPA + BUFFER_AT + index * BUFFER,
                                  .len = receiver.buffer,
                                  .flags = VRING_DESC_F_WRITE};

        honest_puts(RX_DESC + index * (uint32_t)sizeof(desc), &desc, sizeof(desc));
        honest_puts16(RX_AVAIL + 4 + 2u * index, index);
        receiver.offered++;
    }
    honest_puts16(RX_AVAIL + 2, receiver.offered);
    honest_puts16(RX_AVAIL + 4 + 2 * RX_SIZE, receiver.received);
    receiver.seen = receiver.received;
    pages[HONEST].interrupt = 0;
}

/* How many buffers a frame of so many bytes takes; 0 if those that are offered do not do. */
static uint32_t buffers_for(uint32_t bytes)
{
    uint32_t count = (bytes + receiver.buffer - 1) / receiver.buffer;
    uint32_t most = receiver_has(VIRTIO_NET_F_MRG_RXBUF) ? RX_SIZE : 1;

    return count <= most && count <= (uint16_t)(receiver.offered - receiver.received) ? count : 0;
}

static void check_header(const struct virtio_net_hdr_v1 *net, uint32_t length, uint32_t mtu)
{
    static const uint32_t needs[6] = {0, NET_PORT_TSO4, 0, 0, NET_PORT_TSO6, NET_PORT_USO};
    uint8_t kind = net->gso_type & 0x7f;

    require((net->flags & ~VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0);
    require(net->flags == 0 || (receiver.accepts & NET_PORT_CSUM) != 0);
    require(kind < 6 && (kind == 0 || needs[kind] != 0));
    require((receiver.accepts & needs[kind]) == needs[kind]);
    require((net->gso_type & VIRTIO_NET_HDR_GSO_ECN) == 0 ||
            (receiver.accepts & NET_PORT_ECN) != 0);
    require(length >= NET_FRAME_MIN && length <= NET_GSO_FRAME_MAX);
    require(kind != 0 || length <= NET_FRAME_MAX(mtu));
    require(net->flags == 0 || net->csum_start + net->csum_offset + 2u <= length);
}

/* One frame, in the next buffers. Its bytes become what is expected there. */
static void honest_receives(uint8_t sender)
{
    static uint8_t frame[RX_SIZE * BUFFER];
    const uint8_t source[6] = {0x52, 0, 0, 0, 0, sender};
    struct virtio_net_hdr_v1 net;
    uint32_t length = 0;

    memcpy(&net, honest + BUFFER_AT + receiver.received % RX_SIZE * BUFFER, sizeof(net));
    require(net.num_buffers > 0 &&
            net.num_buffers <= (uint16_t)(receiver.offered - receiver.received));
    require(net.num_buffers == 1 || receiver_has(VIRTIO_NET_F_MRG_RXBUF));
    for (uint32_t i = 0; i < net.num_buffers; i++) {
        uint16_t index = receiver.received++ % RX_SIZE;
        uint32_t element[2];

        memcpy(element, honest + RX_USED + 4 + 8 * index, sizeof(element));
        require(element[0] == index && element[1] > 0 && element[1] <= receiver.buffer);
        require(i + 1 == net.num_buffers || element[1] == receiver.buffer);
        memcpy(expected + RX_USED + 4 + 8 * index, element, sizeof(element));
        memcpy(frame + length, honest + BUFFER_AT + index * BUFFER, element[1]);
        memcpy(expected + BUFFER_AT + index * BUFFER, frame + length, element[1]);
        length += element[1];
    }
    require(length >= NET_HEADER + NET_FRAME_MIN);
    check_header(&net, length - NET_HEADER, ports[HONEST].mtu);
    require(memcmp(frame + NET_HEADER + 6, source, 6) == 0); /* nobody else's */
    if (sent.any && sent.plain) {
        memcpy(sent.bytes + 10, &net.num_buffers, 2);
        require(sent.length == length && memcmp(sent.bytes, frame, length) == 0);
        sent.any = false; /* it comes once */
        sent.valid = false;
    }
}

static void honest_looks(uint8_t sender)
{
    uint16_t used = load16(honest, RX_USED + 2);

    require((uint16_t)(used - receiver.received) <=
            (uint16_t)(receiver.offered - receiver.received));
    while (receiver.received != used) {
        require(!(sent.plain && sent.length != 0) || sent.any);
        honest_receives(sender);
    }
    require(pages[HONEST].failed == 0);
    require(receiver.received == receiver.seen || pages[HONEST].interrupt != 0);
    memcpy(expected + RX_USED, honest + RX_USED, 4); /* flags and index, */
    memcpy(expected + RX_USED + 4 + 8 * RX_SIZE, honest + RX_USED + 4 + 8 * RX_SIZE, 2);
    require(memcmp(expected, honest, sizeof(honest)) == 0);
}

/* ---- The others ---- */

static void serve(uint8_t guest)
{
    static struct frame frame;
    struct port *port = &ports[guest];

    for (int i = 0; i < TURNS && port->ops->peek(port, &frame); i++) {
        forward_frame(&forward, port, &frame, 1);
        port->ops->release(port);
    }
    port->ops->await(port);
    for (uint32_t i = 0; i < GUESTS; i++) {
        ports[i].ops->finish(&ports[i]);
    }
    honest_looks(guest);
}

static void calls(struct port *port, struct input *input)
{
    uint64_t label = take(input, 1) % 8;
    uint64_t words[5];

    for (int i = 0; i < 5; i++) {
        words[i] = take(input, i < 2 ? 2 : 3) + (i < 2 ? 0 : RAM_GPA);
    }
    if (label == VHOST_START || label == VHOST_ACCEPTS || label == VHOST_COMMAND) {
        words[0] = take(input, 8);
    }
    port_vhost_call(port, label, words, (uint32_t)take(input, 1) % 6);
    tame[port->index] = false;
}

/* A command of the control queue, with data that make sense or nearly do. */
static void filters(uint8_t guest, struct input *input)
{
    uint8_t how = (uint8_t)take(input, 1), value = (uint8_t)take(input, 1);
    uint8_t *data = pages[guest].command;
    uint64_t words[4] = {how & 3, how >> 2 & 7, 1 + value % 4u, 0};

    memset(data, 0, 64);
    data[0] = value;
    data[1] = value >> 4;
    if (words[0] == VIRTIO_NET_CTRL_MAC) {
        words[1] = how >> 2 & 1;
        words[2] = words[1] == VIRTIO_NET_CTRL_MAC_TABLE_SET ? 20 : 6;
        data[0] = words[1] == VIRTIO_NET_CTRL_MAC_TABLE_SET ? value & 3 : 0x52;
        data[1] = 0;
        data[4] = 0x52;
        data[9] = value >> 4;
        data[10] = value >> 2 & 1;
    }
    words[3] = words[2] + ((how & 0xc0) == 0xc0 ? value : 0);
    words[2] -= (how & 0xc0) == 0x80 && words[2] > 1 ? 1 : 0;
    if (port_vhost_call(&ports[guest], VHOST_COMMAND, words, 4) == VHOST_OK && guest == HONEST) {
        receiver.filters = true;
    }
}

/* A start in proper form, so that not every input has to find it. */
static void begins(uint8_t guest, struct input *input)
{
    struct port *port = &ports[guest];
    uint64_t start[1] = {take(input, 8) | 1ull << VIRTIO_F_VERSION_1};
    uint64_t accepts[1] = {take(input, 1) | NET_PORT_UP};
    uint64_t rx[5] = {VHOST_RX, RX_SIZE, RAM_GPA + RX_DESC, RAM_GPA + RX_AVAIL, RAM_GPA + RX_USED};
    uint64_t tx[5] = {VHOST_TX, TX_SIZE, RAM_GPA + TX_DESC, RAM_GPA + TX_AVAIL, RAM_GPA + TX_USED};

    memset(ram[guest], 0, FRAME_AT);
    negotiated[guest] = start[0];
    sends[guest] = 0;
    tame[guest] = true;
    pages[guest].failed = 0;
    port_vhost_call(port, VHOST_START, start, 1);
    port_vhost_call(port, VHOST_ACCEPTS, accepts, 1);
    port_vhost_call(port, VHOST_QUEUE, rx, 5);
    port_vhost_call(port, VHOST_QUEUE, tx, 5);
}

/* A buffer to receive in, of a guest of whom nothing is asked. */
static void offers_buffer(uint8_t guest, struct input *input)
{
    uint16_t index = load16(ram[guest], RX_AVAIL + 2), head = index % RX_SIZE;
    uint32_t at = (uint32_t)take(input, 1) * 32, length = 1 + (uint32_t)take(input, 2) % 8192;
    struct vring_desc desc = {.addr = RAM_GPA + FRAME_AT + at,
                              .len = length < ROOM - at ? length : ROOM - at,
                              .flags = VRING_DESC_F_WRITE};

    if ((uint16_t)(index - load16(ram[guest], RX_USED + 2)) >= RX_SIZE) {
        return;
    }
    memcpy(ram[guest] + RX_DESC + head * sizeof(desc), &desc, sizeof(desc));
    memcpy(ram[guest] + RX_AVAIL + 4 + 2u * head, &head, 2);
    index++;
    memcpy(ram[guest] + RX_AVAIL + 2, &index, 2);
}

static bool has_negotiated(uint8_t guest, unsigned feature)
{
    return (negotiated[guest] >> feature & 1) != 0;
}

/* The frame's bytes: for whom it is, IPv4 and TCP, and what it carries. */
static void make_frame(uint8_t guest, struct virtio_net_hdr_v1 *net, uint8_t *frame,
                       uint32_t length, struct input *input)
{
    static const uint8_t kinds[4] = {VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_NONE,
                                     VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6};
    uint8_t how = (uint8_t)take(input, 1), to = (uint8_t)take(input, 1);
    uint8_t head[58] = {0x52, 0, 0, 0, 0, to & 3, 0x52, 0, 0, 0, 0, guest, 8, 0, 0x45};

    if ((to & 4) != 0) {
        memset(head, 255, 6);
    }
    head[16] = (uint8_t)((length - 14) >> 8);
    head[17] = (uint8_t)(length - 14);
    head[22] = 64;
    head[23] = 6;
    head[46] = 0x50;
    for (uint32_t i = 0; i < length; i++) {
        frame[i] = i < sizeof(head) ? head[i] : (uint8_t)(i + how);
    }
    *net = (struct virtio_net_hdr_v1){0};
    net->gso_type = kinds[how & 3];
    net->flags = how >> 2 & 3;
    if ((how & 7) != 0) {
        net->csum_start = 34;
        net->csum_offset = (how & 16) != 0 ? (uint16_t)take(input, 2) : 16;
        net->gso_size = 100 + (uint16_t)take(input, 1) * 8;
        net->hdr_len = 54;
    }
}

/* Of a frame without large segments: whether the sender may send it, and what becomes of it. */
static void expect(uint8_t guest, struct virtio_net_hdr_v1 net, const uint8_t *frame,
                   uint32_t length)
{
    bool partial = (net.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
    bool whole = net.gso_type == VIRTIO_NET_HDR_GSO_NONE;
    bool for_honest = (frame[0] & 1) != 0 || frame[5] == HONEST;

    sent.any = true;
    sent.plain = whole && (!partial || (receiver.accepts & NET_PORT_CSUM) != 0);
    sent.valid = sent.plain && tame[guest] && for_honest && !receiver.filters &&
                 length <= NET_FRAME_MAX(ports[guest].mtu) &&
                 (!partial || (has_negotiated(guest, VIRTIO_NET_F_CSUM) &&
                               net.csum_start + net.csum_offset + 2u <= length)) &&
                 buffers_for(NET_HEADER + length) != 0;
    sent.length = NET_HEADER + length;
    net.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
    net.gso_size = 0;
    net.hdr_len = 0;
    net.csum_start = partial ? net.csum_start : 0;
    net.csum_offset = partial ? net.csum_offset : 0;
    memcpy(sent.bytes, &net, sizeof(net));
    memcpy(sent.bytes + NET_HEADER, frame, length);
}

/* A frame that a guest offers in proper form, in up to 96 pieces, and the switch forwards. */
static void offers(uint8_t guest, struct input *input)
{
    uint8_t *memory = ram[guest];
    uint32_t length = 14 + (uint32_t)take(input, 2) % 10000u, total = NET_HEADER + length;
    uint32_t pieces = 1 + (uint32_t)take(input, 1) % 96u;
    struct virtio_net_hdr_v1 net;
    uint16_t index = load16(memory, TX_AVAIL + 2), event;
    bool kicks;

    pieces = pieces < total ? pieces : total;
    make_frame(guest, &net, memory + FRAME_AT + NET_HEADER, length, input);
    memcpy(memory + FRAME_AT, &net, sizeof(net));
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t begin = total * i / pieces;
        struct vring_desc desc = {.addr = RAM_GPA + FRAME_AT + begin,
                                  .len = total * (i + 1u) / pieces - begin,
                                  .flags = i + 1 < pieces ? VRING_DESC_F_NEXT : 0,
                                  .next = (uint16_t)(i + 1)};

        memcpy(memory + TX_DESC + i * sizeof(desc), &desc, sizeof(desc));
    }
    memset(memory + TX_AVAIL + 4 + 2 * (index % TX_SIZE), 0, 2);
    index++;
    memcpy(memory + TX_AVAIL + 2, &index, 2);
    if (tame[guest]) {
        expect(guest, net, memory + FRAME_AT + NET_HEADER, length);
    }
    serve(guest);
    require(!sent.valid); /* it has come */
    memset(&sent, 0, offsetof(__typeof__(sent), bytes));
    if (!tame[guest]) {
        return;
    }
    sends[guest]++;
    require(pages[guest].failed == 0);
    require(pages[guest].coalescing != 0 || load16(memory, TX_USED + 2) == sends[guest]);
    event = load16(memory, TX_USED + 4 + 8 * TX_SIZE);
    kicks = has_negotiated(guest, VIRTIO_RING_F_EVENT_IDX)
                ? event == index || (pages[guest].polling != 0 && event == (uint16_t)(index + 8))
                : load16(memory, TX_USED) == 0;
    require(kicks);
}

static void step(struct input *input)
{
    uint8_t which = (uint8_t)take(input, 1), guest = which & 1;
    uint32_t at;

    switch (which >> 1 & 7) {
    case 0: /* anything, and the switch looks at it */
        at = (uint32_t)take(input, 2) % RAM_SIZE;
        for (uint32_t count = which >> 4; count > 0 && at < RAM_SIZE; count--) {
            ram[guest][at++] = (uint8_t)take(input, 1);
        }
        tame[guest] = false;
        serve(guest);
        break;
    case 1:
        begins(guest, input);
        break;
    case 2:
        calls(&ports[guest], input);
        break;
    case 3:
        filters((which & 16) != 0 ? HONEST : guest, input);
        break;
    case 4:
        pages[guest].coalescing = which >> 4 & 1;
        pages[guest].polling = which >> 5 & 1;
        if ((which & 64) != 0) {
            honest_begins(input);
        }
        offers_buffer(guest, input);
        break;
    case 5:
        honest_refills(which >> 4);
        break;
    default:
        offers(guest, input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};
    uint16_t mtu = take(&input, 1) % 2 != 0 ? NET_MTU_MAX : NET_MTU;

    memset(&forward, 0, sizeof(forward));
    memset(first, 0, sizeof(first));
    memset(second, 0, sizeof(second));
    memset(&sent, 0, offsetof(__typeof__(sent), bytes));
    memset(tame, 0, sizeof(tame));
    mac_table_init(&forward.table, 0, 1);
    forward.ports = ports;
    for (uint8_t i = 0; i < GUESTS; i++) {
        open_port(i, mtu);
    }
    honest_begins(&input);
    for (unsigned steps = 0; input.left > 0 && steps < 128; steps++) {
        step(&input);
    }
    return 0;
}
