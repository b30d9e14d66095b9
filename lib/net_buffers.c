/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_buffers.h"

#include <string.h>

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

    return limit < NET_CHAINS_MAX ? limit : NET_CHAINS_MAX;
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
        buffers->chains[count].head = chain.head;
        buffers->chains[count].bytes = chain.writable_bytes;
        if (chain.writable_bytes >= left) {
            buffers->chains[count].bytes = left;
            buffers->count = count + 1;
            buffers->segment = 0;
            buffers->filled = 0;
            virtqueue_forget_insufficient(queue);
            return NET_COLLECTED;
        }
        left -= chain.writable_bytes;
    }
    return give_up(queue, limit, needed, NET_UNSUITED);
}

void net_buffers_write(struct net_buffers *buffers, const void *bytes, uint32_t length)
{
    const struct virtqueue_segment *to = &buffers->segments[buffers->segment];
    const uint8_t *from = bytes;
    uint32_t filled = buffers->filled;

    while (length > 0) {
        uint32_t part = to->length - filled;

        part = part < length ? part : length;
        memcpy(to->data + filled, from, part);
        from += part;
        length -= part;
        filled += part;
        if (filled == to->length) {
            to++;
            filled = 0;
        }
    }
    buffers->segment = (uint32_t)(to - buffers->segments);
    buffers->filled = filled;
}

void net_buffers_push(const struct net_buffers *buffers, struct virtqueue *queue)
{
    for (uint32_t i = 0; i < buffers->count; i++) {
        virtqueue_push(queue, buffers->chains[i].head, buffers->chains[i].bytes);
    }
}
