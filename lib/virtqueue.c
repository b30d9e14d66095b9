/* SPDX-License-Identifier: BSD-2-Clause */

#include "virtqueue.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include "vring.h"

/*
 * The order between accesses to the rings is made by fences, which are dmb ish: a guest's memory is
 * inner shareable.
 */

/* A private copy of one descriptor; only those of an indirect table may be unaligned. */
static struct vring_desc read_desc(const uint8_t *from)
{
    uint64_t words[2];

    if (((uintptr_t)from & 7u) == 0) {
        words[0] = ((const volatile uint64_t *)from)[0];
        words[1] = ((const volatile uint64_t *)from)[1];
    } else {
        memcpy(words, from, sizeof(words));
        atomic_signal_fence(memory_order_seq_cst); /* from here on the copy is what counts */
    }
    return (struct vring_desc){.addr = words[0],
                               .len = (uint32_t)words[1],
                               .flags = (uint16_t)(words[1] >> 32),
                               .next = (uint16_t)(words[1] >> 48)};
}

const char *virtqueue_enable(struct virtqueue *queue, const struct guest_memory *memory,
                             uint64_t features, uint32_t size, uint64_t desc, uint64_t avail,
                             uint64_t used)
{
    virtqueue_disable(queue);
    if (size == 0 || size > VIRTQUEUE_SIZE_MAX || (size & (size - 1)) != 0) {
        return "the queue's size is not a power of two in range";
    }
    if (desc % VRING_DESC_ALIGN_SIZE != 0 || avail % VRING_AVAIL_ALIGN_SIZE != 0 ||
        used % VRING_USED_ALIGN_SIZE != 0) {
        return "a ring is misaligned";
    }
    queue->desc = guest_memory_at(memory, desc, VRING_DESC_BYTES(size));
    queue->avail = (uint16_t *)(void *)guest_memory_at(memory, avail, VRING_AVAIL_BYTES(size));
    queue->used = (uint16_t *)(void *)guest_memory_at(memory, used, VRING_USED_BYTES(size));
    if (queue->desc == NULL || queue->avail == NULL || queue->used == NULL) {
        return "a ring is outside of the guest's memory";
    }
    queue->memory = memory;
    queue->event_idx = (features >> VIRTIO_RING_F_EVENT_IDX & 1u) != 0;
    queue->indirect = (features >> VIRTIO_RING_F_INDIRECT_DESC & 1u) != 0;
    queue->size = (uint16_t)size;
    return NULL;
}

void virtqueue_disable(struct virtqueue *queue)
{
    *queue = (struct virtqueue){0};
}

void virtqueue_break(struct virtqueue *queue, const char *cause)
{
    if (queue->error == NULL) {
        queue->error = cause;
    }
}

/* Whether a chain waits, reading the driver's index anew if none is known of. */
static bool more_available(struct virtqueue *queue)
{
    if (queue->seen_avail != queue->next_avail) {
        return true;
    }
    queue->seen_avail = vring_read16(queue->avail + VRING_IDX);
    if (queue->seen_avail == queue->next_avail) {
        return false;
    }
    if ((uint16_t)(queue->seen_avail - queue->next_avail) > queue->size) {
        virtqueue_break(queue, "the available index jumps beyond the queue's size");
        return false;
    }
    atomic_thread_fence(memory_order_acquire); /* what the index announces is read after it */
    return true;
}

/* The table that a walk is in. */
struct table {
    const uint8_t *descriptors;
    uint32_t count;
    bool indirect;
};

/* Go on in the indirect table that `desc` refers to (2.7.5.3); NULL, or the cause in words. */
static const char *enter_indirect(const struct virtqueue *queue, const struct vring_desc *desc,
                                  struct table *table)
{
    if (!queue->indirect) {
        return "an indirect descriptor without the feature";
    }
    if (table->indirect) {
        return "an indirect table within an indirect table";
    }
    if ((desc->flags & VRING_DESC_F_NEXT) != 0) {
        return "an indirect descriptor with a successor";
    }
    if (desc->len == 0 || desc->len % sizeof(*desc) != 0 ||
        desc->len / sizeof(*desc) > queue->size) {
        return "an indirect table of impossible length";
    }
    table->descriptors = guest_memory_at(queue->memory, desc->addr, desc->len);
    table->count = desc->len / sizeof(*desc);
    table->indirect = true;
    return table->descriptors != NULL ? NULL : "an indirect table outside of the guest's memory";
}

