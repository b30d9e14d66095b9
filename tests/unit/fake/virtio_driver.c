/* SPDX-License-Identifier: BSD-2-Clause */

/* See virtio_driver.h beside this. */

#include "virtio_driver.h"

#include <string.h>

static uint64_t align(uint64_t value, uint64_t to)
{
    return (value + to - 1) & ~(to - 1);
}

static uint64_t avail_offset(uint16_t size)
{
    return 16ull * size;
}

static uint64_t used_offset(uint16_t size)
{
    return align(avail_offset(size) + 6 + 2ull * size, 4);
}

uint64_t driver_queue_bytes(uint16_t size)
{
    return align(used_offset(size) + 6 + 8ull * size, 4096);
}

void *driver_memory(const struct guest_memory *memory, uint64_t gpa)
{
    return memory->base + (gpa - memory->gpa);
}

void driver_queue_init(struct driver_queue *queue, const struct guest_memory *memory, uint64_t gpa,
                       uint16_t size)
{
    *queue = (struct driver_queue){.memory = memory, .size = size};
    queue->desc_gpa = gpa;
    queue->avail_gpa = gpa + avail_offset(size);
    queue->used_gpa = gpa + used_offset(size);
    queue->desc = driver_memory(memory, queue->desc_gpa);
    queue->avail = driver_memory(memory, queue->avail_gpa);
    queue->used = driver_memory(memory, queue->used_gpa);
    memset(queue->desc, 0, driver_queue_bytes(size));
}

void driver_set_desc(struct driver_queue *queue, uint16_t index, uint64_t gpa, uint32_t length,
                     uint16_t flags, uint16_t next)
{
    queue->desc[index] =
        (struct vring_desc){.addr = gpa, .len = length, .flags = flags, .next = next};
}

void driver_offer(struct driver_queue *queue, uint16_t head)
{
    uint16_t index = *driver_avail_idx(queue);

    queue->avail[2 + index % queue->size] = head;
    *driver_avail_idx(queue) = (uint16_t)(index + 1);
}

uint16_t driver_add(struct driver_queue *queue, const struct driver_buffer *buffers,
                    unsigned readable, unsigned writable)
{
    unsigned count = readable + writable;
    uint16_t head = queue->next_desc;

    for (unsigned i = 0; i < count; i++) {
        uint16_t next = (uint16_t)((queue->next_desc + 1) % queue->size);
        uint16_t flags =
            (i < readable ? 0 : VRING_DESC_F_WRITE) | (i + 1 < count ? VRING_DESC_F_NEXT : 0);

        driver_set_desc(queue, queue->next_desc, buffers[i].gpa, buffers[i].length, flags, next);
        queue->next_desc = next;
    }
    driver_offer(queue, head);
    return head;
}

uint16_t driver_add_indirect(struct driver_queue *queue, uint64_t table_gpa,
                             const struct driver_buffer *buffers, unsigned readable,
                             unsigned writable)
{
    unsigned count = readable + writable;
    uint16_t head = queue->next_desc;
    uint8_t *table = driver_memory(queue->memory, table_gpa);

    for (unsigned i = 0; i < count; i++) {
        struct vring_desc desc = {
            .addr = buffers[i].gpa,
            .len = buffers[i].length,
            .flags =
                (i < readable ? 0 : VRING_DESC_F_WRITE) | (i + 1 < count ? VRING_DESC_F_NEXT : 0),
            .next = (uint16_t)(i + 1),
        };

        memcpy(table + i * sizeof(desc), &desc, sizeof(desc));
    }
    driver_set_desc(queue, head, table_gpa, count * 16, VRING_DESC_F_INDIRECT, 0);
    queue->next_desc = (uint16_t)((head + 1) % queue->size);
    driver_offer(queue, head);
    return head;
}

bool driver_take(struct driver_queue *queue, uint32_t *head, uint32_t *written)
{
    uint16_t *element = queue->used + 2 + 4 * (queue->used_seen % queue->size);

    if (driver_used_idx(queue) == queue->used_seen) {
        return false;
    }
    memcpy(head, element, sizeof(*head));
    memcpy(written, element + 2, sizeof(*written));
    queue->used_seen++;
    return true;
}

uint16_t *driver_avail_idx(struct driver_queue *queue)
{
    return queue->avail + 1;
}

uint16_t *driver_avail_flags(struct driver_queue *queue)
{
    return queue->avail;
}

uint16_t *driver_used_event(struct driver_queue *queue)
{
    return queue->avail + 2 + queue->size;
}

uint16_t driver_used_idx(const struct driver_queue *queue)
{
    return queue->used[1];
}

uint16_t driver_used_flags(const struct driver_queue *queue)
{
    return queue->used[0];
}

uint16_t driver_avail_event(const struct driver_queue *queue)
{
    return queue->used[2 + 4 * queue->size];
}
