/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/net_control.c vmm/virtio/net_features.c vmm/virtio/net_isolated.c
 * SOURCES: vmm/virtio/net_moderation.c vmm/virtio/net_vhost.c lib/net_filter.c lib/net_header.c
 * SOURCES: lib/checksum.c
 * SOURCES: lib/net_buffers.c lib/virtqueue.c lib/offload.c lib/ring.c tests/fuzz/silence.c
 *
 * A guest with a network card, and a switch at the other end of its rings. Either may write what it
 * likes into registers, memory and rings. Nothing may be touched but these, every call must end,
 * the registers are as virtio says (virtio_guest.h), and no frame reaches the switch whose header
 * asks for what the guest has not negotiated or reaches beyond the frame.
 *
 * Until one of them does so, the guest offers frames, buffers and commands in proper form, kicks
 * only when the device asks for it, and lets time pass only when a timer is set; the switch
 * notifies only when it is asked to. Then more holds:
 * - each command is answered as virtio 1.2, 5.1.6.5 says, and the filter is what commands made it;
 * - what the guest sends arrives, byte for byte and in order, but for what is not valid;
 * - what the switch sends and the filter passes is in the next buffers, and nothing else of the
 *   guest's memory has changed;
 * - the guest is interrupted for what it has received, and in the end no frame is left where it is.
 */

#include <linux/if_ether.h>
#include "lib/net_buffers.h"
#include "lib/net_header.h"
#include "lib/net_port.h"
#include "lib/offload.h"
#include "lib/ring.h"
#include "virtio_guest.h"
#include "vmm/virtio/net.c"

#define RING_SIZE 262144u
#define HEADER    NET_HEADER_SIZE
#define FRAMES    64u /* that are under way in one direction */

/* The guest's memory, behind the three queues' rings. */
#define TX_SLOTS     4u /* frames that are offered at a time */
#define TX_HEAD_AT   3072u
#define TX_HEAD      64u
#define COMMAND_AT   3328u
#define COMMAND_ROOM 512u
#define ANSWER_AT    3840u
#define RX_AT        4096u
#define RX_SLOTS     16u
#define RX_SLOT      512u
#define TX_TABLE_AT  12288u
#define BODY_AT      13312u /* what frames consist of; it never changes */
#define BODY         (RAM_SIZE - BODY_AT)

static uint8_t to_switch[RING_HEADER_SIZE + RING_SIZE] __attribute__((aligned(4096)));
static uint8_t from_switch[RING_HEADER_SIZE + RING_SIZE] __attribute__((aligned(4096)));
static struct ring arriving, leaving; /* the switch's ends */

static struct virtio_device *card;
static struct vmm_interface_config config = {
    .channel = 1,
    .to_switch = to_switch,
    .from_switch = from_switch,
    .ring_size = RING_SIZE,
    .registers = page,
    .intid = 40,
};

/* ---- What the device stands on ---- */

static bool timer_set; /* the coalescing or the polling timer */
static bool late;

void timer_set_coalescing(uint64_t ticks, uint64_t parked)
{
    demand(ticks > 0 && parked <= ticks);
    timer_set = true;
}

void timer_set_polling(uint64_t ticks)
{
    demand(ticks > 0);
    timer_set = true;
}

bool timer_is_late(void)
{
    return late;
}

void throttle_add(uint32_t ticks)
{
    (void)ticks;
}

/* The cards here have rings; what the other data path calls is only linked. */
seL4_Bool microkit_have_signal;

void microkit_deferred_notify(microkit_channel channel)
{
    (void)channel;
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    (void)mr;
    (void)value;
}

microkit_msginfo microkit_msginfo_new(seL4_Word label, seL4_Uint16 count)
{
    (void)label;
    (void)count;
    return (microkit_msginfo){0};
}

seL4_Word microkit_msginfo_get_label(microkit_msginfo info)
{
    (void)info;
    return 0;
}

microkit_msginfo microkit_ppcall(microkit_channel channel, microkit_msginfo info)
{
    (void)channel;
    return info;
}

/* ---- The model ---- */

/* A frame that the guest sends: its first bytes, and `pieces` times the same ones of its memory. */
struct sent {
    uint8_t head[TX_HEAD];
    uint32_t head_length;
    uint32_t at;
    uint32_t length;
    uint32_t pieces;
    uint32_t total;
    bool forbidden; /* a chain that no driver may offer */
};

/* A frame for the guest: what it begins with, and then bytes that count up from the last. */
struct received {
    struct {
        struct virtio_net_hdr_v1 net;
        uint8_t ethernet[16];
    } start;
    uint32_t length; /* of the frame */
    uint32_t end;    /* of its record in the ring */
};

/* A chain to receive in. */
struct buffer {
    uint32_t slot, slots;
    uint32_t bytes;
    uint32_t segments;
    uint16_t head;
    bool tiny;
    bool forbidden;
};

static struct model {
    bool tame;     /* the guest, since it has started */
    bool switched; /* the switch has kept to the protocol since the input's begin */

    struct sent offered[TX_SLOTS];
    uint16_t offered_count, taken_count; /* free-running */
    struct sent arrives[FRAMES];
    uint32_t arrives_count, arrived_count;

    struct received frames[FRAMES];
    uint32_t frames_count, frames_done; /* free-running, as the ring's records */
    struct buffer buffers[RX_SLOTS];
    uint32_t buffers_count, buffers_done;
    uint32_t slots_used, slots_free; /* slots in the order of the ring */
    uint16_t received, seen;         /* used elements, and those that the guest has looked at */
    uint16_t published;              /* of the transmit queue */
    bool ran;                        /* when last looked at */

