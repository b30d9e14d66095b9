/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/virtqueue.c
 *
 * A driver that writes whatever it likes into its rings, at any moment between two calls. The input
 * is where the rings lie, what the guest's memory holds, and a list of steps. Whatever the device's
 * side hands out must lie within that memory, and every call must end.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/virtqueue.h"

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 8192u

static uint8_t *ram;
static struct virtqueue_segment segments[64];

static void check(const struct virtqueue_chain *chain)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < (uint32_t)chain->readable + chain->writable; i++) {
        const struct virtqueue_segment *segment = &segments[i];

        if (segment->data < ram || segment->length == 0 ||
            segment->length > (uint32_t)(ram + RAM_SIZE - segment->data)) {
            abort();
        }
        bytes += segment->length;
        if (i + 1 == chain->readable && bytes != chain->readable_bytes) {
            abort();
        }
    }
    if (bytes != (uint64_t)chain->readable_bytes + chain->writable_bytes) {
        abort();
    }
}

static void step(struct virtqueue *queue, struct input *input, struct virtqueue_chain *chain)
{
    uint32_t at;

    switch (take(input, 1) % 8) {
    case 0:
    case 1:
        if (virtqueue_pop(queue, segments, 64, chain) == VIRTQUEUE_POPPED) {
            check(chain);
        }
        break;
    case 2:
        virtqueue_push(queue, chain->head, (uint32_t)take(input, 4));
        break;
    case 3:
        (void)virtqueue_flush(queue);
        break;
    case 4:
        (void)virtqueue_enable_kicks(queue);
        break;
    case 5:
        virtqueue_disable_kicks(queue);
        break;
    case 6:
        virtqueue_unpop(queue, 1);
        break;
    default:
        at = (uint32_t)take(input, 2) % (RAM_SIZE - 4);
        memcpy(ram + at, input->bytes, input->left < 4 ? input->left : 4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct guest_memory memory = {ram = malloc(RAM_SIZE), RAM_GPA, RAM_SIZE};
    struct input input = {data, size};
    struct virtqueue_chain chain = {0};
    struct virtqueue queue = {0};
    uint64_t features = (uint64_t)take(&input, 1) << VIRTIO_RING_F_INDIRECT_DESC;
    uint32_t queue_size = 1u << take(&input, 1) % 7;
    uint64_t desc = RAM_GPA + take(&input, 2);
    uint64_t avail = RAM_GPA + take(&input, 2);
    uint64_t used = RAM_GPA + take(&input, 2);

    memset(ram, 0, RAM_SIZE);
    memcpy(ram, input.bytes, input.left < RAM_SIZE ? input.left : RAM_SIZE);
    (void)virtqueue_enable(&queue, &memory, features, queue_size, desc & ~15ull, avail & ~1ull,
                           used & ~3ull);
    while (input.left > 0) {
        step(&queue, &input, &chain);
    }
    free(ram);
    return 0;
}
