/* SPDX-License-Identifier: BSD-2-Clause */

#include "net.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <microkit.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include "lib/log.h"
#include "lib/net_buffers.h"
#include "lib/net_filter.h"
#include "lib/net_header.h"
#include "lib/net_port.h"
#include "lib/offload.h"
#include "lib/ring.h"
#include "net_control.h"
#include "net_features.h"
#include "net_moderation.h"
#include "net_vhost.h"

enum { RX = VHOST_RX, TX = VHOST_TX, CONTROL = NET_CONTROL_QUEUE, QUEUES };

#define QUEUE_SIZE 1024u
#define HEADER     NET_HEADER_SIZE

/*
 * Work per turn: enough to make the cost of a turn small, little enough to let others have one. A
 * frame to send costs one, and one more for each 32 descriptors that it is read from; one to be
 * received takes no more than NET_SEGMENTS_MAX.
 */
#define RX_BUDGET          256u
#define TX_BUDGET          256u
#define TX_WORK_COST_SHIFT 5

struct net {
    struct virtio_device device; /* first: the transport hands this back */
    const struct vmm_interface_config *config;
    struct net_vhost vhost; /* with config->vhost, in place of the rings */
    struct ring to_switch;
    struct ring from_switch;
    uint32_t *shared_accepts; /* the `accepts` word that the switch reads: net_port.h */
    uint32_t accepts;         /* NET_PORT_* */
    uint32_t record_max;      /* bytes; the longest record to the switch */
    bool sent_large;          /* in this turn: what has been sent is published at its end */
    bool tx_waits;            /* for room in the ring to the switch */
    bool reported_ring;       /* that it is broken */
    struct net_moderation moderation;
    struct net_control control;
};

static struct net nets[VMM_MAX_INTERFACES];

static const char *const names[] = {"net0", "net1", "net2", "net3", "net4", "net5", "net6", "net7"};
_Static_assert(sizeof(names) / sizeof(names[0]) == VMM_MAX_INTERFACES, "a name for each");

/* A PD has one thread, so these need not be one per device. */
static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];
static struct net_buffers buffers;

/* ---- What the guest receives, for the switch ---- */

static void set_accepts(struct net *net, uint32_t accepts)
{
    net->accepts = accepts;
    if (net->config->vhost) {
        net_vhost_accepts(&net->vhost, accepts);
        return;
    }
    *(volatile uint32_t *)net->shared_accepts = accepts;
    atomic_thread_fence(memory_order_seq_cst);
}

static void update_accepts(struct virtio_device *device)
{
    struct net *net = (struct net *)device;
    uint32_t accepts = 0;

    if (virtio_device_running(device)) {
        accepts = NET_PORT_UP | net_features_accepted(net->control.offloads) |
                  (net->control.promiscuous ? NET_PORT_PROMISC : 0);
    }
    set_accepts(net, accepts);
}

/* The switch is not trusted to keep a ring in order. Report it once: a ring stays broken. */
static void report_broken_ring(struct net *net)
{
    if (!net->reported_ring && (ring_broken(&net->to_switch) || ring_broken(&net->from_switch))) {
        net->reported_ring = true;
        log_printf("%s: the ring to or from the switch is broken: the link is dead",
                   net->device.name);
    }
}

/* ---- Guest to switch ---- */

/* Copy a chain's segments into one piece. */
static void gather(uint8_t *to, const struct virtqueue_segment *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy(to, from[i].data, from[i].length);
        to += from[i].length;
    }
}

static void drop_tx(const struct net *net, uint32_t count, const char *cause)
{
    log_limited("%s: frame of %u bytes dropped: %s", net->device.name,
                count > HEADER ? (unsigned)(count - HEADER) : 0u, cause);
}