    uint16_t commands;
    uint64_t offloads;
    bool wants_all; /* it has asked for all frames, by a command */
    bool mode[6];   /* by the commands' numbers */
    uint8_t own[6];
    bool any_unicast, any_multicast; /* the tables did not fit */
    uint8_t unicast[32][6], multicast[32][6];
    uint32_t unicast_count, multicast_count;
    bool vlans[4096];
} model;

static uint8_t shadow[RAM_SIZE]; /* the guest's memory as it should be */

static uint64_t features(void)
{
    return card->driver_features;
}

static bool negotiated(unsigned feature)
{
    return (features() >> feature & 1) != 0;
}

static bool running(void)
{
    return has_started(reads_as(VIRTIO_MMIO_STATUS));
}

static void put(uint32_t at, const void *bytes, uint32_t count)
{
    memcpy(ram + at, bytes, count);
    memcpy(shadow + at, bytes, count);
}

static void put16(uint32_t at, uint16_t value)
{
    put(at, &value, sizeof(value));
}

static uint16_t get16(uint32_t at)
{
    uint16_t value;

    memcpy(&value, ram + at, sizeof(value));
    return value;
}

/* ---- What a header may say, by virtio 1.2, 5.1.6.2 ---- */

/* Whether its offsets and sizes fit a frame of `length` bytes, and make sense together. */
static bool header_fits(const struct virtio_net_hdr_v1 *net, uint32_t length)
{
    bool partial = (net->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
    uint8_t kind = net->gso_type & 0x7f;

    if (length < 14 || length > 65553) {
        return false;
    }
    if (partial && (net->csum_start < 14 || net->csum_start > 65531 ||
                    length < net->csum_start + net->csum_offset + 2u)) {
        return false;
    }
    if (net->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        return true;
    }
    return partial && net->gso_size > 0 && length / net->gso_size < 2048 &&
           net->hdr_len <= length && net->hdr_len <= 65531 &&
           (kind == VIRTIO_NET_HDR_GSO_TCPV4 || kind == VIRTIO_NET_HDR_GSO_TCPV6 ||
            net->gso_type == VIRTIO_NET_HDR_GSO_UDP_L4);
}

static void clear_gso(struct virtio_net_hdr_v1 *net)
{
    if (net->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        net->gso_size = 0;
        net->hdr_len = 0;
    }
    if ((net->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0) {
        net->csum_start = 0;
        net->csum_offset = 0;
    }
}

/* Whether the guest may send a frame of `length` bytes with this header, which is cleaned. */
static bool may_send(struct virtio_net_hdr_v1 *net, uint32_t length)
{
    uint8_t kind = net->gso_type & 0x7f;

    net->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
    net->num_buffers = 0;
    clear_gso(net);
    if (net->gso_type == VIRTIO_NET_HDR_GSO_NONE ? length > config.mtu + 18u
                                                 : net->gso_size > config.mtu) {
        return false;
    }
    if (!header_fits(net, length)) {
        return false;
    }
    return (net->flags == 0 || negotiated(VIRTIO_NET_F_CSUM)) &&
           (kind != VIRTIO_NET_HDR_GSO_TCPV4 || negotiated(VIRTIO_NET_F_HOST_TSO4)) &&
           (kind != VIRTIO_NET_HDR_GSO_TCPV6 || negotiated(VIRTIO_NET_F_HOST_TSO6)) &&
           (kind != VIRTIO_NET_HDR_GSO_UDP_L4 || negotiated(VIRTIO_NET_F_HOST_USO)) &&
           ((net->gso_type & VIRTIO_NET_HDR_GSO_ECN) == 0 || negotiated(VIRTIO_NET_F_HOST_ECN));
}

static bool offload_on(unsigned feature)
{
    return (model.offloads >> feature & 1) != 0;
}

/* Whether the guest takes a frame with this header, which becomes what the guest sees. */
static bool may_receive(struct virtio_net_hdr_v1 *net, uint32_t length)
{
    uint8_t kind = net->gso_type & 0x7f;

    if (!offload_on(VIRTIO_NET_F_GUEST_CSUM)) {
        if ((net->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
            return false;
        }
        net->flags = 0;
    }
    net->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;
    clear_gso(net);
    return header_fits(net, length) &&
           (kind != VIRTIO_NET_HDR_GSO_TCPV4 || offload_on(VIRTIO_NET_F_GUEST_TSO4)) &&
           (kind != VIRTIO_NET_HDR_GSO_TCPV6 || offload_on(VIRTIO_NET_F_GUEST_TSO6)) &&
           (kind != VIRTIO_NET_HDR_GSO_UDP_L4 ||
            (offload_on(VIRTIO_NET_F_GUEST_USO4) && offload_on(VIRTIO_NET_F_GUEST_USO6))) &&
           ((net->gso_type & VIRTIO_NET_HDR_GSO_ECN) == 0 || offload_on(VIRTIO_NET_F_GUEST_ECN));
}

/* ---- The filter ---- */

static bool listed(uint8_t table[][6], uint32_t count, const uint8_t *address)
{
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(table[i], address, 6) == 0) {
            return true;
        }
    }
    return false;
}

static bool passes(const uint8_t *ethernet)
{
    static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
    uint16_t type = (uint16_t)(ethernet[12] << 8 | ethernet[13]);

    if (model.mode[VIRTIO_NET_CTRL_RX_PROMISC]) {
        return true;
    }
    if (negotiated(VIRTIO_NET_F_CTRL_VLAN) && (type == 0x8100 || type == 0x88a8) &&
        !model.vlans[(ethernet[14] << 8 | ethernet[15]) & 0xfff]) {
        return false;
    }
    if (memcmp(ethernet, everybody, 6) == 0) {
        return !model.mode[VIRTIO_NET_CTRL_RX_NOBCAST];
    }
    if ((ethernet[0] & 1) != 0) {
        return !model.mode[VIRTIO_NET_CTRL_RX_NOMULTI] &&
               (model.mode[VIRTIO_NET_CTRL_RX_ALLMULTI] || model.any_multicast ||
                listed(model.multicast, model.multicast_count, ethernet));
    }
    return !model.mode[VIRTIO_NET_CTRL_RX_NOUNI] &&
           (memcmp(ethernet, model.own, 6) == 0 || model.mode[VIRTIO_NET_CTRL_RX_ALLUNI] ||
            model.any_unicast || listed(model.unicast, model.unicast_count, ethernet));
}

/* One of the two lists behind VIRTIO_NET_CTRL_MAC_TABLE_SET; where the next begins, or 0. */
static uint32_t read_list(const uint8_t *data, uint32_t at, uint32_t total, bool *any,
                          uint8_t list[32][6], uint32_t *length)
{
    uint32_t count;

    if (at > total || total - at < 4) {
        return 0;
    }
    memcpy(&count, data + at, 4);
    if (count > (total - at - 4) / 6) {
        return 0;
    }
    *any = count > 32;
    *length = *any ? 0 : count;
    memcpy(list, data + at + 4, *length * 6);
    return at + 4 + count * 6;
}

static bool sets_tables(const uint8_t *data, uint32_t total)
{
    static uint8_t unicast[32][6], multicast[32][6];
    uint32_t unicasts = 0, multicasts = 0, at;
    bool any_unicast = true, any_multicast = true;

    if (total + 2 <= VHOST_COMMAND_SIZE) { /* otherwise it is longer than any that fits */
        at = read_list(data, 0, total, &any_unicast, unicast, &unicasts);
        if (at == 0 || read_list(data, at, total, &any_multicast, multicast, &multicasts) == 0) {
            return false;
        }
    }
    model.any_unicast = any_unicast;
    model.any_multicast = any_multicast;
    model.unicast_count = unicasts;
    model.multicast_count = multicasts;
    memcpy(model.unicast, unicast, sizeof(unicast));
    memcpy(model.multicast, multicast, sizeof(multicast));
    return true;
}

static bool sets_address(const uint8_t *data, uint32_t total)
{
    if (total < 6 || (data[0] & 1) != 0 || (config.mac_fixed && memcmp(data, config.mac, 6) != 0)) {
        return false;
    }
    memcpy(model.own, data, 6);
    return true;
}

static bool sets_vlan(uint8_t command, const uint8_t *data, uint32_t total)
{
    uint32_t vlan = total < 2 ? 4096 : data[0] | (uint32_t)data[1] << 8;

    if (vlan > 4095 || command > VIRTIO_NET_CTRL_VLAN_DEL) {
        return false;
    }
    model.vlans[vlan] = command == VIRTIO_NET_CTRL_VLAN_ADD;
    return true;
}

static bool sets_offloads(const uint8_t *data, uint32_t total)
{
    uint64_t offloads;

    if (total < 8) {
        return false;
    }
    memcpy(&offloads, data, 8);
    if ((offloads & ~(features() & NET_GUEST_OFFLOADS)) != 0) {
        return false;
    }
    model.offloads = offloads;
    return true;
}

/* Whether the card carries the command out; `data` is what follows its two first bytes. */
static bool commands(uint8_t class, uint8_t command, const uint8_t *data, uint32_t total)
{
    switch (class) {
    case VIRTIO_NET_CTRL_RX:
        if (command > 5 || total == 0 ||
            !negotiated(command < 2 ? VIRTIO_NET_F_CTRL_RX : VIRTIO_NET_F_CTRL_RX_EXTRA)) {
            return false;
        }
        model.mode[command] = data[0] != 0;
        return true;
    case VIRTIO_NET_CTRL_MAC:
        return command == VIRTIO_NET_CTRL_MAC_TABLE_SET
                   ? negotiated(VIRTIO_NET_F_CTRL_RX) && sets_tables(data, total)
                   : command == VIRTIO_NET_CTRL_MAC_ADDR_SET &&
                         negotiated(VIRTIO_NET_F_CTRL_MAC_ADDR) && sets_address(data, total);
    case VIRTIO_NET_CTRL_VLAN:
        return negotiated(VIRTIO_NET_F_CTRL_VLAN) && sets_vlan(command, data, total);
    case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
        return negotiated(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) &&
               command == VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET && sets_offloads(data, total);
    default:
        return false;
    }
}

/* ---- What has changed since the device was last looked at ---- */

static void expect_used(uint32_t queue, uint16_t index, uint32_t head, uint32_t written)
{
    uint32_t element[2] = {head, written};

    memcpy(shadow + USED_AT(queue) + 4 + 8 * (index % 16), element, sizeof(element));
}

/* What the device has taken of the transmit queue is on its way to the switch, or dropped. */
static void look_at_sent(void)
{
    while (model.taken_count != card->queue[TX].next_used) {
        struct sent *sent = &model.offered[model.taken_count % TX_SLOTS];
        struct virtio_net_hdr_v1 net;

        demand(model.taken_count != model.offered_count && !sent->forbidden);
        expect_used(TX, model.taken_count, 4u * (model.taken_count % TX_SLOTS), 0);
        model.taken_count++;
        memcpy(&net, sent->head, sizeof(net));
        if (sent->total >= HEADER && may_send(&net, sent->total - HEADER)) {
            demand(model.arrives_count - model.arrived_count < FRAMES);
            memcpy(sent->head, &net, sizeof(net));
            model.arrives[model.arrives_count++ % FRAMES] = *sent;
        }
    }
}

static uint32_t buffers_max(void)
{
    return negotiated(VIRTIO_NET_F_MRG_RXBUF) ? 16 : 1;
}

/* How many buffers the frame takes; 0: it waits for more; UINT32_MAX: they do not do. */
static uint32_t buffers_for(uint32_t needed)
{
    uint32_t bytes = 0, segments = 0;

    for (uint32_t i = 0; i < buffers_max(); i++) {
        const struct buffer *buffer = &model.buffers[(model.buffers_done + i) % RX_SLOTS];

        if (model.buffers_done + i == model.buffers_count) {
            return 0;
        }
        segments += buffer->segments;
        if (segments > NET_SEGMENTS_MAX) {
            return UINT32_MAX;
        }
        demand(!buffer->forbidden);
        bytes += buffer->bytes;
        if (bytes >= needed) {
            return i + 1;
        }
    }
    return UINT32_MAX;
}

static uint8_t byte_of(const struct received *frame, uint32_t at)
{
    uint8_t byte;

    if (at < sizeof(frame->start)) {
        memcpy(&byte, (const uint8_t *)&frame->start + at, 1);
        return byte;
    }
    return (uint8_t)(frame->start.ethernet[15] + at + at / 256);
}

/* Fill buffers with the frame: where a buffer's bytes lie follows from its slots. */
static void fill_buffers(const struct received *frame, uint32_t count)
{
    uint32_t at = 0, needed = HEADER + frame->length;

    for (uint32_t i = 0; i < count; i++) {
        const struct buffer *buffer = &model.buffers[model.buffers_done++ % RX_SLOTS];
        uint32_t left = buffer->bytes < needed - at ? buffer->bytes : needed - at;

        expect_used(RX, model.received++, buffer->head, left);
        model.slots_free += buffer->slots;
        for (uint32_t filled = 0; filled < left; filled++, at++) {
            uint32_t where = buffer->tiny ? RX_SLOT / 2 + filled : filled;

            where = (buffer->slot * RX_SLOT + where) % (RX_SLOTS * RX_SLOT);
            shadow[RX_AT + where] = byte_of(frame, at);
        }
    }
    memcpy(shadow + USED_AT(RX) + 2, &model.received, 2);
}

/* What the device has taken of the switch's records is in the guest's buffers, or dropped. */
static void look_at_received(void)
{
    while (model.frames_done != model.frames_count) {
        struct received frame = model.frames[model.frames_done % FRAMES];
        uint32_t count;

        if ((int32_t)(leaving.shared->tail - frame.end) < 0) {
            return;
        }
        model.frames_done++;
        if (!model.ran || !passes(frame.start.ethernet) ||
            !may_receive(&frame.start.net, frame.length)) {
            continue;
        }
        count = buffers_for(HEADER + frame.length);
        demand(count != 0);
        if (count != UINT32_MAX) {
            frame.start.net.num_buffers = (uint16_t)count;
            fill_buffers(&frame, count);
        }
    }
}

static uint32_t expected_accepts(void)
{
    static const struct {
        unsigned feature;
        uint32_t bit;
    } bits[] = {{VIRTIO_NET_F_GUEST_CSUM, NET_PORT_CSUM},
                {VIRTIO_NET_F_GUEST_TSO4, NET_PORT_TSO4},
                {VIRTIO_NET_F_GUEST_TSO6, NET_PORT_TSO6},
                {VIRTIO_NET_F_GUEST_ECN, NET_PORT_ECN}};
    uint32_t accepts = NET_PORT_UP | (model.wants_all ? NET_PORT_PROMISC : 0);

    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        accepts |= offload_on(bits[i].feature) ? bits[i].bit : 0;
    }
    if (offload_on(VIRTIO_NET_F_GUEST_USO4) && offload_on(VIRTIO_NET_F_GUEST_USO6)) {
        accepts |= NET_PORT_USO;
    }
    return accepts;
}

