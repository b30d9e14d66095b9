/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The driver's side of split virtqueues, for tests: a polite driver for the common cases, and
 * access to every word of the rings for the others.
 */

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/guest_memory.h"

#define DRIVER_BUFFERS_MAX 64

struct driver_buffer {
    uint64_t gpa;
    uint32_t length;
};

struct driver_queue {
    const struct guest_memory *memory;
    uint16_t size;
    uint64_t desc_gpa;
    uint64_t avail_gpa;
    uint64_t used_gpa;
    struct vring_desc *desc;
    uint16_t *avail; /* flags, idx, ring, used_event */
    uint16_t *used;  /* flags, idx, elements, avail_event */
    uint16_t next_desc;
    uint16_t used_seen;
};

/* Lay a queue out at `gpa` (a multiple of 4096) and zero it; takes driver_queue_bytes(size). */
void driver_queue_init(struct driver_queue *queue, const struct guest_memory *memory, uint64_t gpa,
                       uint16_t size);
uint64_t driver_queue_bytes(uint16_t size);

void driver_set_desc(struct driver_queue *queue, uint16_t index, uint64_t gpa, uint32_t length,
                     uint16_t flags, uint16_t next);

/* Make the chain at `head` available. */
void driver_offer(struct driver_queue *queue, uint16_t head);

/*
 * Make a chain of the first `readable` of these buffers to read and the next `writable` to write,
 * and offer it. Descriptors are used round robin. Returns its head.
 */
uint16_t driver_add(struct driver_queue *queue, const struct driver_buffer *buffers,
                    unsigned readable, unsigned writable);

/* The same in an indirect table, which is put at `table_gpa`. */
uint16_t driver_add_indirect(struct driver_queue *queue, uint64_t table_gpa,
                             const struct driver_buffer *buffers, unsigned readable,
                             unsigned writable);

/* Take the next used chain; false if there is none. */
bool driver_take(struct driver_queue *queue, uint32_t *head, uint32_t *written);

uint16_t *driver_avail_idx(struct driver_queue *queue);
uint16_t *driver_avail_flags(struct driver_queue *queue);
uint16_t *driver_used_event(struct driver_queue *queue);
uint16_t driver_used_idx(const struct driver_queue *queue);
uint16_t driver_used_flags(const struct driver_queue *queue);
uint16_t driver_avail_event(const struct driver_queue *queue);

/* Where a test sees the guest's memory at `gpa`. */
void *driver_memory(const struct guest_memory *memory, uint64_t gpa);
