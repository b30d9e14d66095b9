/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_buffers.h"

#include <string.h>

static uint32_t min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Put back what has been taken in vain for a frame of `size` bytes. */
static enum net_collect give_up(struct virtqueue *queue, uint32_t taken, uint32_t size,
                                enum net_collect why)
{
    virtqueue_unpop_insufficient(queue, (uint16_t)taken, size, why == NET_UNSUITED);
    return why;
}

/* How many chains a frame may take. A queue that is not enabled has no size, and is empty. */
static uint32_t chains_max(const struct virtqueue *queue, bool mergeable)
{
    uint32_t limit = mergeable && virtqueue_enabled(queue) ? queue->size : 1;

    return min(limit, NET_CHAINS_MAX);
}

static void keep_chain(struct net_buffers *buffers, uint32_t index, uint16_t head, uint32_t bytes)
{
    buffers->chains[index].head = head;
    buffers->chains[index].bytes = bytes;
}

/* All is collected, and nothing filled. */
static void finish(struct net_buffers *buffers, struct virtqueue *queue, uint32_t count)
{
    virtqueue_forget_insufficient(queue);
    buffers->count = count;
    buffers->segment = 0;
    buffers->filled = 0;
}

enum net_collect net_buffers_collect(struct net_buffers *buffers, struct virtqueue *queue,
                                     bool mergeable, uint32_t needed)
{
    uint32_t limit = chains_max(queue, mergeable);
    uint32_t left = needed;
    uint32_t used = 0;

    if (virtqueue_known_insufficient(queue, needed)) {
        return queue->insufficient_for_good ? NET_UNSUITED : NET_NO_BUFFERS;
    }
    /*@ loop invariant count <= limit && used <= NET_SEGMENTS_MAX;
        loop invariant all_writable(&buffers->segments[0], used);
        loop invariant left + bytes_of(&buffers->segments[0], used) == needed;
        loop assigns count, used, left, *buffers, *queue; */
    for (uint32_t count = 0; count < limit; count++) {
        struct virtqueue_chain chain;
        enum virtqueue_pop popped =
            virtqueue_pop(queue, buffers->segments + used, NET_SEGMENTS_MAX - used, &chain);

        if (popped == VIRTQUEUE_EMPTY) {
            return give_up(queue, count, needed, NET_NO_BUFFERS);
        }
        if (popped == VIRTQUEUE_TOO_LONG) {
            return give_up(queue, count, needed, NET_UNSUITED);
        }
        if (popped == VIRTQUEUE_POPPED && chain.readable != 0) {
            virtqueue_break(queue, "a buffer to receive in that is not writable");
            popped = VIRTQUEUE_BROKEN;
        }
        if (popped == VIRTQUEUE_BROKEN) {
            return NET_QUEUE_BROKEN;
        }
        used += chain.writable;
        /*@ assert used <= NET_SEGMENTS_MAX; */
        /*@ assert bytes_of(&buffers->segments[0], used) == needed - left + chain.writable_bytes; */
        keep_chain(buffers, count, chain.head, min(chain.writable_bytes, left));
        if (chain.writable_bytes >= left) {
            finish(buffers, queue, count + 1);
            /*@ assert room(buffers, used, needed); */
            return NET_COLLECTED;
        }
        left -= chain.writable_bytes;
    }
    return give_up(queue, limit, needed, NET_UNSUITED);
}

void net_buffers_write(struct net_buffers *buffers, const void *bytes, uint32_t length)
{
    const uint8_t *from = bytes;
    uint32_t segment = buffers->segment;
    uint32_t filled = buffers->filled;

    /*@ loop invariant length <= \at(length, Pre);
        loop invariant from == (uint8_t *)bytes + (\at(length, Pre) - length);
        loop invariant \forall integer count, room;
            room >= \at(length, Pre) && room(buffers, count, room) ==>
            room_at(buffers, count, segment, filled, room - \at(length, Pre) + length);
        loop assigns length, from, segment, filled; */
    while (length > 0) {
        const struct virtqueue_segment *to = &buffers->segments[segment];
        uint32_t part = min(to->length - filled, length);

        memcpy(to->data + filled, from, part);
        from += part;
        length -= part;
        filled += part;
        if (filled == to->length) {
            segment++;
            filled = 0;
        }
    }
    buffers->segment = segment;
    buffers->filled = filled;
}

void net_buffers_push(const struct net_buffers *buffers, struct virtqueue *queue)
{
    /*@ loop assigns i, *queue; */
    for (uint32_t i = 0; i < buffers->count; i++) {
        virtqueue_push(queue, buffers->chains[i].head, buffers->chains[i].bytes);
    }
}