static void look(void)
{
    uint32_t accepts;
    uint16_t index = get16(USED_AT(TX) + 2);

    check_registers(card);
    if (!model.tame || !model.switched) {
        return;
    }
    look_at_sent();
    look_at_received();
    model.ran = running();

    /* Sent frames are given back early or late. Which kicks the device wants is its own affair. */
    demand((uint16_t)(index - model.published) <= (uint16_t)(model.taken_count - model.published));
    model.published = index;
    memcpy(shadow + USED_AT(TX) + 2, &index, 2);
    for (uint32_t queue = 0; queue < QUEUES; queue++) {
        memcpy(shadow + USED_AT(queue), ram + USED_AT(queue), 2);
        memcpy(shadow + USED_AT(queue) + 132, ram + USED_AT(queue) + 132, 2);
    }
    demand(memcmp(ram, shadow, sizeof(shadow)) == 0);

    memcpy(&accepts, from_switch + NET_PORT_ACCEPTS_OFFSET, sizeof(accepts));
    demand(accepts == (model.ran ? expected_accepts() : 0));
    if (model.ran) {
        demand(line || model.received == model.seen);
        demand(memcmp(page + VIRTIO_MMIO_CONFIG, model.own, 6) == 0);
    }
}

static void switch_notifies(void)
{
    card->ops->notified(card);
    virtio_devices_run();
    look();
}

