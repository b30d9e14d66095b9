/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/virtqueue.c lib/guest_memory.h
 * WP: guest_memory_at enter_indirect make_segment walk
 * EVA: -eva-use-spec=read_desc
 * LONG: yes
 *
 * A chain becomes segments that lie in the guest's memory, whatever its descriptors say, in memory
 * and queues of any size: the contracts. All else with any rings, in any order of calls.
 * virtqueue_copy.c and virtqueue_read.c have the rest.
 */

#include "prelude.h"
#include "virtqueue_inside.h"

/*@ predicate enabled{L}(struct virtqueue *queue) =
        \valid_read(queue) && \valid_read(queue->memory) &&
        \valid(queue->memory->base + (0 .. queue->memory->size - 1)) &&
        0 < queue->size <= 1024 && \valid_read(queue->desc + (0 .. 16 * queue->size - 1));
 */

/*@ requires \valid_read(memory);
    requires \valid(memory->base + (0 .. memory->size - 1));
    assigns \result \from *memory, gpa, length;
    ensures \result == \null ||
        (length > 0 && within(memory->base, memory->size, \result, length));
 */
static inline uint8_t *guest_memory_at(const struct guest_memory *memory, uint64_t gpa,
                                       uint64_t length);

#include "lib/virtqueue.c"

/* Assumption: this contract alone stands for read_desc() here; virtqueue_read.c proves it. */
/*@ requires \valid_read(from + (0 .. 15));
    assigns \result \from from[0 .. 15];
 */
static struct vring_desc read_desc(const uint8_t *from);

/*@ requires enabled(queue) && \valid_read(desc) && \valid(table);
    requires \separated(table, queue, queue->memory, desc);
    assigns *table;
    assigns \result \from *table;
    ensures \result == \null ==> 0 < table->count <= queue->size &&
        \valid_read(table->descriptors + (0 .. 16 * table->count - 1));
 */
static const char *enter_indirect(const struct virtqueue *queue, const struct vring_desc *desc,
                                  struct table *table);

/*@ requires enabled(queue) && \valid_read(desc);
    requires \valid(segments + (0 .. capacity - 1));
    requires \separated(segments + (0 .. capacity - 1), queue, queue->memory, desc);
    assigns segments[count];
    assigns \result \from *queue;
    ensures \result == \null ==> count < capacity && count < queue->size &&
        inside(\old(queue->memory->base), \old(queue->memory->size), segments + count);
 */
static const char *make_segment(const struct virtqueue *queue, const struct vring_desc *desc,
                                struct virtqueue_segment *segments, uint32_t capacity,
                                uint32_t count);

/*@ requires enabled(queue) && \valid(chain) && chain->head < queue->size;
    requires \valid(segments + (0 .. capacity - 1));
    requires \separated(segments + (0 .. capacity - 1), chain, queue, queue->memory);
    ensures \result == \null ==> chain->readable + chain->writable <= capacity;
    ensures \result == \null ==>
        all_inside(\old(queue->memory->base), \old(queue->memory->size), segments,
                   chain->readable + chain->writable);
 */
static const char *walk(const struct virtqueue *queue, struct virtqueue_segment *segments,
                        uint32_t capacity, struct virtqueue_chain *chain);

#define RAM (1ul << 30) /* of the guest, at any address */

static uint8_t ram[RAM];
static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];

static void call_any(struct virtqueue *queue)
{
    struct virtqueue_chain chain;

    switch (any()) {
    case 0:
        virtqueue_pop(queue, segments, (uint32_t)any() % (VIRTQUEUE_SIZE_MAX + 1), &chain);
        break;
    case 1:
        virtqueue_unpop(queue, (uint16_t)any());
        break;
    case 2:
        virtqueue_unpop_insufficient(queue, (uint16_t)any(), (uint32_t)any(), any() == 0);
        break;
    case 3:
        virtqueue_push(queue, (uint16_t)any(), (uint32_t)any());
        break;
    case 4:
        virtqueue_publish(queue);
        break;
    case 5:
        virtqueue_flush(queue);
        break;
    case 6:
        virtqueue_available(queue);
        break;
    case 7:
        virtqueue_used(queue);
        break;
    case 8:
        virtqueue_disable_kicks(queue);
        break;
    case 9:
        virtqueue_enable_kicks(queue);
        break;
    case 10:
        virtqueue_enable_kicks_delayed(queue, (uint16_t)any());
        break;
    case 11:
        virtqueue_allow_absent(queue);
        break;
    default:
        virtqueue_break(queue, "the device is not content");
    }
}

static void prove(uint32_t size)
{
    struct guest_memory memory = {ram, any(), RAM};
    struct virtqueue queue;

    if (virtqueue_enable(&queue, &memory, any(), size, any(), any(), any()) != NULL) {
        virtqueue_disable(&queue);
    }
    while (any()) {
        call_any(&queue);
    }
}

int main(void)
{
    make_any(ram, sizeof(ram));
    for (uint32_t size = 1; size <= VIRTQUEUE_SIZE_MAX; size *= 2) {
        prove(size);
    }
    prove(0);
    prove(VIRTQUEUE_SIZE_MAX + 1);
    return 0;
}