/* Send one chain. Returns false, having done nothing, if the ring has no room for it. */
static bool send(struct net *net, const struct virtqueue_chain *chain)
{
    uint32_t count = chain->readable_bytes;
    const char *cause;
    void *record;

    if (count < HEADER + NET_FRAME_MIN) {
        drop_tx(net, count, "it is too short");
        return true;
    }
    if (count > net->record_max) {
        drop_tx(net, count, "it is too long");
        return true;
    }
    record = ring_reserve(&net->to_switch, count);
    if (record == NULL) {
        return false;
    }
    gather(record, segments, chain->readable);
    /* Nobody else sees the record yet, whose header holds nothing but what has been checked. */
    cause = net_header_seal(record, count - HEADER, net->device.driver_features, net->config->mtu);
    if (cause != NULL) {
        drop_tx(net, count, cause);
        return true;
    }
    ring_commit(&net->to_switch, count);
    net->sent_large |= tx_moderation_publishes(count);
    return true;
}

/* Why a batch has ended, in either direction. */
enum outcome {
    NO_BUFFERS,   /* the driver has made no more buffers available */
    BUDGET_SPENT, /* there may be more to do */
    BLOCKED,      /* the ring to the switch is full, or the one from it empty */
    FAILED,       /* the driver has broken a rule of the queue */
};

/* Move chains into the ring. *needed becomes the bytes of the one for which there is no room. */
static enum outcome send_batch(struct net *net, struct virtqueue *queue, uint32_t *needed)
{
    uint32_t spent = 0;

    while (spent < TX_BUDGET) {
        struct virtqueue_chain chain;
        enum virtqueue_pop popped = virtqueue_pop(queue, segments, VIRTQUEUE_SIZE_MAX, &chain);

        if (popped == VIRTQUEUE_EMPTY) {
            return NO_BUFFERS;
        }
        if (popped == VIRTQUEUE_BROKEN) {
            return FAILED;
        }
        if (chain.writable != 0) {
            virtqueue_break(queue, "a frame to send in a writable buffer");
            return FAILED;
        }
        if (!send(net, &chain)) {
            virtqueue_unpop(queue, 1);
            *needed = chain.readable_bytes;
            return BLOCKED;
        }
        virtqueue_push(queue, chain.head, 0);
        spent += 1 + (chain.readable >> TX_WORK_COST_SHIFT);
    }
    return BUDGET_SPENT;
}

/* Returns whether there is more to do at once. */
static bool transmit(struct net *net)
{
    struct virtqueue *queue = &net->device.queue[TX];
    uint16_t available = virtqueue_available(queue);
    uint32_t needed = 0;
    enum outcome outcome;

    virtqueue_disable_kicks(queue);
    net->sent_large = false;
    outcome = send_batch(net, queue, &needed);
    net_moderation_transmitted(&net->moderation, available, net->sent_large);
    if (ring_take_data_wanted(&net->to_switch)) {
        microkit_notify(net->config->channel);
    }
    net->tx_waits = false;
    switch (outcome) {
    case NO_BUFFERS:
        return net_moderation_enable_kicks(&net->moderation);
    case BLOCKED: /* kicks stay off: nothing can be done before the switch says so */
        net->tx_waits = !ring_await_space(&net->to_switch, needed);
        return !net->tx_waits;
    case FAILED:
        virtio_device_fail(&net->device, virtqueue_error(queue));
        return false;
    default:
        return true;
    }
}

/* ---- Switch to guest ---- */

/* A record's first bytes, as numbers: what is decided on is copied out of shared memory first. */
struct record_start {
    struct virtio_net_hdr_v1 header;
    uint32_t destination_low; /* the Ethernet header */
    uint16_t destination_high;
    uint8_t source[6];
    uint32_t type; /* and what follows it, if anything does */
};
_Static_assert(sizeof(struct record_start) == 28, "the record's layout");

/*
 * Check the header of a frame of `length` bytes from the switch, a private copy, against what this
 * guest accepts, and clear what the guest should not see. Returns false if the guest cannot have
 * the frame.
 */
static bool clean_header(const struct net *net, struct virtio_net_hdr_v1 *header, uint32_t length)
{
    if ((net->control.offloads & VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM)) != 0) {
        header->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;
    } else if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
        return false;
    } else {
        header->flags = 0;
    }
    if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0) {
        header->csum_start = 0;
        header->csum_offset = 0;
    }
    if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        header->gso_size = 0;
        header->hdr_len = 0;
    }
    return offload_check_header(header, length) == NULL && offload_accepted(header, net->accepts);
}