/* ---- The switch ---- */

static void check_arrived(const uint8_t *record, uint32_t count)
{
    const struct sent *sent = &model.arrives[model.arrived_count++ % FRAMES];

    demand(model.arrived_count <= model.arrives_count && count == sent->total);
    demand(memcmp(record, sent->head, sent->head_length) == 0);
    for (uint32_t i = 0; i < sent->pieces; i++) {
        demand(memcmp(record + sent->head_length + i * sent->length, ram + sent->at,
                      sent->length) == 0);
    }
}

/* The switch takes up to `most` records. Whoever has sent them, their headers make sense. */
static void takes(uint32_t most)
{
    const uint8_t *record;
    uint32_t count;

    if (!model.switched) {
        return;
    }
    for (; most > 0 && (record = ring_peek(&arriving, &count)) != NULL; most--) {
        struct virtio_net_hdr_v1 net, clean;

        demand(count >= HEADER + NET_FRAME_MIN && count <= HEADER + NET_GSO_FRAME_MAX);
        memcpy(&net, record, sizeof(net));
        clean = net;
        clear_gso(&clean);
        demand(header_fits(&net, count - HEADER) && memcmp(&net, &clean, sizeof(net)) == 0);
        demand(net.num_buffers == 0 && (net.flags & ~VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0);
        demand(net.gso_type == VIRTIO_NET_HDR_GSO_NONE ? count - HEADER <= config.mtu + 18u
                                                       : net.gso_size <= config.mtu);
        if (model.tame) {
            check_arrived(record, count);
        }
        ring_release(&arriving);
    }
    demand(!ring_broken(&arriving));
    if (ring_take_space_wanted(&arriving)) {
        switch_notifies();
    }
}

static void take_header(struct virtio_net_hdr_v1 *net, struct input *input)
{
    static const uint8_t types[] = {VIRTIO_NET_HDR_GSO_NONE,   VIRTIO_NET_HDR_GSO_NONE,
                                    VIRTIO_NET_HDR_GSO_TCPV4,  VIRTIO_NET_HDR_GSO_TCPV6,
                                    VIRTIO_NET_HDR_GSO_UDP_L4, VIRTIO_NET_HDR_GSO_UDP};
    uint8_t how = (uint8_t)take(input, 1);

    memset(net, 0, sizeof(*net));
    net->flags = how & 7;
    net->gso_type =
        types[(how >> 3 & 7) % sizeof(types)] | ((how & 64) != 0 ? VIRTIO_NET_HDR_GSO_ECN : 0);
    if ((how & 7) != 0 || (how & 0xf8) != 0) {
        net->csum_start = (uint16_t)(34 + (int8_t)take(input, 1));
        net->csum_offset = (uint16_t)take(input, 1);
        net->gso_size = (uint16_t)take(input, 2) % 10000;
        net->hdr_len = (uint16_t)take(input, 1);
    }
    if ((how & 128) != 0) {
        net->csum_start = (uint16_t)(net->csum_start << 8);
        net->hdr_len = (uint16_t)(net->hdr_len << 8);
        net->num_buffers = 7;
    }
}

/* A unicast address, the card's own, a multicast one, or everybody's. */
static void take_address(uint8_t *address, struct input *input)
{
    uint8_t how = (uint8_t)take(input, 1);

    memcpy(address, config.mac, 6);
    address[5] = how >> 2 & 7;
    address[0] = (how & 3) == 1 ? 3 : address[0];
    if ((how & 3) == 2) {
        memset(address, 255, 6);
    }
}

static void take_type(uint8_t *type, struct input *input)
{
    static const uint8_t types[4][2] = {{8, 0}, {0x86, 0xdd}, {0x81, 0}, {0x88, 0xa8}};
    uint8_t how = (uint8_t)take(input, 1);

    memcpy(type, types[how & 3], 2);
    type[2] = how & 0xc0;
    type[3] = how >> 2 & 7;
}

static void gives(struct input *input)
{
    struct received frame = {0};
    uint8_t *record;

    take_header(&frame.start.net, input);
    take_address(frame.start.ethernet, input);
    memcpy(frame.start.ethernet + 6, "\2other", 6);
    take_type(frame.start.ethernet + 12, input);
    frame.length = (uint32_t)take(input, 2);
    frame.length = (frame.length & 0xc000) == 0xc000 ? frame.length + 200 : frame.length % 8300;
    if (frame.length < 16) {
        memset(frame.start.ethernet + 14, 0, 2);
    }
    if (!model.switched || model.frames_count - model.frames_done >= FRAMES ||
        (record = ring_reserve(&leaving, HEADER + frame.length)) == NULL) {
        return;
    }
    for (uint32_t i = 0; i < HEADER + frame.length; i++) {
        record[i] = byte_of(&frame, i);
    }
    ring_commit(&leaving);
    frame.end = leaving.own;
    model.frames[model.frames_count++ % FRAMES] = frame;
    if (ring_take_data_wanted(&leaving)) {
        switch_notifies();
    }
}

/* A record as a switch would put it that does not keep to the protocol. */
static void gives_anything(struct input *input)
{
    struct ring_shared *shared = (struct ring_shared *)(void *)from_switch;
    uint32_t offset = shared->head % RING_SIZE & ~63u;
    uint32_t count = (uint32_t)take(input, 3) % 70000;

    memcpy(from_switch + RING_HEADER_SIZE + offset, &count, sizeof(count));
    if (offset + 64 < RING_SIZE) {
        scribble(input, from_switch + RING_HEADER_SIZE + offset + 64,
                 RING_SIZE - offset - 64 < 65536 ? RING_SIZE - offset - 64 : 65536);
    }
    shared->head += 64 + (count + 63) / 64 * 64;
}

/* ---- The guest ---- */

/* Whether a driver kicks for the chain that it makes its `old`-th. */
static bool kick_due(uint32_t queue, uint16_t old)
{
    return negotiated(VIRTIO_RING_F_EVENT_IDX) ? get16(USED_AT(queue) + 132) == old
                                               : get16(USED_AT(queue)) == 0;
}

static void announce(uint32_t queue, uint16_t head, uint16_t old)
{
    put16(AVAIL_AT(queue) + 4 + 2u * (old % 16), head);
    put16(AVAIL_AT(queue) + 2, (uint16_t)(old + 1));
    if (kick_due(queue, old)) {
        guest_writes(card, VIRTIO_MMIO_QUEUE_NOTIFY, queue, 4);
    }
}

static void put_desc(uint32_t at, uint32_t address, uint32_t length, uint16_t flags, uint16_t next)
{
    struct vring_desc desc = {RAM_GPA + address, length, flags, next};

    put(at, &desc, sizeof(desc));
}

static void sends(struct input *input)
{
    uint16_t slot = model.offered_count % TX_SLOTS, index = 4 * slot;
    struct sent *sent = &model.offered[slot];
    uint32_t at = TX_HEAD_AT + slot * TX_HEAD, table = QUEUE_AT(TX) + 16u * index;
    struct virtio_net_hdr_v1 net;
    uint8_t ethernet[TX_HEAD - HEADER], how;
    uint32_t first, count, next;

    take_header(&net, input);
    memset(ethernet, model.offered_count, sizeof(ethernet));
    take_address(ethernet, input);
    how = (uint8_t)take(input, 1);
    if ((uint16_t)(model.offered_count - model.taken_count) == TX_SLOTS ||
        model.arrives_count - model.arrived_count > FRAMES - TX_SLOTS) {
        return;
    }
    put(at, &net, sizeof(net));
    put(at + HEADER, ethernet, sizeof(ethernet));
    *sent = (struct sent){.head_length = 1 + (uint32_t)take(input, 1) % TX_HEAD,
                          .at = BODY_AT + (uint32_t)take(input, 1),
                          .length = 1 + (uint32_t)take(input, 2) % 2800,
                          .pieces = (how & 15u) % 14u,
                          .forbidden = how == 255};
    if (sent->head_length < HEADER) {
        sent->pieces = 0; /* it ends within the header */
    }
    memcpy(sent->head, ram + at, TX_HEAD);
    if (!negotiated(VIRTIO_RING_F_INDIRECT_DESC)) {
        sent->pieces %= 3;
    } else if ((how & 16) != 0) {
        table = TX_TABLE_AT + 256u * slot;
        put_desc(QUEUE_AT(TX) + 16u * index, table, 0, VRING_DESC_F_INDIRECT, 0);
    }
    if (table < TX_TABLE_AT) {
        sent->pieces %= 3;
    }
    if ((how & 32) != 0 && sent->pieces > 8) { /* more than any frame has; nobody looks at it */
        sent->at = RX_AT;
        sent->length = 12000;
    }
    first = sent->head_length > HEADER && (how & 64) != 0 ? HEADER : sent->head_length;
    sent->total = sent->head_length + sent->pieces * sent->length;
    count = sent->pieces + (first < sent->head_length ? 2 : 1);
    next = table < TX_TABLE_AT ? index : 0;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t flags = (i + 1 < count ? VRING_DESC_F_NEXT : 0) |
                         (sent->forbidden && i + 1 == count ? VRING_DESC_F_WRITE : 0);
        uint32_t split = first < sent->head_length ? 1 : 0;

        if (i <= split) {
            put_desc(table + 16 * i, i == 0 ? at : at + first,
                     i == 0 ? first : sent->head_length - first, flags, (uint16_t)(next + i + 1));
        } else {
            put_desc(table + 16 * i, sent->at, sent->length, flags, (uint16_t)(next + i + 1));
        }
    }
    if (table >= TX_TABLE_AT) {
        put_desc(QUEUE_AT(TX) + 16u * index, table, 16 * count, VRING_DESC_F_INDIRECT, 0);
    }
    announce(TX, index, model.offered_count++);
}

