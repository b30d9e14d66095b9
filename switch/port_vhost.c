/* SPDX-License-Identifier: BSD-2-Clause */

#include "port_vhost.h"

#include <stddef.h>
#include <string.h>
#include "lib/guest_memory.h"
#include "lib/log.h"
#include "lib/net_buffers.h"
#include "lib/net_filter.h"
#include "lib/net_header.h"
#include "lib/tx_moderation.h"
#include "lib/vhost.h"
#include "lib/virtqueue.h"

#define RECORD_MAX (NET_HEADER + NET_GSO_FRAME_MAX)

/* The state of each port on this data path, by the port's index. */
static struct vhost {
    struct guest_memory memory;
    struct virtqueue queue[VHOST_QUEUES];
    struct vhost_page *page;
    struct net_filter filter;
    uint64_t features;
    uint32_t accepts; /* 0 unless the port is started */
    uint16_t head;    /* of the chain that has been peeked */
    bool large;       /* that chain is to be published at once */
    bool started;
    bool mergeable;
    bool sent_large; /* in this turn: what has been sent is published at its end */
} vhosts[SWITCH_MAX_PORTS];

/* The switch handles one frame at a time, so all ports share these. */
static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];
static uint8_t gathered[RECORD_MAX];
static struct net_buffers buffers;

static struct vhost *vhost_of(const struct port *port)
{
    return &vhosts[port->index];
}

/* ---- Guest to switch ---- */

/*
 * Copy the first bytes of a chain, at most as many as a head has. The guest may change them at any
 * time, so each is read once, and the compiler must not read it again.
 */
static void copy_head(struct frame_head *head, uint32_t count)
{
    uint32_t copied = 0;

    for (uint32_t i = 0; copied < sizeof(*head) && copied < count; i++) {
        uint32_t part = segments[i].length;

        part = part < sizeof(*head) - copied ? part : (uint32_t)sizeof(*head) - copied;
        memcpy((uint8_t *)head + copied, segments[i].data, part);
        copied += part;
    }
    memset((uint8_t *)head + copied, 0, sizeof(*head) - copied);
    __asm__ volatile("" ::: "memory");
}

/* Copy the chain into one piece. */
static void gather(struct frame *frame, uint32_t readable)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < readable; i++) {
        memcpy(gathered + at, segments[i].data, segments[i].length);
        at += segments[i].length;
    }
    frame->segments[0] = (struct frame_segment){gathered + NET_HEADER, at - NET_HEADER};
    frame->segment_count = 1;
}

/* Refer to the chain's segments where they are, without the header in front. */
static void refer(struct frame *frame, uint32_t readable)
{
    uint32_t skip = NET_HEADER;
    uint32_t count = 0;

    for (uint32_t i = 0; i < readable; i++) {
        if (skip >= segments[i].length) {
            skip -= segments[i].length;
            continue;
        }
        if (count == FRAME_SEGMENTS_MAX) {
            gather(frame, readable);
            return;
        }
        frame->segments[count].bytes = segments[i].data + skip;
        frame->segments[count].length = segments[i].length - skip;
        count++;
        skip = 0;
    }
    frame->segment_count = count;
}

static void describe(const struct port *port, struct frame *frame,
                     const struct virtqueue_chain *chain)
{
    const struct vhost *vhost = vhost_of(port);
    uint32_t count = chain->readable_bytes;

    frame->error = NULL;
    frame->work = chain->readable;
    frame->segment_count = 0;
    frame->length = count > NET_HEADER ? count - NET_HEADER : 0;
    if (frame->length < NET_FRAME_MIN) {
        return; /* too short for anything to be looked at */
    }
    if (count > RECORD_MAX) {
        frame->error = "it is too long";
        return;
    }
    copy_head(&frame->head, count);
    frame->error = net_header_sanitize(&frame->head.net, frame->length, vhost->features, port->mtu);
    if (frame->error == NULL) {
        refer(frame, chain->readable);
    }
}

EACH_FRAME static bool vhost_peek(struct port *port, struct frame *frame)
{
    struct vhost *vhost = vhost_of(port);
    struct virtqueue *queue = &vhost->queue[VHOST_TX];
    struct virtqueue_chain chain;

    virtqueue_disable_kicks(queue);
    if (virtqueue_pop(queue, segments, VIRTQUEUE_SIZE_MAX, &chain) != VIRTQUEUE_POPPED) {
        return false;
    }
    if (chain.writable != 0) {
        virtqueue_break(queue, "a frame to send in a writable buffer");
        return false;
    }
    vhost->head = chain.head;
    vhost->large = tx_moderation_publishes(chain.readable_bytes);
    describe(port, frame, &chain);
    return true;
}