/* Deliver one record to the guest, or drop it; then the outcome is BUDGET_SPENT. */
static enum outcome deliver(struct net *net, const void *record, uint32_t count)
{
    struct virtqueue *queue = &net->device.queue[RX];
    bool mergeable = virtio_device_has(&net->device, VIRTIO_NET_F_MRG_RXBUF);
    const uint8_t *frame = (const uint8_t *)record + HEADER;
    struct record_start start = {0};

    if (count < HEADER + NET_FRAME_MIN || count > HEADER + NET_GSO_FRAME_MAX) {
        return BUDGET_SPENT;
    }
    if (count >= sizeof(start)) {
        __builtin_memcpy(&start, __builtin_assume_aligned(record, RING_RECORD_ALIGN),
                         sizeof(start));
    } else {
        memcpy(&start, record, count);
    }
    if (!net_filter_passes(&net->control.filter,
                           start.destination_low | (uint64_t)start.destination_high << 32,
                           start.type) ||
        !clean_header(net, &start.header, count - HEADER)) {
        return BUDGET_SPENT;
    }
    switch (net_buffers_collect(&buffers, queue, mergeable, count)) {
    case NET_COLLECTED:
        break;
    case NET_NO_BUFFERS:
        return NO_BUFFERS;
    case NET_QUEUE_BROKEN:
        return FAILED;
    default:
        return BUDGET_SPENT;
    }
    start.header.num_buffers = (uint16_t)buffers.count;
    net_buffers_write(&buffers, &start.header, HEADER);
    net_buffers_write(&buffers, frame, count - HEADER);
    net_buffers_push(&buffers, queue);
    return BUDGET_SPENT;
}

static enum outcome receive_batch(struct net *net)
{
    for (uint32_t budget = RX_BUDGET; budget > 0; budget--) {
        uint32_t count;
        const void *record = ring_peek(&net->from_switch, &count);
        enum outcome outcome;

        if (record == NULL) {
            return BLOCKED;
        }
        outcome = deliver(net, record, count);
        if (outcome != BUDGET_SPENT) {
            return outcome;
        }
        ring_release(&net->from_switch);
    }
    return BUDGET_SPENT;
}

/* Returns whether there is more to do at once. */
static bool receive(struct net *net)
{
    struct virtqueue *queue = &net->device.queue[RX];
    enum outcome outcome;

    virtqueue_disable_kicks(queue);
    outcome = receive_batch(net);
    net_moderation_received(&net->moderation);
    if (ring_take_space_wanted(&net->from_switch)) {
        microkit_notify(net->config->channel);
    }
    switch (outcome) {
    case NO_BUFFERS: /* the record waits in the ring until the guest has refilled its queue */
        return virtqueue_enable_kicks(queue);
    case BLOCKED:
        return ring_await_data(&net->from_switch);
    case FAILED:
        virtio_device_fail(&net->device, virtqueue_error(queue));
        return false;
    default:
        return true;
    }
}

/* ---- The device ---- */

static uint32_t net_work(struct virtio_device *device, uint32_t pending)
{
    struct net *net = (struct net *)device;
    uint32_t left = 0;

    if ((pending & 1u << CONTROL) != 0 && net_control_work(&net->control, segments)) {
        left |= 1u << CONTROL;
    }
    if (net->config->vhost) {
        net_vhost_charge(&net->vhost);
        if (net_vhost_kick(&net->vhost, device)) {
            net_moderation_kicked(&net->moderation);
        }
        return left;
    }
    if ((pending & 1u << TX) != 0 && transmit(net)) {
        left |= 1u << TX;
    }
    if ((pending & 1u << RX) != 0 && receive(net)) {
        left |= 1u << RX;
    }
    report_broken_ring(net);
    return left;
}

/* Drop the records for a guest that does not run, or that ran before this one. */
static void drain(struct net *net)
{
    uint32_t count;

    for (uint32_t i = 0; i < net->config->ring_size / RING_RECORD_ALIGN; i++) {
        if (ring_peek(&net->from_switch, &count) == NULL) {
            break;
        }
        ring_release(&net->from_switch);
    }
}

