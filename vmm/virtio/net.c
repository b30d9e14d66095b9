/* SPDX-License-Identifier: BSD-2-Clause */

#include "net.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <microkit.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include "lib/cpu.h"
#include "lib/log.h"
#include "lib/net_buffers.h"
#include "lib/net_filter.h"
#include "lib/net_header.h"
#include "lib/net_port.h"
#include "lib/offload.h"
#include "lib/ring.h"
#include "net_vhost.h"
#include "vmm/throttle.h"
#include "vmm/timer.h"

enum { RX = VHOST_RX, TX = VHOST_TX, CONTROL, QUEUES };

#define QUEUE_SIZE         1024u
#define CONTROL_QUEUE_SIZE 64u

#define HEADER            NET_HEADER_SIZE
#define MTU_MIN           68u                /* of virtio 1.2, 5.1.4.1 */
#define CONTROL_BYTES_MAX VHOST_COMMAND_SIZE /* what is looked at of a command */

/*
 * Work per turn: enough to make the cost of a turn small, little enough to let others have one. A
 * frame to send costs one, and one more for each 32 descriptors that it is read from; one to be
 * received takes no more than NET_SEGMENTS_MAX.
 */
#define RX_BUDGET          256u
#define TX_BUDGET          256u
#define TX_WORK_COST_SHIFT 5
#define CONTROL_BUDGET     16u

#define GUEST_OFFLOADS                                                                             \
    (VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) |           \
     VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN) |            \
     VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_USO4) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_USO6))

/* How soon a guest hears of what it has sent: at the latest, if it sleeps, and if it may have to.
 */
#define COALESCING_PER_SECOND         250u
#define COALESCING_PARKED_PER_SECOND  500u
#define COALESCING_BLOCKED_PER_SECOND 2500u
#define OUTSTANDING_MANY              16u /* frames */

/* A transmit queue with something to send so soon after the last time is busy, */
#define BUSY_PER_SECOND 250u
/* and looked at so often, at least, while the guest runs. */
#define POLLS_PER_SECOND 1000u

#define HOST_GSO                                                                                   \
    (VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6) |             \
     VIRTIO_FEATURE(VIRTIO_NET_F_HOST_ECN) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_USO))

struct net {
    struct virtio_device device; /* first: the transport hands this back */
    const struct vmm_interface_config *config;
    struct net_vhost vhost; /* with config->vhost, in place of the rings */
    struct ring to_switch;
    struct ring from_switch;
    uint32_t work_paid; /* of vhost's page: up to here the machine has paid for it */
    uint32_t *shown;    /* `accepts` as the switch reads it, in the region from it */
    uint32_t accepts;   /* NET_PORT_* */
    uint64_t offloads;  /* VIRTIO_NET_F_GUEST_* bits that the driver has on */
    uint32_t record_max;
    uint64_t sent_at;      /* when the guest has last had something to send; in ticks */
    uint16_t available;    /* the transmit queue's index then, */
    uint16_t received;     /* and of buffers that had been received in */
    bool polling;          /* the transmit queue is looked at without being kicked */
    bool sent_large;       /* in this turn */
    bool coalescing;       /* the guest will be told later of what has been sent, */
    bool coalescing_short; /* but not that late, if it sleeps */
    bool tx_waits;         /* for room in the ring to the switch */
    bool asked_promiscuous;
    bool reported_ring;
    struct net_filter filter;
};

static struct net nets[VMM_MAX_INTERFACES];

static const char *const names[] = {"net0", "net1", "net2", "net3", "net4", "net5", "net6", "net7"};
_Static_assert(sizeof(names) / sizeof(names[0]) == VMM_MAX_INTERFACES, "a name for each");

/* A PD has one thread, so these need not be one per device. */
static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];
static struct net_buffers buffers;

/* ---- What the switch is told ---- */

static void set_accepts(struct net *net, uint32_t accepts)
{
    net->accepts = accepts;
    if (net->config->vhost) {
        net_vhost_accepts(&net->vhost, accepts);
        return;
    }
    *(volatile uint32_t *)net->shown = accepts;
    atomic_thread_fence(memory_order_seq_cst);
}

