/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_isolated.h"

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
#include "lib/notify.h"
#include "lib/offload.h"
#include "vmm/throttle.h"

enum { RX = VHOST_RX, TX = VHOST_TX };

#define HEADER NET_HEADER_SIZE

/*
 * Work per turn: enough to make the cost of a turn small, little enough to let others have one. A
 * frame to send costs one, and one more for each 32 descriptors that it is read from; one to be
 * received takes no more than NET_SEGMENTS_MAX.
 */
#define RX_BUDGET          256u
#define TX_BUDGET          256u
#define TX_WORK_COST_SHIFT 5

/* A PD has one thread, so the cards share these. */
static struct net_buffers buffers;

/* ---- Guest to switch ---- */

/* Copy a chain's segments into one piece. */
static void gather(uint8_t *to, const struct virtqueue_segment *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy(to, from[i].data, from[i].length);
        to += from[i].length;
    }
}

static void drop_tx(const struct net_isolated *path, uint32_t count, const char *cause)
{
    log_limited("%s: frame of %u bytes dropped: %s", path->device->name,
                count > HEADER ? (unsigned)(count - HEADER) : 0u, cause);
}

/* Send one chain. Returns false, having done nothing, if the ring has no room for it. */
static bool send(struct net_isolated *path, const struct virtqueue_segment *segments,
                 const struct virtqueue_chain *chain)
{
    uint32_t count = chain->readable_bytes;
    const char *cause;
    void *record;

    if (count < HEADER + NET_FRAME_MIN) {
        drop_tx(path, count, "it is too short");
        return true;
    }
    if (count > path->record_max) {
        drop_tx(path, count, "it is too long");
        return true;
    }
    record = ring_reserve(&path->to_switch, count);
    if (record == NULL) {
        return false;
    }
    gather(record, segments, chain->readable);
    /* Nobody else sees the record yet, whose header holds nothing but what has been checked. */
    cause = net_header_sanitize(record, count - HEADER, path->device->driver_features,
                                path->config->mtu);
    if (cause != NULL) {
        drop_tx(path, count, cause);
        return true;
    }
    ring_commit(&path->to_switch);
    path->sent_large |= tx_moderation_publishes(count);
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
static enum outcome send_batch(struct net_isolated *path, struct virtqueue *queue,
                               struct virtqueue_segment *segments, uint32_t *needed)
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
        if (!send(path, segments, &chain)) {
            virtqueue_unpop(queue, 1);
            *needed = chain.readable_bytes;
            return BLOCKED;
        }
        virtqueue_push(queue, chain.head, 0);
        spent += 1 + (chain.readable >> TX_WORK_COST_SHIFT);
    }
    return BUDGET_SPENT;
}

/* What the switch has worked for this port since the last call. */
static uint32_t take_work(struct net_isolated *path)
{
    uint32_t work = __atomic_load_n(path->shared_work, __ATOMIC_RELAXED);
    uint32_t since = work - path->charged;

    path->charged = work;
    return since;
}

/* Charge for what the switch has worked for this port while the monitor waited. */
static void charge_work(struct net_isolated *path)
{
    throttle_add(take_work(path));
}

/*
 * The switch is to forward what has been sent. A frame alone may be a question: it goes on when the
 * guest that asks is ready again, so that the one that answers runs in front of it. More than one
 * is a stream, whose receiver keeps up better the sooner it is told.
 */
static void notify_switch(struct net_isolated *path, uint16_t sent)
{
    if (sent == 1) {
        notify_at_end(path->config->channel);
    } else {
        microkit_notify(path->config->channel);
        take_work(path); /* it is part of this event */
    }
}

