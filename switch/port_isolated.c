/* SPDX-License-Identifier: BSD-2-Clause */

/* A port whose monitor shares a pair of record rings with the switch: see lib/net_port.h. */

#include <stddef.h>
#include <string.h>
#include "port.h"

/*
 * The head of a record, each word read once. A record's payload lies in whole lines of
 * RING_RECORD_ALIGN bytes, so the words are there even if the record is shorter.
 */
static void copy_head(struct frame_head *head, const void *record)
{
    const volatile uint64_t *from = record;

    head->words[0] = from[0];
    head->words[1] = from[1];
    head->words[2] = from[2];
    head->words[3] = from[3];
}

EACH_FRAME static bool isolated_peek(struct port *port, struct frame *frame)
{
    uint32_t count;
    const uint8_t *record = ring_peek(&port->from, &count);

    if (record == NULL) {
        return false;
    }
    frame->error = NULL;
    frame->work = 0;
    frame->segment_count = 1;
    if (count <= NET_HEADER) {
        frame->length = 0;
        return true;
    }
    copy_head(&frame->head, record);
    frame->length = count - NET_HEADER;
    frame->segments[0].bytes = record + NET_HEADER;
    frame->segments[0].length = frame->length;
    return true;
}

EACH_FRAME static void isolated_release(struct port *port)
{
    ring_release(&port->from);
}

static bool uplink_look_behind(struct port *port, struct port_follower *follower)
{
    struct virtio_net_hdr_v1 net;
    uint32_t count;
    const uint8_t *record = ring_peek_behind(&port->from, &count);

    if (record == NULL || count < NET_HEADER + NET_FRAME_MIN) {
        return false;
    }
    memcpy(&net, record, sizeof(net));
    if ((net.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 || net.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        return false;
    }
    follower->bytes = record + NET_HEADER;
    follower->length = count - NET_HEADER;
    follower->verified = (net.flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0;
    return true;
}

static void uplink_take(struct port *port, const struct port_follower *follower)
{
    ring_open_behind(&port->from, NET_HEADER + follower->length);
}

/* Of a frame in several pieces. Small ones have one, and shall not save registers for this. */
static __attribute__((noinline)) void copy_pieces(uint8_t *to, const struct frame *frame)
{
    uint32_t skip = frame->skip;

    for (uint32_t i = 0; i < frame->segment_count; i++) {
        const struct frame_segment *segment = &frame->segments[i];

        if (skip >= segment->length) {
            skip -= segment->length;
            continue;
        }
        memcpy(to, segment->bytes + skip, segment->length - skip);
        to += segment->length - skip;
        skip = 0;
    }
}

EACH_FRAME enum port_result port_write_record(struct ring *ring, const struct frame_head *head,
                                              uint32_t head_length, const struct frame *frame)
{
    uint32_t count = head_length + frame->length - frame->skip;
    uint8_t *record = ring_reserve(ring, count);

    if (record == NULL) {
        return PORT_FULL;
    }
    /* Write the whole head at once; the rest overwrites its surplus. */
    *(struct frame_head *)(void *)record = *head;
    if (frame->segment_count == 1) {
        memcpy(record + head_length, frame->segments[0].bytes + frame->skip,
               frame->length - frame->skip);
    } else {
        copy_pieces(record + head_length, frame);
    }
    ring_commit(ring);
    return PORT_SENT;
}

static enum port_result isolated_send(struct port *port, const struct frame_head *head,
                                      uint32_t head_length, const struct frame *frame)
{
    return port_write_record(&port->to, head, head_length, frame);
}

static void *isolated_reserve(struct port *port, uint32_t count)
{
    return ring_reserve(&port->to, count);
}

static void isolated_commit(struct port *port)
{
    ring_commit(&port->to);
}

static bool isolated_finish(struct port *port)
{
    bool data = ring_take_data_wanted(&port->to);
    bool space = ring_take_space_wanted(&port->from);

    return data || space;
}

static bool isolated_await(struct port *port)
{
    return ring_await_data(&port->from);
}

static bool isolated_broken(const struct port *port)
{
    return ring_broken(&port->from) || ring_broken(&port->to);
}

static const struct port_ops isolated_ops = {
    .peek = isolated_peek,
    .release = isolated_release,
    .send = isolated_send,
    .reserve = isolated_reserve,
    .commit = isolated_commit,
    .finish = isolated_finish,
    .await = isolated_await,
    .broken = isolated_broken,
};

static const struct port_ops uplink_ops = {
    .peek = isolated_peek,
    .release = isolated_release,
    .look_behind = uplink_look_behind,
    .take = uplink_take,
    .send = isolated_send,
    .reserve = isolated_reserve,
    .commit = isolated_commit,
    .finish = isolated_finish,
    .await = isolated_await,
    .broken = isolated_broken,
};

const char *port_isolated_attach(struct port *port)
{
    const struct switch_port_config *config = port->config;

    ring_init(&port->from, config->from_port, config->ring_size);
    ring_init(&port->to, config->to_port, config->ring_size);
    if (isolated_broken(port)) {
        return "it has no rings";
    }
    port->accepts = (const uint32_t *)(const void *)((const uint8_t *)config->to_port +
                                                     NET_PORT_ACCEPTS_OFFSET);
    port->work = (uint32_t *)(void *)((uint8_t *)config->to_port + NET_PORT_WORK_OFFSET);
    port->outside = (uint32_t *)(void *)((uint8_t *)config->to_port + NET_PORT_OUTSIDE_OFFSET);
    port->ops = config->path == SWITCH_PATH_UPLINK ? &uplink_ops : &isolated_ops;
    return NULL;
}

void port_isolated_reset(struct port *port)
{
    const struct switch_port_config *config = port->config;

    ring_clear(config->from_port);
    ring_clear(config->to_port);
    ring_init(&port->from, config->from_port, config->ring_size);
    ring_init(&port->to, config->to_port, config->ring_size);
    __atomic_store_n((uint32_t *)(void *)((uint8_t *)config->to_port + NET_PORT_ACCEPTS_OFFSET), 0,
                     __ATOMIC_RELAXED);
}