static void net_notified(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    if (net->config->vhost) {
        net_vhost_charge(&net->vhost);
        net_vhost_notified(&net->vhost, device);
    } else if (virtio_device_running(device)) {
        virtio_device_schedule(device, 1u << RX | (net->tx_waits ? 1u << TX : 0));
    } else {
        drain(net);
    }
}

static void net_timer_expired(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    if (!net_moderation_timer_expired(&net->moderation)) {
        return;
    }
    if (net->config->vhost) {
        microkit_notify(net->config->channel);
    } else {
        virtio_device_schedule(device, 1u << TX);
    }
}

static void net_idle(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    if (virtio_device_running(device) && net_moderation_poll(&net->moderation)) {
        virtio_device_schedule(device, 1u << TX);
    }
}

static void net_start(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    if (net->config->vhost) {
        net_vhost_start(&net->vhost, device->driver_features);
    } else {
        drain(net);
    }
    net_control_start(&net->control, net->config->mac);
    update_accepts(device);
}

static void net_stop(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    net->tx_waits = false;
    net_control_stop(&net->control);
    net_moderation_reset(&net->moderation);
    if (net->config->vhost) {
        net->accepts = 0;
        net_vhost_stop(&net->vhost);
    } else {
        set_accepts(net, 0);
    }
}

static void net_queue_stopped(struct virtio_device *device, uint32_t queue)
{
    struct net *net = (struct net *)device;

    if (net->config->vhost && queue < VHOST_QUEUES) {
        net_vhost_drop(&net->vhost, queue);
    }
}

static void net_reset(struct virtio_device *device)
{
    const struct vmm_interface_config *config = ((struct net *)device)->config;
    struct virtio_net_config space = {
        .status = VIRTIO_NET_S_LINK_UP,
        .max_virtqueue_pairs = 1,
        .mtu = config->mtu,
    };

    memcpy(space.mac, config->mac, sizeof(space.mac));
    virtio_device_set_config(device, 0, &space, sizeof(space));
}

static const struct virtio_device_ops net_ops = {
    .id = VIRTIO_ID_NET,
    .queue_count = QUEUES,
    .queue_size_max = {[RX] = QUEUE_SIZE, [TX] = QUEUE_SIZE, [CONTROL] = NET_CONTROL_QUEUE_SIZE},
    .check_features = net_features_check,
    .start = net_start,
    .stop = net_stop,
    .reset = net_reset,
    .queue_stopped = net_queue_stopped,
    .work = net_work,
    .notified = net_notified,
    .timer_expired = net_timer_expired,
    .idle = net_idle,
};

static void init_rings(struct net *net)
{
    const struct vmm_interface_config *config = net->config;
    uint32_t record_max = RING_RECORD_MAX(config->ring_size);

    net->shared_accepts =
        (uint32_t *)(void *)((uint8_t *)config->from_switch + NET_PORT_ACCEPTS_OFFSET);
    net->record_max = HEADER + NET_GSO_FRAME_MAX;
    if (net->record_max > record_max) {
        net->record_max = record_max;
    }
    ring_init(&net->to_switch, config->to_switch, config->ring_size);
    ring_init(&net->from_switch, config->from_switch, config->ring_size);
}

struct virtio_device *virtio_net_init(uint32_t index, const struct vmm_interface_config *config,
                                      const struct guest_memory *memory)
{
    struct net *net = &nets[index];
    struct net_vhost *vhost = config->vhost ? &net->vhost : NULL;
    /* Large segments need rings that can hold one. */
    bool large = config->vhost || RING_RECORD_MAX(config->ring_size) >= HEADER + NET_GSO_FRAME_MAX;

    net->config = config;
    net_moderation_init(&net->moderation, &net->device, vhost);
    net_control_init(&net->control, &net->device, vhost, update_accepts);
    if (config->vhost) {
        net_vhost_init(&net->vhost, config->channel, config->vhost_page);
    } else {
        init_rings(net);
    }
    net->device.ops = &net_ops;
    net->device.name = names[index];
    net->device.features = net_features_offered(config->mtu, large);
    virtio_device_init(&net->device, memory, config->registers, config->gpa, config->intid);
    return &net->device;
}