/* A buffer to receive in, whose chain lies at its first slot. */
static void offers_buffer(struct input *input)
{
    uint8_t how = (uint8_t)take(input, 1), trim = (uint8_t)take(input, 1);
    struct buffer buffer = {.slots = 1u + how % 6u, .forbidden = how == 255};
    uint16_t flags = buffer.forbidden ? 0 : VRING_DESC_F_WRITE;
    uint32_t slot = model.slots_used % RX_SLOTS;

    buffer.tiny = (how & 64) != 0 && negotiated(VIRTIO_RING_F_INDIRECT_DESC);
    buffer.slots = buffer.tiny ? 1 : buffer.slots;
    if (model.slots_used + buffer.slots - model.slots_free > RX_SLOTS) {
        return;
    }
    buffer.slot = slot;
    buffer.head = (uint16_t)slot;
    buffer.segments = buffer.tiny ? 16 : buffer.slots;
    buffer.bytes = buffer.tiny ? 256 : buffer.slots * RX_SLOT - trim;
    if (buffer.tiny) { /* as many segments as can be */
        uint32_t table = RX_AT + slot * RX_SLOT;

        for (uint16_t i = 0; i < 16; i++) {
            put_desc(table + 16u * i, table + RX_SLOT / 2 + 16u * i, 16,
                     flags | (i < 15 ? VRING_DESC_F_NEXT : 0), i + 1);
        }
        put_desc(QUEUE_AT(RX) + 16 * slot, table, 256, VRING_DESC_F_INDIRECT, 0);
    } else {
        for (uint32_t i = 0; i < buffer.slots; i++) {
            uint32_t index = (slot + i) % RX_SLOTS;
            bool last = i + 1 == buffer.slots;

            put_desc(QUEUE_AT(RX) + 16 * index, RX_AT + index * RX_SLOT,
                     last ? RX_SLOT - trim : RX_SLOT, flags | (last ? 0 : VRING_DESC_F_NEXT),
                     (uint16_t)((index + 1) % RX_SLOTS));
        }
    }
    model.slots_used += buffer.slots;
    model.buffers[model.buffers_count % RX_SLOTS] = buffer;
    announce(RX, buffer.head, (uint16_t)model.buffers_count++);
}