static const char too_long[] = "a descriptor chain of too many segments";

/* Make a descriptor the segment behind `count` others; NULL, or the cause in words. */
static const char *make_segment(const struct virtqueue *queue, const struct vring_desc *desc,
                                struct virtqueue_segment *segments, uint32_t capacity,
                                uint32_t count)
{
    uint8_t *data;

    if (count >= queue->size) {
        return "a descriptor chain longer than the queue, or a loop";
    }
    if (count >= capacity) {
        return too_long;
    }
    data = guest_memory_at(queue->memory, desc->addr, desc->len);
    segments[count] = (struct virtqueue_segment){.data = data, .length = desc->len};
    if (data == NULL && (desc->len == 0 || !queue->absent_allowed)) {
        return desc->len == 0 ? "a descriptor of length 0"
                              : "a descriptor reaches outside of the guest's memory";
    }
    return NULL;
}

/* Make segments of the chain at chain->head; NULL, or the cause in words. */
static const char *walk(const struct virtqueue *queue, struct virtqueue_segment *segments,
                        uint32_t capacity, struct virtqueue_chain *chain)
{
    struct table table = {queue->desc, queue->size, false};
    uint64_t readable_bytes = 0;
    uint64_t bytes = 0;
    uint32_t readable = 0;
    uint32_t index = chain->head;
    uint32_t count = 0;
    const char *cause;
    bool more = true;

    /*@ loop invariant readable <= count <= capacity && count <= queue->size;
        loop invariant !more || index < table.count;
        loop invariant table.count <= queue->size &&
            \valid_read(table.descriptors + (0 .. 16 * table.count - 1));
        loop invariant all_inside(\at(queue->memory->base, Pre), \at(queue->memory->size, Pre),
            segments, count);
        loop assigns table, more, cause, readable_bytes, bytes, readable, index, count,
            segments[0 .. capacity - 1]; */
    while (more) {
        struct vring_desc desc = read_desc(table.descriptors + index * sizeof(desc));

        if ((desc.flags & VRING_DESC_F_INDIRECT) != 0) {
            cause = enter_indirect(queue, &desc, &table);
            if (cause != NULL) {
                return cause;
            }
            index = 0;
            continue;
        }
        cause = make_segment(queue, &desc, segments, capacity, count);
        if (cause != NULL) {
            return cause;
        }
        bytes += desc.len;
        if ((desc.flags & VRING_DESC_F_WRITE) == 0) {
            if (readable != count) {
                return "a readable descriptor follows a writable one";
            }
            readable++;
            readable_bytes = bytes;
        }
        count++;
        more = (desc.flags & VRING_DESC_F_NEXT) != 0;
        if (more && desc.next >= table.count) {
            return "a descriptor's successor is beyond the table";
        }
        index = desc.next;
    }
    if (bytes > UINT32_MAX) {
        return "a descriptor chain of 4 GiB or more";
    }
    chain->readable = (uint16_t)readable;
    chain->writable = (uint16_t)(count - readable);
    chain->readable_bytes = (uint32_t)readable_bytes;
    chain->writable_bytes = (uint32_t)(bytes - readable_bytes);
    return NULL;
}

enum virtqueue_pop virtqueue_pop(struct virtqueue *queue, struct virtqueue_segment *segments,
                                 uint32_t capacity, struct virtqueue_chain *chain)
{
    const char *cause;
    uint16_t head;

    if (queue->error != NULL) {
        return VIRTQUEUE_BROKEN;
    }
    if (queue->size == 0) {
        return VIRTQUEUE_EMPTY;
    }
    if (!more_available(queue)) {
        return queue->error != NULL ? VIRTQUEUE_BROKEN : VIRTQUEUE_EMPTY;
    }
    head = vring_read16(queue->avail + VRING_AVAIL_ELEMENT(queue->next_avail & (queue->size - 1u)));
    if (head >= queue->size) {
        virtqueue_break(queue, "the available ring names a descriptor beyond the table");
        return VIRTQUEUE_BROKEN;
    }
    chain->head = head;
    cause = walk(queue, segments, capacity, chain);
    if (cause == too_long) {
        return VIRTQUEUE_TOO_LONG;
    }
    if (cause != NULL) {
        virtqueue_break(queue, cause);
        return VIRTQUEUE_BROKEN;
    }
    queue->next_avail++;
    return VIRTQUEUE_POPPED;
}