static void update_accepts(struct net *net)
{
    static const struct {
        uint64_t features; /* all of them */
        uint32_t accepts;
    } meaning[] = {
        {VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM), NET_PORT_CSUM},
        {VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4), NET_PORT_TSO4},
        {VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6), NET_PORT_TSO6},
        {VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN), NET_PORT_ECN},
        {VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_USO4) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_USO6),
         NET_PORT_USO},
    };
    uint32_t accepts = 0;

    if (virtio_device_running(&net->device)) {
        accepts = NET_PORT_UP;
        for (size_t i = 0; i < sizeof(meaning) / sizeof(meaning[0]); i++) {
            if ((net->offloads & meaning[i].features) == meaning[i].features) {
                accepts |= meaning[i].accepts;
            }
        }
        if (net->asked_promiscuous) {
            accepts |= NET_PORT_PROMISC;
        }
    }
    set_accepts(net, accepts);
}

/* ---- When the guest is told, and looked at ---- */

/*
 * Small frames that have been sent are given back with what the guest receives next, or when they
 * are many, or after a while; sooner, if the guest sleeps. A guest that sends one at a time would
 * otherwise be interrupted for each, only to free its memory; and one that outruns its receiver,
 * with which it shares the processor, is held up by what it may have under way, as a wire would
 * hold it up. Large ones are given back at once, but the guest is not told before the small ones
 * are: it sees that when it sends the next, and so sends as much as its peer's window allows.
 */
static void start_coalescing(struct net *net)
{
    uint64_t second = cpu_counter_frequency();
    uint16_t outstanding = (uint16_t)(net->available - virtqueue_used(&net->device.queue[TX]));
    bool many = outstanding >= OUTSTANDING_MANY;

    if (net->coalescing && (net->coalescing_short || !many)) {
        return;
    }
    timer_set_coalescing(second / COALESCING_PER_SECOND,
                         second /
                             (many ? COALESCING_BLOCKED_PER_SECOND : COALESCING_PARKED_PER_SECOND));
    net->coalescing_short = many;
    if (net->config->vhost && !net->coalescing) {
        net_vhost_set_coalescing(&net->vhost, true);
    }
    net->coalescing = true;
}

static void end_coalescing(struct net *net)
{
    net->coalescing = false;
    if (net->config->vhost) {
        net_vhost_set_coalescing(&net->vhost, false);
    }
}

static void signal_sent(struct net *net)
{
    if (virtqueue_flush(&net->device.queue[TX])) {
        virtio_device_interrupt(&net->device);
    }
}

/*
 * A transmit queue that is busy is looked at without having been kicked: when the guest goes idle,
 * when there are some more frames, and in any case soon. But not if frames go to and fro one at a
 * time: there the other side is to have its frame while this one is not idle yet, for it may have
 * answered by then.
 */
static void set_polling(struct net *net, bool polling)
{
    if (polling) {
        timer_set_polling(cpu_counter_frequency() / POLLS_PER_SECOND);
    }
    if (polling == net->polling) {
        return;
    }
    net->polling = polling;
    if (net->config->vhost) {
        net_vhost_set_polling(&net->vhost, polling);
    }
}

static bool is_busy(const struct net *net, uint64_t now)
{
    return now - net->sent_at < cpu_counter_frequency() / BUSY_PER_SECOND;
}

/* Note that there has been something to send: all that was available now. */
static void count_sent(struct net *net, uint16_t available)
{
    uint16_t received = virtqueue_used(&net->device.queue[RX]);
    bool one_sent = (uint16_t)(available - net->available) == 1;
    bool one_received = (uint16_t)(received - net->received) == 1;
    uint64_t now = cpu_counter();

    net->available = available;
    net->received = received;
    set_polling(net, is_busy(net, now) && !(one_sent && one_received));
    net->sent_at = now;
}

/* What the switch does for a guest is this machine's work: see throttle.h. */
static void charge_work(struct net *net)
{
    uint32_t work = __atomic_load_n(&net->vhost.page->work, __ATOMIC_RELAXED);

    throttle_add(work - net->work_paid);
    net->work_paid = work;
}

static void net_timer_expired(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    if (!net->coalescing && !net->polling) {
        return;
    }
    end_coalescing(net);
    if (!virtio_device_running(device)) {
        return;
    }
    set_polling(net, net->polling && is_busy(net, cpu_counter()));
    if (net->config->vhost) {
        microkit_notify(net->config->channel); /* the switch looks, and tells it */
    } else {
        signal_sent(net);
        virtio_device_schedule(device, 1u << TX);
    }
}

static void net_idle(struct virtio_device *device)
{
    struct net *net = (struct net *)device;
    uint16_t available = virtqueue_available(&device->queue[TX]);

    if (net->polling && virtio_device_running(device) && available != net->available) {
        virtio_device_schedule(device, 1u << TX);
    }
}

