/* SPDX-License-Identifier: BSD-2-Clause */

#include "vring_driver.h"

#include <stddef.h>
#include <string.h>
#include "cpu.h"
#include "vring.h"

static uint64_t align16(uint64_t value)
{
    return (value + 15u) & ~15ULL;
}

static enum vring_driver_take break_queue(struct vring_driver *queue, const char *cause)
{
    queue->error = cause;
    return VRING_DRIVER_BROKEN;
}

uint64_t vring_driver_bytes(uint16_t size, uint16_t indirect_max)
{
    return VRING_DESC_BYTES(size) + align16(VRING_AVAIL_BYTES(size)) +
           align16(VRING_USED_BYTES(size)) + VRING_DESC_BYTES(size) * indirect_max;
}

void vring_driver_init(struct vring_driver *queue, void *memory, uint64_t paddr, uint16_t size,
                       uint16_t indirect_max, uint64_t features)
{
    uint64_t avail = VRING_DESC_BYTES(size);
    uint64_t used = avail + align16(VRING_AVAIL_BYTES(size));
    uint64_t indirect = used + align16(VRING_USED_BYTES(size));
    uint8_t *bytes = memory;

    memset(queue, 0, sizeof(*queue));
    memset(memory, 0, vring_driver_bytes(size, indirect_max));
    queue->size = size;
    queue->desc = memory;
    queue->avail = (uint16_t *)(void *)(bytes + avail);
    queue->used = (uint16_t *)(void *)(bytes + used);
    queue->indirect = (struct vring_desc *)(void *)(bytes + indirect);
    queue->desc_paddr = paddr;
    queue->avail_paddr = paddr + avail;
    queue->used_paddr = paddr + used;
    queue->indirect_paddr = paddr + indirect;
    if ((features >> VIRTIO_RING_F_INDIRECT_DESC & 1u) != 0) {
        queue->indirect_max = indirect_max;
    }
    queue->event_idx = (features >> VIRTIO_RING_F_EVENT_IDX & 1u) != 0;
    queue->free_count = size;
    for (uint16_t i = 0; i < size; i++) {
        queue->next[i] = (uint16_t)(i + 1u);
    }
}

uint16_t vring_driver_segments_max(const struct vring_driver *queue)
{
    return queue->indirect_max > queue->size ? queue->indirect_max : queue->size;
}

static struct vring_desc describe(const struct vring_driver_segment *segment, bool writable)
{
    return (struct vring_desc){
        .addr = segment->paddr, .len = segment->length, .flags = writable ? VRING_DESC_F_WRITE : 0};
}

/* The chain's segments go into the table that belongs to descriptor `head`. */
static void fill_indirect(struct vring_driver *queue, uint16_t head,
                          const struct vring_driver_segment *segments, uint16_t readable,
                          uint16_t count)
{
    size_t first = (size_t)head * queue->indirect_max;
    struct vring_desc *table = queue->indirect + first;

    for (uint16_t i = 0; i < count; i++) {
        table[i] = describe(&segments[i], i >= readable);
        if (i + 1u < count) {
            table[i].flags |= VRING_DESC_F_NEXT;
            table[i].next = (uint16_t)(i + 1u);
        }
    }
    queue->desc[head] = (struct vring_desc){.addr = queue->indirect_paddr + VRING_DESC_BYTES(first),
                                            .len = (uint32_t)VRING_DESC_BYTES(count),
                                            .flags = VRING_DESC_F_INDIRECT};
}

static void fill_direct(struct vring_driver *queue, uint16_t head,
                        const struct vring_driver_segment *segments, uint16_t readable,
                        uint16_t count)
{
    uint16_t index = head;

    for (uint16_t i = 0; i < count; i++) {
        struct vring_desc desc = describe(&segments[i], i >= readable);

        if (i + 1u < count) {
            desc.flags |= VRING_DESC_F_NEXT;
            desc.next = queue->next[index];
        }
        queue->desc[index] = desc;
        index = queue->next[index];
    }
}

/* Take `count` descriptors off the free list, whose order is the chain's; returns the first. */
static uint16_t allocate(struct vring_driver *queue, uint16_t count)
{
    uint16_t head = queue->free_first;

    for (uint16_t i = 0; i < count; i++) {
        queue->free_first = queue->next[queue->free_first];
    }
    queue->free_count -= count;
    return head;
}