uint32_t virtqueue_copy_out(const struct virtqueue_segment *segments, uint32_t segment_count,
                            uint32_t skip, void *to, uint32_t count)
{
    uint32_t copied = 0;

    /*@ loop invariant copied <= count && i <= segment_count;
        loop assigns i, copied, skip, ((uint8_t *)to)[0 .. count - 1]; */
    for (uint32_t i = 0; i < segment_count && copied < count; i++) {
        uint32_t length = segments[i].length;
        uint32_t part;

        if (skip >= length) {
            skip -= length;
            continue;
        }
        if (segments[i].data == NULL) {
            break;
        }
        part = length - skip < count - copied ? length - skip : count - copied;
        memcpy((uint8_t *)to + copied, segments[i].data + skip, part);
        copied += part;
        skip = 0;
    }
    return copied;
}

void virtqueue_unpop(struct virtqueue *queue, uint16_t count)
{
    queue->next_avail = (uint16_t)(queue->next_avail - count);
}

void virtqueue_unpop_insufficient(struct virtqueue *queue, uint16_t count, uint32_t bytes,
                                  bool for_good)
{
    virtqueue_unpop(queue, count);
    queue->insufficient_bytes = bytes;
    queue->insufficient_for_good = for_good;
}

void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written)
{
    volatile uint32_t *element;
    uint32_t slot;

    if (queue->size == 0) {
        return;
    }
    slot = queue->next_used & (queue->size - 1u);
    element = (volatile uint32_t *)(void *)(queue->used + VRING_USED_ELEMENT(slot));
    element[0] = head;
    element[1] = written;
    queue->next_used++;
}

void virtqueue_publish(struct virtqueue *queue)
{
    if (queue->size != 0) {
        atomic_thread_fence(memory_order_release); /* elements and buffers first, then the index */
        vring_write16(queue->used + VRING_IDX, queue->next_used);
    }
}

bool virtqueue_flush(struct virtqueue *queue)
{
    uint16_t new_used = queue->next_used;
    uint16_t old_used = queue->signalled_used;

    if (queue->size == 0 || new_used == old_used) {
        return false;
    }
    virtqueue_publish(queue);
    queue->signalled_used = new_used;
    /* The driver does the reverse: it writes its event index, then reads the used index. */
    atomic_thread_fence(memory_order_seq_cst);
    if (queue->event_idx) {
        uint16_t event = vring_read16(queue->avail + VRING_AVAIL_USED_EVENT(queue->size));

        return vring_need_event(event, new_used, old_used);
    }
    return (vring_read16(queue->avail + VRING_FLAGS) & VRING_AVAIL_F_NO_INTERRUPT) == 0;
}

uint16_t virtqueue_available(const struct virtqueue *queue)
{
    return queue->size != 0 ? vring_read16(queue->avail + VRING_IDX) : 0;
}

uint16_t virtqueue_used(const struct virtqueue *queue)
{
    return queue->size != 0 ? vring_read16(queue->used + VRING_IDX) : 0;
}

void virtqueue_disable_kicks(struct virtqueue *queue)
{
    if (queue->size == 0 || queue->kicks_disabled) {
        return;
    }
    queue->kicks_disabled = true;
    /* An event index that is not advanced asks for nothing; the flag is for drivers without. */
    if (!queue->event_idx) {
        vring_write16(queue->used + VRING_FLAGS, VRING_USED_F_NO_NOTIFY);
    }
}

bool virtqueue_enable_kicks(struct virtqueue *queue)
{
    return virtqueue_enable_kicks_delayed(queue, 0);
}

bool virtqueue_enable_kicks_delayed(struct virtqueue *queue, uint16_t count)
{
    if (queue->size == 0 || queue->error != NULL) {
        return false;
    }
    queue->kicks_disabled = false;
    if (queue->event_idx) {
        vring_write16(queue->used + VRING_USED_AVAIL_EVENT(queue->size),
                      (uint16_t)(queue->seen_avail + count));
    } else {
        vring_write16(queue->used + VRING_FLAGS, 0);
    }
    atomic_thread_fence(memory_order_seq_cst); /* first the event index, then the ring */
    return vring_read16(queue->avail + VRING_IDX) != queue->seen_avail;
}
