/* SPDX-License-Identifier: BSD-2-Clause */

#include "rng.h"

#include <linux/virtio_ids.h>
#include <string.h>
#include "vmm/entropy.h"

enum { REQUESTS, QUEUES };

#define QUEUE_SIZE 16u

/*
 * Bytes that a chain gets, one chain a turn: to fill it takes 40 us, for which monitors of other
 * machines may have to wait. A longer buffer is filled in part, which its driver has to expect. No
 * chain has more than QUEUE_SIZE descriptors.
 */
#define BYTES_MAX 256u

static struct virtio_device rng;

static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];

/* Fill a chain, in part if it is long; returns how many bytes. What is not used is not kept. */
static uint32_t fill(const struct virtqueue_chain *chain)
{
    static uint8_t bytes[BYTES_MAX];
    uint32_t count = chain->writable_bytes < BYTES_MAX ? chain->writable_bytes : BYTES_MAX;
    uint32_t filled = 0;

    entropy_more(bytes, count);
    for (uint32_t i = 0; filled < count; i++) {
        const struct virtqueue_segment *segment = &segments[chain->readable + i];
        uint32_t part = segment->length < count - filled ? segment->length : count - filled;

        memcpy(segment->data, bytes + filled, part);
        filled += part;
    }
    memset(bytes, 0, count);
    return filled;
}

/* Fill one chain. Returns whether there is more to do at once. */
static bool serve(struct virtqueue *queue)
{
    struct virtqueue_chain chain;

    if (virtqueue_pop(queue, segments, VIRTQUEUE_SIZE_MAX, &chain) != VIRTQUEUE_POPPED) {
        return virtqueue_enable_kicks(queue);
    }
    if (chain.writable == 0) {
        virtqueue_break(queue, "a buffer for random bytes that is not writable");
        return false;
    }
    virtqueue_push(queue, chain.head, fill(&chain));
    return true;
}

static uint32_t rng_work(struct virtio_device *device, uint32_t pending)
{
    struct virtqueue *queue = &device->queue[REQUESTS];
    bool more = serve(queue);

    (void)pending;
    if (virtqueue_flush(queue)) {
        virtio_device_interrupt(device);
    }
    if (virtqueue_error(queue) != NULL) {
        virtio_device_fail(device, virtqueue_error(queue));
        return 0;
    }
    return more ? 1u << REQUESTS : 0;
}

static const struct virtio_device_ops rng_ops = {
    .id = VIRTIO_ID_RNG,
    .queue_count = QUEUES,
    .queue_size_max = {[REQUESTS] = QUEUE_SIZE},
    .work = rng_work,
};

void virtio_rng_init(const struct vmm_rng_config *config, const struct guest_memory *memory)
{
    rng.ops = &rng_ops;
    rng.name = "rng";
    rng.features = VIRTIO_FEATURE(VIRTIO_F_VERSION_1) |
                   VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
                   VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX);
    virtio_device_init(&rng, memory, config->registers, config->gpa, config->intid);
}