/* Returns whether there is more to do at once. */
static bool transmit(struct net_isolated *path, struct virtqueue_segment *segments)
{
    struct virtqueue *queue = &path->device->queue[TX];
    uint16_t available = virtqueue_available(queue);
    uint16_t unsignalled = virtqueue_unsignalled(queue);
    uint16_t sent;
    uint32_t needed = 0;
    enum outcome outcome;

    charge_work(path);
    virtqueue_disable_kicks(queue);
    path->sent_large = false;
    outcome = send_batch(path, queue, segments, &needed);
    sent = (uint16_t)(virtqueue_unsignalled(queue) - unsignalled);
    net_moderation_transmitted(path->moderation, available, path->sent_large);
    if (ring_take_data_wanted(&path->to_switch)) {
        notify_switch(path, sent);
    }
    path->tx_waits = false;
    switch (outcome) {
    case NO_BUFFERS:
        return net_moderation_enable_kicks(path->moderation);
    case BLOCKED: /* kicks stay off: nothing can be done before the switch says so */
        path->tx_waits = !ring_await_space(&path->to_switch, needed);
        return !path->tx_waits;
    case FAILED:
        virtio_device_fail(path->device, virtqueue_error(queue));
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
static bool clean_header(const struct net_isolated *path, struct virtio_net_hdr_v1 *header,
                         uint32_t length)
{
    if ((path->control->offloads & VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM)) != 0) {
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
    return offload_check_header(header, length) == NULL && offload_accepted(header, path->accepts);
}

/* Deliver a record to the guest, or drop it: BUDGET_SPENT. With NO_BUFFERS it has to wait. */
static enum outcome deliver(struct net_isolated *path, const void *record, uint32_t count)
{
    struct virtqueue *queue = &path->device->queue[RX];
    bool mergeable = virtio_device_has(path->device, VIRTIO_NET_F_MRG_RXBUF);
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
    if (!net_filter_passes(&path->control->filter,
                           start.destination_low | (uint64_t)start.destination_high << 32,
                           start.type) ||
        !clean_header(path, &start.header, count - HEADER)) {
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
        log_limited("%s: a frame of %u bytes dropped: the guest's buffers are too small",
                    path->device->name, (unsigned)(count - HEADER));
        return BUDGET_SPENT;
    }
    start.header.num_buffers = (uint16_t)buffers.count;
    net_buffers_write(&buffers, &start.header, HEADER);
    net_buffers_write(&buffers, frame, count - HEADER);
    net_buffers_push(&buffers, queue);
    return BUDGET_SPENT;
}

static enum outcome receive_batch(struct net_isolated *path)
{
    for (uint32_t budget = RX_BUDGET; budget > 0; budget--) {
        uint32_t count;
        const void *record = ring_peek(&path->from_switch, &count);
        enum outcome outcome;

        if (record == NULL) {
            return BLOCKED;
        }
        outcome = deliver(path, record, count);
        if (outcome != BUDGET_SPENT) {
            return outcome;
        }
        ring_release(&path->from_switch);
    }
    return BUDGET_SPENT;
}

/* Returns whether there is more to do at once. */
static bool receive(struct net_isolated *path)
{
    struct virtqueue *queue = &path->device->queue[RX];
    enum outcome outcome;

    virtqueue_disable_kicks(queue);
    outcome = receive_batch(path);
    net_moderation_received(path->moderation);
    if (ring_take_space_wanted(&path->from_switch)) {
        microkit_notify(path->config->channel);
    }
    switch (outcome) {
    case NO_BUFFERS: /* the record waits in the ring until the guest has refilled its queue */
        return virtqueue_enable_kicks(queue);
    case BLOCKED:
        return ring_await_data(&path->from_switch);
    case FAILED:
        virtio_device_fail(path->device, virtqueue_error(queue));
        return false;
    default:
        return true;
    }
}

/* ---- The path ---- */

/* The switch is not trusted to keep a ring in order. Report it once: a ring stays broken. */
static void report_broken_ring(struct net_isolated *path)
{
    if (!path->reported_broken &&
        (ring_broken(&path->to_switch) || ring_broken(&path->from_switch))) {
        path->reported_broken = true;
        log_printf("%s: the ring to or from the switch is broken: the link is dead",
                   path->device->name);
    }
}

/* Drop the records for a guest that does not run, or that ran before this one. */
static void drain(struct net_isolated *path)
{
    uint32_t count;

    for (uint32_t i = 0; i < path->config->ring_size / RING_RECORD_ALIGN; i++) {
        if (ring_peek(&path->from_switch, &count) == NULL) {
            break;
        }
        ring_release(&path->from_switch);
    }
}

void net_isolated_init(struct net_isolated *path, struct virtio_device *device,
                       const struct vmm_interface_config *config, struct net_moderation *moderation,
                       const struct net_control *control)
{
    uint32_t record_max = RING_RECORD_MAX(config->ring_size);

    path->device = device;
    path->config = config;
    path->moderation = moderation;
    path->control = control;
    path->shared_accepts =
        (uint32_t *)(void *)((uint8_t *)config->from_switch + NET_PORT_ACCEPTS_OFFSET);
    path->shared_work = (const uint32_t *)(const void *)((const uint8_t *)config->from_switch +
                                                         NET_PORT_WORK_OFFSET);
    path->record_max = HEADER + NET_GSO_FRAME_MAX;
    if (path->record_max > record_max) {
        path->record_max = record_max;
    }
    ring_init(&path->to_switch, config->to_switch, config->ring_size);
    ring_init(&path->from_switch, config->from_switch, config->ring_size);
}

void net_isolated_start(struct net_isolated *path)
{
    drain(path);
}

void net_isolated_stop(struct net_isolated *path)
{
    path->tx_waits = false;
    net_isolated_accepts(path, 0);
}

void net_isolated_accepts(struct net_isolated *path, uint32_t accepts)
{
    path->accepts = accepts;
    *(volatile uint32_t *)path->shared_accepts = accepts;
    atomic_thread_fence(memory_order_seq_cst);
}

uint32_t net_isolated_work(struct net_isolated *path, uint32_t pending,
                           struct virtqueue_segment *segments)
{
    uint32_t left = 0;

    if ((pending & 1u << TX) != 0 && transmit(path, segments)) {
        left |= 1u << TX;
    }
    /* What breaks the one queue stops the device, and so the work on the other. */
    if ((pending & 1u << RX) != 0 && virtio_device_running(path->device) && receive(path)) {
        left |= 1u << RX;
    }
    report_broken_ring(path);
    return left;
}

void net_isolated_notified(struct net_isolated *path)
{
    charge_work(path);
    if (virtio_device_running(path->device)) {
        virtio_device_schedule(path->device, 1u << RX | (path->tx_waits ? 1u << TX : 0));
    } else {
        drain(path);
    }
}