/* The switch cannot be trusted to keep a ring in order; say so once, it is for good. */
static void report_broken_ring(struct net *net)
{
    if (!net->reported_ring && (ring_broken(&net->to_switch) || ring_broken(&net->from_switch))) {
        net->reported_ring = true;
        log_printf("%s: the ring to or from the switch is broken: the link is dead",
                   net->device.name);
    }
}

/* ---- Guest to switch ---- */

/* One of the driver's chains, gathered. */
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
    net->sent_large |= count >= TX_PUBLISH_BYTES;
    return true;
}

enum outcome { NO_BUFFERS, BUDGET_SPENT, BLOCKED, FAILED };

/* Move chains into the ring until one of these happens; *needed is what a blocked one takes. */
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
    if (net->sent_large) {
        virtqueue_publish(queue);
    }
    if (available != net->available) {
        count_sent(net, available);
    }
    if (virtqueue_unsignalled(queue) != 0) {
        start_coalescing(net);
    }
    if (outcome == FAILED || virtqueue_unsignalled(queue) >= queue->size / TX_UNSIGNALLED_SHARE) {
        signal_sent(net);
    }
    if (ring_take_data_wanted(&net->to_switch)) {
        microkit_notify(net->config->channel);
    }
    net->tx_waits = false;
    switch (outcome) {
    case NO_BUFFERS:
        return virtqueue_enable_kicks_delayed(queue, net->polling ? TX_POLLING_KICK_DELAY : 0);
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

/* The beginning of a record, as numbers: what is decided on is copied out of shared memory first.
 */
struct record_start {
    struct virtio_net_hdr_v1 header;
    uint32_t destination_low; /* the Ethernet header */
    uint16_t destination_high;
    uint8_t source[6];
    uint32_t type; /* and what follows it, if anything does */
};
_Static_assert(sizeof(struct record_start) == 28, "the record's layout");

/*
 * Check what the switch says of a frame of `length` bytes against what this guest takes, and leave
 * nothing in the header that it should not see. Returns false if it cannot be given the frame.
 */
static bool clean_header(const struct net *net, struct virtio_net_hdr_v1 *header, uint32_t length)
{
    if ((net->offloads & VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM)) != 0) {
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

/*
 * Hand one record to the guest, or drop it. NO_BUFFERS: no buffers, it must wait. BUDGET_SPENT: it
 * is done with, go on.
 */
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
    if (!net_filter_passes(&net->filter,
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
    if (virtqueue_flush(queue)) {
        virtqueue_flush(&net->device.queue[TX]);
        virtio_device_interrupt(&net->device);
    }
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

/* ---- The control queue ---- */

static bool set_offloads(struct net *net, const uint8_t *data, uint32_t length)
{
    uint64_t offloads = 0;

    if (length < sizeof(offloads)) {
        return false;
    }
    for (unsigned i = 0; i < sizeof(offloads); i++) {
        offloads |= (uint64_t)data[i] << (8 * i);
    }
    if ((offloads & ~(net->device.driver_features & GUEST_OFFLOADS)) != 0) {
        return false;
    }
    net->offloads = offloads;
    return true;
}

static bool command_has_feature(const struct net *net, uint8_t class, uint8_t command)
{
    switch (class) {
    case VIRTIO_NET_CTRL_RX:
        return virtio_device_has(&net->device, command <= VIRTIO_NET_CTRL_RX_ALLMULTI
                                                   ? VIRTIO_NET_F_CTRL_RX
                                                   : VIRTIO_NET_F_CTRL_RX_EXTRA);
    case VIRTIO_NET_CTRL_MAC:
        return virtio_device_has(&net->device, command == VIRTIO_NET_CTRL_MAC_TABLE_SET
                                                   ? VIRTIO_NET_F_CTRL_RX
                                                   : VIRTIO_NET_F_CTRL_MAC_ADDR);
    case VIRTIO_NET_CTRL_VLAN:
        return virtio_device_has(&net->device, VIRTIO_NET_F_CTRL_VLAN);
    case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
        return virtio_device_has(&net->device, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
    default:
        return false;
    }
}

/* `data` holds the first `length` bytes of a command of `total`, its class and code included. */
static bool run_command(struct net *net, const uint8_t *data, uint32_t length, uint32_t total)
{
    uint8_t class = data[0];
    uint8_t command = data[1];
    uint32_t header = sizeof(struct virtio_net_ctrl_hdr);
    bool done;

    if (!command_has_feature(net, class, command)) {
        return false;
    }
    data += header;
    length -= header;
    total -= header;
    if (class == VIRTIO_NET_CTRL_GUEST_OFFLOADS) {
        done = command == VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET && set_offloads(net, data, length);
    } else {
        done = net_filter_command(&net->filter, class, command, data, length, total);
        if (done && net->config->vhost) {
            net_vhost_command(&net->vhost, class, command, data, length, total);
        }
    }
    if (done && class == VIRTIO_NET_CTRL_RX && command == VIRTIO_NET_CTRL_RX_PROMISC) {
        net->asked_promiscuous = net->filter.promiscuous;
    }
    if (done && class == VIRTIO_NET_CTRL_MAC && command == VIRTIO_NET_CTRL_MAC_ADDR_SET) {
        virtio_device_set_config(&net->device, 0, data, ETH_ALEN);
    }
    update_accepts(net);
    return done;
}

/* Copy the readable part of a command, as much as fits; returns how many bytes. */
static uint32_t copy_command(uint8_t *to, uint32_t room, const struct virtqueue_chain *chain)
{
    uint32_t copied = 0;

    for (uint32_t i = 0; i < chain->readable && copied < room; i++) {
        uint32_t part = segments[i].length < room - copied ? segments[i].length : room - copied;

        memcpy(to + copied, segments[i].data, part);
        copied += part;
    }
    return copied;
}

/* Returns whether there is more to do at once. */
static bool control(struct net *net)
{
    static uint8_t command[CONTROL_BYTES_MAX];
    struct virtqueue *queue = &net->device.queue[CONTROL];
    bool more = true;

    for (uint32_t budget = CONTROL_BUDGET; more && budget > 0; budget--) {
        struct virtqueue_chain chain;
        uint32_t copied;

        if (virtqueue_pop(queue, segments, VIRTQUEUE_SIZE_MAX, &chain) != VIRTQUEUE_POPPED) {
            more = virtqueue_enable_kicks(queue);
            continue;
        }
        if (chain.writable == 0 || chain.readable_bytes < sizeof(struct virtio_net_ctrl_hdr)) {
            virtqueue_break(queue, "a control command without header or without room to answer");
            break;
        }
        copied = copy_command(command, sizeof(command), &chain);
        segments[chain.readable].data[0] = run_command(net, command, copied, chain.readable_bytes)
                                               ? VIRTIO_NET_OK
                                               : VIRTIO_NET_ERR;
        virtqueue_push(queue, chain.head, 1);
    }
    if (virtqueue_flush(queue)) {
        virtio_device_interrupt(&net->device);
    }
    if (virtqueue_error(queue) != NULL) {
        virtio_device_fail(&net->device, virtqueue_error(queue));
        return false;
    }
    return more;
}

/* ---- vhost: the switch works on the data queues ---- */

/* What the guest has offered is taken for sent: the switch is about to look. */
static void count_offered(struct net *net)
{
    uint16_t available = virtqueue_available(&net->device.queue[TX]);

    if (available != net->available) {
        count_sent(net, available);
        start_coalescing(net);
    }
}

static void kick_switch(struct net *net)
{
    const char *cause = net_vhost_kick(&net->vhost, &net->device);

    if (cause != NULL) {
        virtio_device_fail(&net->device, cause);
        return;
    }
    count_offered(net);
}

static void vhost_notified(struct net *net)
{
    const char *cause = net_vhost_failure(&net->vhost);

    if (net_vhost_take_interrupt(&net->vhost) && virtio_device_running(&net->device)) {
        virtio_device_interrupt(&net->device);
    }
    if (cause != NULL && virtio_device_running(&net->device)) {
        virtio_device_fail(&net->device, cause);
    }
}

/* ---- The device ---- */

static uint32_t net_work(struct virtio_device *device, uint32_t pending)
{
    struct net *net = (struct net *)device;
    uint32_t left = 0;

    if ((pending & 1u << CONTROL) != 0 && control(net)) {
        left |= 1u << CONTROL;
    }
    if (net->config->vhost) {
        charge_work(net);
        kick_switch(net);
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

/* Throw away what is in the ring for a guest that does not run, or that ran before this one. */
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
        charge_work(net);
        vhost_notified(net);
    } else if (virtio_device_running(device)) {
        virtio_device_schedule(device, 1u << RX | (net->tx_waits ? 1u << TX : 0));
    } else {
        drain(net);
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
    net_filter_reset(&net->filter, net->config->mac,
                     virtio_device_has(device, VIRTIO_NET_F_CTRL_VLAN));
    net->offloads = device->driver_features & GUEST_OFFLOADS;
    update_accepts(net);
}

static void net_stop(struct virtio_device *device)
{
    struct net *net = (struct net *)device;

    net->tx_waits = false;
    net->asked_promiscuous = false;
    net->coalescing = false;
    net->polling = false;
    net->available = 0;
    net->received = 0;
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

static bool lacks(uint64_t features, unsigned feature, uint64_t any_of)
{
    return (features >> feature & 1u) != 0 && (features & any_of) == 0;
}

/* The dependencies of 5.1.3.1. */
static const char *net_check_features(uint64_t features)
{
    uint64_t guest_csum = VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM);
    uint64_t guest_tso =
        VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6);
    uint64_t host_csum = VIRTIO_FEATURE(VIRTIO_NET_F_CSUM);
    uint64_t host_tso =
        VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6);
    uint64_t control_queue = VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ);

    if (lacks(features, VIRTIO_NET_F_GUEST_TSO4, guest_csum) ||
        lacks(features, VIRTIO_NET_F_GUEST_TSO6, guest_csum) ||
        lacks(features, VIRTIO_NET_F_GUEST_USO4, guest_csum) ||
        lacks(features, VIRTIO_NET_F_GUEST_USO6, guest_csum)) {
        return "segmentation offload to the guest without its checksum offload";
    }
    if (lacks(features, VIRTIO_NET_F_HOST_TSO4, host_csum) ||
        lacks(features, VIRTIO_NET_F_HOST_TSO6, host_csum) ||
        lacks(features, VIRTIO_NET_F_HOST_USO, host_csum)) {
        return "segmentation offload without checksum offload";
    }
    if (lacks(features, VIRTIO_NET_F_GUEST_ECN, guest_tso) ||
        lacks(features, VIRTIO_NET_F_HOST_ECN, host_tso)) {
        return "ECN without TCP segmentation offload";
    }
    if (lacks(features, VIRTIO_NET_F_CTRL_RX, control_queue) ||
        lacks(features, VIRTIO_NET_F_CTRL_RX_EXTRA, control_queue) ||
        lacks(features, VIRTIO_NET_F_CTRL_VLAN, control_queue) ||
        lacks(features, VIRTIO_NET_F_CTRL_MAC_ADDR, control_queue) ||
        lacks(features, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, control_queue)) {
        return "control commands without the control queue";
    }
    return NULL;
}

static const struct virtio_device_ops net_ops = {
    .id = VIRTIO_ID_NET,
    .queue_count = QUEUES,
    .queue_size_max = {[RX] = QUEUE_SIZE, [TX] = QUEUE_SIZE, [CONTROL] = CONTROL_QUEUE_SIZE},
    .check_features = net_check_features,
    .start = net_start,
    .stop = net_stop,
    .reset = net_reset,
    .queue_stopped = net_queue_stopped,
    .work = net_work,
    .notified = net_notified,
    .timer_expired = net_timer_expired,
    .idle = net_idle,
};

static uint64_t offered_features(const struct vmm_interface_config *config)
{
    uint64_t features =
        VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
        VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_FEATURE(VIRTIO_NET_F_MAC) |
        VIRTIO_FEATURE(VIRTIO_NET_F_STATUS) | VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) |
        VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ) |
        VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX_EXTRA) |
        VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VLAN) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) |
        VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM);

    if (config->mtu >= MTU_MIN) {
        features |= VIRTIO_FEATURE(VIRTIO_NET_F_MTU);
    }
    /* Large segments need rings that can hold one. */
    if (config->vhost || RING_RECORD_MAX(config->ring_size) >= HEADER + NET_GSO_FRAME_MAX) {
        features |= HOST_GSO | GUEST_OFFLOADS;
    }
    return features;
}

static void init_rings(struct net *net)
{
    const struct vmm_interface_config *config = net->config;
    uint32_t record_max = RING_RECORD_MAX(config->ring_size);

    net->shown = (uint32_t *)(void *)((uint8_t *)config->from_switch + NET_PORT_ACCEPTS_OFFSET);
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

    net->config = config;
    if (config->vhost) {
        net_vhost_init(&net->vhost, config->channel, config->vhost_page);
    } else {
        init_rings(net);
    }
    net->device.ops = &net_ops;
    net->device.name = names[index];
    net->device.features = offered_features(config);
    virtio_device_init(&net->device, memory, config->registers, config->gpa, config->intid);
    return &net->device;
}