static void release(struct vring_driver *queue, uint16_t head)
{
    uint16_t last = head;

    for (uint16_t i = 1; i < queue->chain[head].descriptors; i++) {
        last = queue->next[last];
    }
    queue->next[last] = queue->free_first;
    queue->free_first = head;
    queue->free_count += queue->chain[head].descriptors;
    queue->chain[head].descriptors = 0;
    queue->in_flight--;
}

bool vring_driver_add(struct vring_driver *queue, const struct vring_driver_segment *segments,
                      uint16_t readable, uint16_t writable, uint16_t token)
{
    uint32_t count = (uint32_t)readable + writable;
    bool indirect = count > 1 && count <= queue->indirect_max;
    uint16_t needed = (uint16_t)(indirect ? 1 : count);
    struct vring_driver_chain chain = {.token = token, .descriptors = needed};
    uint16_t head;

    if (queue->error != NULL || count == 0 || (indirect ? 1 : count) > queue->free_count) {
        return false;
    }
    for (uint32_t i = readable; i < count; i++) {
        chain.writable_bytes += segments[i].length;
    }
    head = allocate(queue, needed);
    if (indirect) {
        fill_indirect(queue, head, segments, readable, (uint16_t)count);
    } else {
        fill_direct(queue, head, segments, readable, (uint16_t)count);
    }
    queue->chain[head] = chain;
    queue->in_flight++;
    queue->avail[VRING_AVAIL_ELEMENT(queue->next_avail & (queue->size - 1u))] = head;
    queue->next_avail++;
    return true;
}

bool vring_driver_publish(struct vring_driver *queue)
{
    uint16_t new_avail = queue->next_avail;
    uint16_t old_avail = queue->notified_avail;

    if (queue->error != NULL || new_avail == old_avail) {
        return false;
    }
    cpu_device_barrier(); /* descriptors and buffers first, then the index */
    vring_write16(queue->avail + VRING_IDX, new_avail);
    queue->notified_avail = new_avail;
    cpu_device_barrier(); /* the device writes its event index, then reads ours */
    if (queue->event_idx) {
        uint16_t event = vring_read16(queue->used + VRING_USED_AVAIL_EVENT(queue->size));

        return vring_need_event(event, new_avail, old_avail);
    }
    return (vring_read16(queue->used + VRING_FLAGS) & VRING_USED_F_NO_NOTIFY) == 0;
}

enum vring_driver_take vring_driver_take(struct vring_driver *queue, uint16_t *token,
                                         uint32_t *written)
{
    const volatile uint32_t *element;
    uint32_t slot;
    uint16_t done;
    uint32_t id;
    uint32_t length;

    if (queue->error != NULL) {
        return VRING_DRIVER_BROKEN;
    }
    done = (uint16_t)(vring_read16(queue->used + VRING_IDX) - queue->next_used);
    if (done == 0) {
        return VRING_DRIVER_EMPTY;
    }
    if (done > queue->in_flight) {
        return break_queue(queue, "the device says that it has done more than it was given");
    }
    cpu_device_barrier(); /* what the index announces is read after it */
    slot = queue->next_used & (queue->size - 1u);
    element = (const volatile uint32_t *)(const void *)(queue->used + VRING_USED_ELEMENT(slot));
    id = element[0];
    length = element[1];
    if (id >= queue->size || queue->chain[id].descriptors == 0) {
        return break_queue(queue, "the device returns what it was not given");
    }
    if (length > queue->chain[id].writable_bytes) {
        return break_queue(queue, "the device says that it has written more than there was room");
    }
    queue->next_used++;
    *token = queue->chain[id].token;
    *written = length;
    release(queue, (uint16_t)id);
    return VRING_DRIVER_TAKEN;
}

bool vring_driver_enable_interrupts(struct vring_driver *queue)
{
    if (queue->error != NULL) {
        return false;
    }
    if (queue->event_idx) {
        vring_write16(queue->avail + VRING_AVAIL_USED_EVENT(queue->size), queue->next_used);
    } else {
        vring_write16(queue->avail + VRING_FLAGS, 0);
    }
    cpu_device_barrier(); /* first the event index, then the ring */
    return vring_read16(queue->used + VRING_IDX) != queue->next_used;
}

void vring_driver_disable_interrupts(struct vring_driver *queue)
{
    /* With event indices, an index that is not advanced asks for no interrupt. */
    if (!queue->event_idx) {
        vring_write16(queue->avail + VRING_FLAGS, VRING_AVAIL_F_NO_INTERRUPT);
    }
}