/* The data of a command that makes sense, or nearly so; returns their length. */
static uint32_t make_command(uint8_t *head, uint8_t *data, struct input *input)
{
    uint8_t which = (uint8_t)take(input, 1), how = (uint8_t)take(input, 1);
    uint32_t at = 0;

    switch (which % 14) {
    case 6:
        head[0] = VIRTIO_NET_CTRL_MAC;
        head[1] = VIRTIO_NET_CTRL_MAC_TABLE_SET;
        for (uint32_t list = 0; list < 2; list++) {
            uint32_t count = (how >> (4 * list) & 15u);

            count = count == 15 ? 33 : count == 14 ? 32 : count;
            memcpy(data + at, &count, 4);
            at += 4;
            for (uint32_t i = 0; i < count; i++, at += 6) {
                memcpy(data + at, config.mac, 6);
                data[at] |= (uint8_t)list;
                data[at + 5] = (uint8_t)(i * 3 + which / 14);
            }
        }
        return at;
    case 7:
        head[0] = VIRTIO_NET_CTRL_MAC;
        head[1] = VIRTIO_NET_CTRL_MAC_ADDR_SET;
        take_address(data, input);
        return 6;
    case 8:
    case 9:
        head[0] = VIRTIO_NET_CTRL_VLAN;
        head[1] = which % 14 == 8 ? VIRTIO_NET_CTRL_VLAN_ADD : VIRTIO_NET_CTRL_VLAN_DEL;
        data[0] = how & 7;
        data[1] = how >> 3;
        return 2;
    case 10:
        head[0] = VIRTIO_NET_CTRL_GUEST_OFFLOADS;
        head[1] = VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET;
        for (uint64_t i = 0, mask = take(input, 8); i < 8; i++) {
            uint64_t offloads = (how & 1) != 0 ? mask : mask & features() & NET_GUEST_OFFLOADS;

            data[i] = (uint8_t)(offloads >> (8 * i));
        }
        return 8;
    case 11:
        head[0] = how & 7;
        head[1] = how >> 3 & 7;
        for (; at < 12; at++) {
            data[at] = (uint8_t)take(input, 1);
        }
        return at;
    case 12: /* longer than what a card remembers: it says how many, and has them all */
        head[0] = VIRTIO_NET_CTRL_MAC;
        head[1] = VIRTIO_NET_CTRL_MAC_TABLE_SET;
        return COMMAND_ROOM - 2 + 1600 + how;
    default:
        head[0] = VIRTIO_NET_CTRL_RX;
        head[1] = which % 14 < 6 ? which % 14 : how % 7;
        data[0] = how & 1;
        return 1;
    }
}

