/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The driver's side of a split virtqueue (virtio 1.2, 2.7) of a device of the board, with indirect
 * descriptors and event indices.
 *
 * Descriptors and rings lie in memory that the device reads and writes as well. What the driver
 * needs to know of a chain it keeps to itself, and what the device says of it, the chain's id and
 * how much it has written, is read once and checked. The first violation breaks the queue: it then
 * yields nothing, takes nothing, and `error` says why. The device is to be reset before anything
 * that it may reach is used for another purpose.
 *
 * A batch goes so: vring_driver_take until empty; vring_driver_add for each new chain;
 * vring_driver_publish once, and a write to QueueNotify if that returns true. Before sleeping,
 * vring_driver_enable_interrupts, and again if that returns true.
 */

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#define VRING_DRIVER_SIZE_MAX 256u /* descriptors */

/* A piece of a buffer, by the address that the device knows it by. */
struct vring_driver_segment {
    uint64_t paddr;
    uint32_t length; /* bytes, above 0 */
};

/* A chain that is in flight, at the index of its first descriptor. */
struct vring_driver_chain {
    uint32_t writable_bytes;
    uint16_t token;
    uint16_t descriptors; /* of the queue's table; 0: none begins here */
};

/* One queue. `error`, `size` and the addresses may be read; the rest is vring_driver.c's. */
struct vring_driver {
    const char *error;
    uint64_t desc_paddr; /* for the device's registers */
    uint64_t avail_paddr;
    uint64_t used_paddr;
    uint16_t size;

    struct vring_desc *desc;
    uint16_t *avail;             /* flags, idx, ring[size], used_event */
    uint16_t *used;              /* flags, idx, struct vring_used_elem[size], avail_event */
    struct vring_desc *indirect; /* a table for each descriptor */
    uint64_t indirect_paddr;
    uint16_t indirect_max; /* descriptors in each of those tables; 0: none */
    uint16_t free_first;
    uint16_t free_count;
    uint16_t in_flight;      /* chains */
    uint16_t next_avail;     /* of the next chain to add; indices count freely */
    uint16_t notified_avail; /* next_avail when the device was last asked: notify or not? */
    uint16_t next_used;      /* of the next chain to take */
    bool event_idx;
    uint16_t next[VRING_DRIVER_SIZE_MAX]; /* of each descriptor: free, or in a chain */
    struct vring_driver_chain chain[VRING_DRIVER_SIZE_MAX];
};

enum vring_driver_take { VRING_DRIVER_BROKEN = -1, VRING_DRIVER_EMPTY = 0, VRING_DRIVER_TAKEN = 1 };

/* The bytes of shared memory that a queue takes with indirect tables of `indirect_max`. */
uint64_t vring_driver_bytes(uint16_t size, uint16_t indirect_max);

/*
 * A fresh queue of `size` descriptors, a power of two up to VRING_DRIVER_SIZE_MAX, in the
 * vring_driver_bytes at `memory`, which is `paddr` to the device; both aligned to 16. The memory
 * is zeroed here. `features` are the negotiated ones; without VIRTIO_RING_F_INDIRECT_DESC
 * `indirect_max` is only room left unused. Interrupts are enabled.
 */
void vring_driver_init(struct vring_driver *queue, void *memory, uint64_t paddr, uint16_t size,
                       uint16_t indirect_max, uint64_t features);

/* The most segments that a chain can ever have. */
uint16_t vring_driver_segments_max(const struct vring_driver *queue);

/*
 * Add a chain of `readable` segments that the device reads followed by `writable` ones that it
 * fills, at least one in all; `token` comes back with it. Returns false if there is no room now,
 * or never will be.
 */
bool vring_driver_add(struct vring_driver *queue, const struct vring_driver_segment *segments,
                      uint16_t readable, uint16_t writable, uint16_t token);

/* Show the device what was added. Returns true if it wants to be notified of that. */
bool vring_driver_publish(struct vring_driver *queue);

/*
 * Take a chain back that the device has done with: its token, and how many of its writable bytes
 * the device says it has written, no more than there were.
 */
enum vring_driver_take vring_driver_take(struct vring_driver *queue, uint16_t *token,
                                         uint32_t *written);

/* Ask for an interrupt at the next chain done. Returns true if one is there: none will come. */
bool vring_driver_enable_interrupts(struct vring_driver *queue);

/* A hint; interrupts may still come. */
void vring_driver_disable_interrupts(struct vring_driver *queue);