static void vhost_release(struct port *port)
{
    struct vhost *vhost = vhost_of(port);

    virtqueue_push(&vhost->queue[VHOST_TX], vhost->head, 0);
    vhost->sent_large |= vhost->large;
}

static bool vhost_await(struct port *port)
{
    struct vhost *vhost = vhost_of(port);
    bool polling = __atomic_load_n(&vhost->page->polling, __ATOMIC_RELAXED) != 0;

    return tx_moderation_enable_kicks(&vhost->queue[VHOST_TX], polling);
}

/* ---- Switch to guest ---- */

static void write_rest(const struct frame *frame)
{
    uint32_t skip = frame->skip;

    for (uint32_t i = 0; i < frame->segment_count; i++) {
        const struct frame_segment *segment = &frame->segments[i];

        if (skip >= segment->length) {
            skip -= segment->length;
            continue;
        }
        net_buffers_write(&buffers, segment->bytes + skip, segment->length - skip);
        skip = 0;
    }
}

/* The receive filter decides by the destination, and by the VLAN's tag if there is one. */
static bool passes_filter(const struct vhost *vhost, const struct frame_head *head)
{
    return net_filter_passes(&vhost->filter, frame_destination(head), (uint32_t)head->words[3]);
}

/*
 * One copy, from the sender's buffers to the receiver's. A frame that the guest's receive filter
 * rejects counts as sent: the guest's own card drops it.
 */
EACH_FRAME static enum port_result vhost_send(struct port *port, const struct frame_head *head,
                                              uint32_t head_length, const struct frame *frame)
{
    struct vhost *vhost = vhost_of(port);
    struct virtqueue *queue = &vhost->queue[VHOST_RX];
    uint32_t needed = head_length + frame->length - frame->skip;
    struct frame_head final = *head;

    if (!passes_filter(vhost, head)) {
        return PORT_SENT;
    }
    virtqueue_disable_kicks(queue);
    switch (net_buffers_collect(&buffers, queue, vhost->mergeable, needed)) {
    case NET_COLLECTED:
        break;
    case NET_UNSUITED:
        return PORT_UNSUITED;
    default:
        return PORT_FULL;
    }
    final.net.num_buffers = (uint16_t)buffers.count;
    net_buffers_write(&buffers, &final, head_length);
    write_rest(frame);
    net_buffers_push(&buffers, queue);
    return PORT_SENT;
}

/* ---- Both ---- */

/* Stop using the guest's memory. */
static void stop(struct vhost *vhost)
{
    vhost->started = false;
    vhost->accepts = 0;
    vhost->features = 0;
    for (uint32_t q = 0; q < VHOST_QUEUES; q++) {
        virtqueue_disable(&vhost->queue[q]);
    }
}

/* The driver has broken the protocol. Tell its monitor, which reports it and starts again. */
static void fail(struct vhost *vhost, const char *cause)
{
    size_t length = strlen(cause);

    if (length >= VHOST_CAUSE_SIZE) {
        length = VHOST_CAUSE_SIZE - 1;
    }
    memcpy(vhost->page->cause, cause, length);
    vhost->page->cause[length] = '\0';
    stop(vhost);
    __atomic_store_n(&vhost->page->failed, 1, __ATOMIC_RELEASE);
}

/* Whether sent frames are to be signalled after this batch: vmm/virtio/net_moderation.h. */
static bool signals_sent(const struct vhost *vhost)
{
    return __atomic_load_n(&vhost->page->coalescing, __ATOMIC_RELAXED) == 0 ||
           tx_moderation_signal_due(&vhost->queue[VHOST_TX]);
}

static bool vhost_finish(struct port *port)
{
    struct vhost *vhost = vhost_of(port);
    bool wanted = virtqueue_flush(&vhost->queue[VHOST_RX]);

    /* Sent frames are signalled with received ones, or when they are many, or when it is time. */
    if (wanted || signals_sent(vhost)) {
        wanted |= virtqueue_flush(&vhost->queue[VHOST_TX]);
    } else if (vhost->sent_large) {
        virtqueue_publish(&vhost->queue[VHOST_TX]);
    }
    vhost->sent_large = false;
    for (uint32_t q = 0; q < VHOST_QUEUES; q++) {
        const char *cause = virtqueue_error(&vhost->queue[q]);

        if (cause != NULL) {
            fail(vhost, cause);
            return true;
        }
    }
    return wanted && __atomic_exchange_n(&vhost->page->interrupt, 1, __ATOMIC_SEQ_CST) == 0;
}

