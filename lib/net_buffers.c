/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_buffers.h"

#include <string.h>

/* Put back what has been taken in vain. */
static enum net_collect give_up(struct virtqueue *queue, uint32_t taken, enum net_collect why)
{
    virtqueue_unpop(queue, (uint16_t)taken);
    return why;
}

enum net_collect net_buffers_collect(struct net_buffers *buffers, struct virtqueue *queue,
                                     bool mergeable, uint32_t needed)
{
    uint32_t limit = mergeable && virtqueue_enabled(queue) ? queue->size : 1;
    uint32_t used = 0;
    uint32_t count = 0;

    while (count < limit && used <= VIRTQUEUE_SIZE_MAX) {
        struct virtqueue_chain chain;
        enum virtqueue_pop popped =
            virtqueue_pop(queue, buffers->segments + used, VIRTQUEUE_SIZE_MAX, &chain);

        if (popped == VIRTQUEUE_EMPTY) {
            return give_up(queue, count, NET_DRY);
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
        count++;
        if (chain.writable_bytes >= needed) {
            buffers->chains[count - 1].bytes = needed;
            buffers->count = count;
            buffers->segment = 0;
            buffers->filled = 0;
            return NET_COLLECTED;
        }
        needed -= chain.writable_bytes;
    }
    return give_up(queue, count, NET_UNSUITED);
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