static void has_command(struct input *input)
{
    static uint8_t command[4096];
    uint32_t length, cut, total, first_part;
    uint16_t index = model.commands;
    bool forbidden, done;
    uint8_t how;

    memset(command, 0, sizeof(command));
    length = make_command(command, command + 2, input);
    how = (uint8_t)take(input, 1);
    length -= (how & 3) == 3 && length > how >> 4 ? how >> 4 : 0;
    forbidden = how == 254;
    total = length + 2;
    cut = 1 + (how >> 2 & 3u);
    cut = cut < total ? cut : 1;
    first_part = total < COMMAND_ROOM ? total : COMMAND_ROOM;
    put(COMMAND_AT, command, first_part);
    if (total > COMMAND_ROOM) { /* zeros come next, and then what is never read */
        memcpy(command + COMMAND_ROOM, ram + BODY_AT, total - COMMAND_ROOM);
    }
    put_desc(QUEUE_AT(CONTROL), COMMAND_AT, cut, VRING_DESC_F_NEXT, 1);
    put_desc(QUEUE_AT(CONTROL) + 16, COMMAND_AT + cut, first_part - cut, VRING_DESC_F_NEXT,
             total > COMMAND_ROOM ? 2 : 3);
    put_desc(QUEUE_AT(CONTROL) + 32, BODY_AT, total - first_part, VRING_DESC_F_NEXT, 3);
    put_desc(QUEUE_AT(CONTROL) + 48, ANSWER_AT, 1, forbidden ? 0 : VRING_DESC_F_WRITE, 0);
    put(ANSWER_AT, "?", 1);
    if (forbidden) {
        announce(CONTROL, 0, model.commands++);
        demand(!running() && ram[ANSWER_AT] == '?');
        return;
    }
    done = commands(command[0], command[1], command + 2, length);
    if (done && command[0] == VIRTIO_NET_CTRL_RX && command[1] == VIRTIO_NET_CTRL_RX_PROMISC) {
        model.wants_all = model.mode[0];
    }
    shadow[ANSWER_AT] = '?';
    announce(CONTROL, 0, model.commands++);
    demand(ram[ANSWER_AT] == (done ? VIRTIO_NET_OK : VIRTIO_NET_ERR));
    shadow[ANSWER_AT] = ram[ANSWER_AT];
    expect_used(CONTROL, index, 0, 1);
    memcpy(shadow + USED_AT(CONTROL) + 2, &model.commands, 2);
}

/* The guest has been interrupted, or has not: it looks, and asks for the next interrupts. */
static void looks(void)
{
    model.seen = model.received;
    put16(AVAIL_AT(RX) + 36, model.received);
    put16(AVAIL_AT(TX) + 36, get16(USED_AT(TX) + 2));
    guest_writes(card, VIRTIO_MMIO_INTERRUPT_ACK, 3, 4);
}