static bool vhost_broken(const struct port *port)
{
    (void)port; /* a guest that has broken its queues gets new ones when it resets its card */
    return false;
}

static const struct port_ops vhost_ops = {
    .peek = vhost_peek,
    .release = vhost_release,
    .send = vhost_send,
    .finish = vhost_finish,
    .await = vhost_await,
    .broken = vhost_broken,
};

const char *port_vhost_attach(struct port *port)
{
    const struct switch_port_config *config = port->config;
    struct vhost *vhost = vhost_of(port);

    memset(vhost, 0, sizeof(*vhost));
    if (config->ram == NULL || config->ram_size == 0 || config->vhost_page == NULL) {
        return "its guest's memory is not here";
    }
    vhost->memory = (struct guest_memory){config->ram, config->ram_gpa, config->ram_size};
    vhost->page = config->vhost_page;
    port->work = &vhost->page->work;
    port->outside = &vhost->page->outside;
    port->accepts = &vhost->accepts;
    port->ops = &vhost_ops;
    return NULL;
}

/* ---- The monitor's calls ---- */

static bool has(const struct vhost *vhost, unsigned feature)
{
    return (vhost->features >> feature & 1u) != 0;
}

static bool start(struct vhost *vhost, const uint8_t mac[6], uint64_t features)
{
    stop(vhost);
    vhost->started = true;
    vhost->features = features;
    vhost->mergeable = has(vhost, VIRTIO_NET_F_MRG_RXBUF);
    net_filter_reset(&vhost->filter, mac, has(vhost, VIRTIO_NET_F_CTRL_VLAN));
    return true;
}

static bool take_queue(struct vhost *vhost, const uint64_t *words)
{
    if (!vhost->started || words[0] >= VHOST_QUEUES || words[1] > VIRTQUEUE_SIZE_MAX) {
        return false;
    }

    const char *cause = virtqueue_enable(&vhost->queue[words[0]], &vhost->memory, vhost->features,
                                         (uint32_t)words[1], words[2], words[3], words[4]);

    return cause == NULL;
}

static bool drop_queue(struct vhost *vhost, uint64_t queue)
{
    if (queue >= VHOST_QUEUES) {
        return false;
    }
    virtqueue_disable(&vhost->queue[queue]);
    return true;
}

static bool set_accepts(struct vhost *vhost, uint64_t accepts)
{
    if (!vhost->started) {
        return false;
    }
    vhost->accepts = (uint32_t)accepts;
    return true;
}

static bool set_filter(struct vhost *vhost, const uint64_t *words)
{
    static uint8_t data[VHOST_COMMAND_SIZE];
    uint64_t length = words[2];

    if (!vhost->started || words[0] > UINT8_MAX || words[1] > UINT8_MAX || length > sizeof(data) ||
        words[3] < length || words[3] > UINT32_MAX) {
        return false;
    }
    memcpy(data, vhost->page->command, length);
    return net_filter_command(&vhost->filter, (uint8_t)words[0], (uint8_t)words[1], data,
                              (uint32_t)length, (uint32_t)words[3]);
}

static bool call(struct port *port, uint64_t label, const uint64_t *words)
{
    struct vhost *vhost = vhost_of(port);

    switch (label) {
    case VHOST_START:
        return start(vhost, port->config->mac, words[0]);
    case VHOST_QUEUE:
        return take_queue(vhost, words);
    case VHOST_DROP:
        return drop_queue(vhost, words[0]);
    case VHOST_STOP:
        stop(vhost);
        return true;
    case VHOST_ACCEPTS:
        return set_accepts(vhost, words[0]);
    default:
        return set_filter(vhost, words);
    }
}

uint64_t port_vhost_call(struct port *port, uint64_t label, const uint64_t *words, uint32_t count)
{
    static const uint8_t counts[] = {
        [VHOST_START] = 1, [VHOST_QUEUE] = 5,   [VHOST_DROP] = 1,
        [VHOST_STOP] = 0,  [VHOST_ACCEPTS] = 1, [VHOST_COMMAND] = 4,
    };

    if (label < VHOST_START || label > VHOST_COMMAND || count != counts[label]) {
        return VHOST_REFUSED;
    }
    return call(port, label, words) ? VHOST_OK : VHOST_REFUSED;
}
