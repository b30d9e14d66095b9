/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The device's side of a split virtqueue (virtio 1.2, 2.7) in guest memory, with indirect
 * descriptors and event indices.
 *
 * The driver may write anything into its rings at any time. What is read from them is read once
 * and checked before use; a chain becomes a list of segments that all lie in the guest's memory.
 * The first violation breaks the queue: it then yields nothing until it is enabled anew, and
 * `virtqueue_error` says why.
 *
 * A batch goes so: virtqueue_pop and virtqueue_push for each chain, virtqueue_flush once, interrupt
 * if that returns true. Before sleeping, virtqueue_enable_kicks, and again if that returns true.
 */

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include "guest_memory.h"

#define VIRTQUEUE_SIZE_MAX 1024u /* descriptors; the specification allows 32768 */

/* A piece of a buffer: `length` > 0 bytes of guest memory, which the guest may change anytime. */
struct virtqueue_segment {
    uint8_t *data; /* NULL: not in the guest's memory, see virtqueue_allow_absent */
    uint32_t length;
};

/* A chain that has been popped: first its readable segments, then its writable ones. */
struct virtqueue_chain {
    uint16_t head;           /* names the chain to virtqueue_push */
    uint16_t readable;       /* segments that the driver has filled */
    uint16_t writable;       /* segments for the device to fill */
    uint32_t readable_bytes; /* the sum of their lengths */
    uint32_t writable_bytes;
};

/* One queue. All zero is a queue that is not enabled. The fields are virtqueue.c's. */
struct virtqueue {
    const uint8_t *desc;   /* struct vring_desc[size] */
    const uint16_t *avail; /* flags, idx, ring[size], used_event */
    uint16_t *used;        /* flags, idx, struct vring_used_elem[size], avail_event */
    const struct guest_memory *memory;
    const char *error;
    uint16_t size;
    uint16_t next_avail;     /* of the next chain to pop, free-running as all indices here */
    uint16_t seen_avail;     /* the driver's index when last read */
    uint16_t next_used;      /* of the next chain to push */
    uint16_t signalled_used; /* next_used when the driver was last asked: interrupt or not? */
    bool event_idx;
    bool indirect;
    bool kicks_disabled;
    bool absent_allowed;
    bool insufficient_for_good; /* see virtqueue_unpop_insufficient */
    uint32_t insufficient_bytes;
};

enum virtqueue_pop {
    VIRTQUEUE_BROKEN = -1,
    VIRTQUEUE_EMPTY = 0,
    VIRTQUEUE_POPPED = 1,
    VIRTQUEUE_TOO_LONG = 2, /* the chain has more segments than there is room for; it stays */
};

/*
 * Start a queue of `size` descriptors, a power of two up to VIRTQUEUE_SIZE_MAX, whose descriptor
 * table, available ring and used ring lie at these guest-physical addresses. `features` are the
 * negotiated ones. `memory` is kept. Kicks are enabled. Returns NULL, or the cause in words for
 * which the queue stays disabled.
 */
const char *virtqueue_enable(struct virtqueue *queue, const struct guest_memory *memory,
                             uint64_t features, uint32_t size, uint64_t desc, uint64_t avail,
                             uint64_t used);

void virtqueue_disable(struct virtqueue *queue);

static inline bool virtqueue_enabled(const struct virtqueue *queue)
{
    return queue->size != 0;
}

/* Why the queue is broken, or NULL if it is not. */
static inline const char *virtqueue_error(const struct virtqueue *queue)
{
    return queue->error;
}

/* The device rejects what a chain holds: from now on the queue is broken. `cause` is kept. */
void virtqueue_break(struct virtqueue *queue, const char *cause);

/*
 * From now on a buffer outside of the guest's memory does not break the queue: its segment has no
 * data. For devices that answer each request with a status of its own.
 */
static inline void virtqueue_allow_absent(struct virtqueue *queue)
{
    queue->absent_allowed = true;
}

/*
 * Take the next available chain. Its segments are written to `segments`, at most `capacity` of
 * them; with VIRTQUEUE_SIZE_MAX of them no chain is too long. A queue that is not enabled is empty.
 */
enum virtqueue_pop virtqueue_pop(struct virtqueue *queue, struct virtqueue_segment *segments,
                                 uint32_t capacity, struct virtqueue_chain *chain);

/*
 * Copy out of the first `segment_count` segments of a chain: skip their first `skip` bytes and copy
 * the next `count` to `to`. Returns how many were copied. These are fewer if the segments have no
 * more, or if one of them is absent (virtqueue_allow_absent).
 */
uint32_t virtqueue_copy_out(const struct virtqueue_segment *segments, uint32_t segment_count,
                            uint32_t skip, void *to, uint32_t count);

/*
 * How many chains the driver has made available until now, and how many it has got back, by what
 * the rings say, which the driver may write: for timing only. Free-running; 0 if not enabled.
 */
uint16_t virtqueue_available(const struct virtqueue *queue);
uint16_t virtqueue_used(const struct virtqueue *queue);

/* Put back the last `count` chains popped, none of which has been pushed. */
void virtqueue_unpop(struct virtqueue *queue, uint16_t count);

/*
 * Put back the last `count` chains popped: the chains that wait are insufficient for `bytes` bytes.
 * That is remembered, so that they need not be walked again for as many, until the driver adds
 * chains; with `for_good`, whatever it adds behind them.
 */
void virtqueue_unpop_insufficient(struct virtqueue *queue, uint16_t count, uint32_t bytes,
                                  bool for_good);

/* Whether the chains that wait are known to be insufficient for `bytes` bytes. */
static inline bool virtqueue_known_insufficient(const struct virtqueue *queue, uint32_t bytes)
{
    return queue->insufficient_bytes != 0 && bytes >= queue->insufficient_bytes &&
           (queue->insufficient_for_good || virtqueue_available(queue) == queue->seen_avail);
}

/* Chains that were popped are used: what was remembered of those that waited holds no more. */
static inline void virtqueue_forget_insufficient(struct virtqueue *queue)
{
    queue->insufficient_bytes = 0;
}

/* Give a chain back of which the first `written` writable bytes have been filled. */
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);

/* Publish all that has been pushed. Returns true if the driver wants an interrupt for it. */
bool virtqueue_flush(struct virtqueue *queue);

/*
 * Publish without asking whether the driver wants an interrupt: the next virtqueue_flush asks for
 * these, too, and has to come in time.
 */
void virtqueue_publish(struct virtqueue *queue);

/* How many chains have been pushed since virtqueue_flush last asked for an interrupt's need. */
static inline uint16_t virtqueue_unsignalled(const struct virtqueue *queue)
{
    return (uint16_t)(queue->next_used - queue->signalled_used);
}

/* The device is looking: the driver need not kick. A hint; kicks may still come. */
void virtqueue_disable_kicks(struct virtqueue *queue);

/*
 * All chains have been popped (VIRTQUEUE_EMPTY), and perhaps some put back because they do not
 * suffice: ask for a kick when there are more. Returns true if there are already: no kick will
 * come.
 */
bool virtqueue_enable_kicks(struct virtqueue *queue);

/*
 * The same for a device that polls the queue: the kick is asked for when more than `count` chains
 * have been added. A driver without event indices kicks for any.
 */
bool virtqueue_enable_kicks_delayed(struct virtqueue *queue, uint16_t count);