/* The guest starts, or starts anew. What the switch has for the one before is lost. */
static void starts(struct input *input)
{
    static const uint8_t all[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    struct input wanted = {all, sizeof(all)};
    uint8_t how = (uint8_t)take(input, 1);

    takes(UINT32_MAX);
    model.tame = false; /* until it has come up */
    memset(ram, 0, BODY_AT);
    for (uint32_t i = BODY_AT; i < RAM_SIZE; i++) {
        ram[i] = (uint8_t)(i ^ i >> 8);
    }
    bring_up(card, how % 4 != 0 ? &wanted : input);
    if (how % 4 == 1) { /* with fewer features, for once */
        uint64_t fewer = card->features & ~(1ull << (how >> 2 & 63));
        uint8_t bytes[8];

        memcpy(bytes, &fewer, sizeof(bytes));
        wanted = (struct input){bytes, sizeof(bytes)};
        bring_up(card, &wanted);
    }
    takes(UINT32_MAX);
    bool switched = model.switched;

    memset(&model, 0, sizeof(model));
    model.tame = running();
    model.switched = switched;
    model.ran = model.tame;
    model.mode[VIRTIO_NET_CTRL_RX_PROMISC] = true;
    model.offloads = features() & NET_GUEST_OFFLOADS;
    memcpy(model.own, config.mac, 6);
    memcpy(shadow, ram, sizeof(shadow));
}

/* From now on the guest does what it likes. */
static void goes_wild(void)
{
    takes(UINT32_MAX);
    model.tame = false;
}

static void expires(void)
{
    if (timer_set || !model.tame) {
        timer_set = false;
        card->ops->timer_expired(card);
        virtio_devices_run();
    }
}

/* Everybody goes on, and nobody sends anything new: what is under way comes to its end. */
static void settles(void)
{
    for (uint32_t i = 0; i < 4; i++) {
        takes(UINT32_MAX);
        expires();
        look();
    }
    if (!model.tame || !model.switched || !running()) {
        return;
    }
    demand(model.taken_count == model.offered_count && model.published == model.taken_count);
    demand(model.arrived_count == model.arrives_count);
    if (model.frames_done != model.frames_count) {
        struct received frame = model.frames[model.frames_done % FRAMES];

        demand(!passes(frame.start.ethernet) || !may_receive(&frame.start.net, frame.length) ||
               buffers_for(HEADER + frame.length) == 0);
    }
}

/* ---- The input: steps ---- */

static void tame_step(struct input *input, uint8_t which)
{
    switch (which) {
    case 0:
    case 1:
    case 2:
        sends(input);
        break;
    case 3:
    case 4:
        offers_buffer(input);
        break;
    case 5:
        has_command(input);
        break;
    default:
        looks();
    }
}

static void wild_step(struct input *input, uint8_t which)
{
    switch (which) {
    case 0:
        guest_scribbles(card, input);
        break;
    case 1:
    case 2:
        offer(card, (uint32_t)take(input, 1) % 3, input);
        break;
    case 3:
        guest_writes(card, VIRTIO_MMIO_QUEUE_NOTIFY, 0, 4);
        break;
    default:
        scribble(input, ram, RAM_SIZE);
    }
}

static void step(struct input *input)
{
    uint8_t which = (uint8_t)take(input, 1), seldom = which >> 4;

    switch (which % 16) {
    case 7:
    case 8:
        gives(input);
        break;
    case 9:
        takes(1 + seldom);
        break;
    case 10:
        if ((seldom & 3) == 0) {
            card->ops->idle(card);
            virtio_devices_run();
        } else {
            expires();
        }
        break;
    case 11: /* time passes, and the switch says what it has done */
        late = seldom == 1;
        for (uint8_t i = 0; i < seldom; i++) {
            (void)cpu_counter();
        }
        from_switch[NET_PORT_WORK_OFFSET] += seldom;
        from_switch[NET_PORT_OUTSIDE_OFFSET] = seldom & 1;
        break;
    case 12:
        starts(input);
        break;
    case 13:
        goes_wild();
        break;
    case 14:
        if (seldom == 0) {
            model.switched = false;
            scribble(input, take(input, 1) % 2 ? to_switch : from_switch, RING_HEADER_SIZE + 8192);
        } else if (!model.switched) {
            gives_anything(input);
            switch_notifies();
        }
        break;
    default:
        if (model.tame && running()) {
            tame_step(input, which % 16);
        } else if (!model.tame) {
            wild_step(input, which % 16);
        }
    }
    look();
}

/* Up to where either ring's region may have been written: to clear more takes longer than the rest.
 */
static uint32_t rings_used(void)
{
    uint32_t to = nets[0].isolated.to_switch.own, from = leaving.own;
    uint32_t used = RING_HEADER_SIZE + HEADER + NET_GSO_FRAME_MAX + 64 + (to > from ? to : from);

    return !model.switched || used > sizeof(to_switch) ? sizeof(to_switch) : used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct guest_memory memory = {ram, RAM_GPA, RAM_SIZE};
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    static uint32_t used_of_rings;
    struct input input = {data, size};
    uint8_t kind = (uint8_t)take(&input, 1);

    config.mtu = (kind & 1) != 0 ? NET_MTU_MAX : NET_MTU;
    config.mac_fixed = (kind & 2) != 0;
    memcpy(config.mac, mac, sizeof(mac));
    memset(to_switch, 0, used_of_rings);
    memset(from_switch, 0, used_of_rings);
    ring_init(&arriving, to_switch, RING_SIZE);
    ring_init(&leaving, from_switch, RING_SIZE);
    new_guest();
    memset(nets, 0, sizeof(nets));
    memset(&model, 0, sizeof(model));
    model.switched = true;
    timer_set = late = false;
    card = virtio_net_init(0, &config, &memory);
    starts(&input);
    for (unsigned steps = 0; input.left > 0 && steps < 256; steps++) {
        step(&input);
    }
    settles();
    used_of_rings = rings_used();
    return 0;
}
