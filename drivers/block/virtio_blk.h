/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One virtio-blk device (virtio 1.2, 5.2) with one queue and several requests in flight. It is
 * stopped for good when it breaks the protocol or sets DEVICE_NEEDS_RESET.
 */

#include <stdbool.h>
#include <stdint.h>
#include "block/protocol.h"
#include "lib/vring_driver.h"

/*
 * Find and start the device at `registers`. `dma` are `dma_size` bytes of memory, zeroed, aligned
 * to 16, kept, that the device knows as `dma_paddr`. Returns NULL and what the disk is like, or
 * the cause for which there is none: a sentence without a full stop.
 */
const char *virtio_blk_start(uintptr_t registers, void *dma, uint64_t dma_paddr, uint64_t dma_size,
                             struct block_info *info);

/*
 * Hand a request to the device; `data` are its segments. The request is not looked at further:
 * operation, limits and memory have been checked. Returns false if there is no room now.
 */
bool virtio_blk_submit(const struct block_request *request,
                       const struct vring_driver_segment *data);

/* Kick the device, once for a batch of submitted requests. */
void virtio_blk_kick(void);

/* Take a finished request: its id and its BLOCK_* status. False if there is none. */
bool virtio_blk_take(uint32_t *id, uint32_t *status);

/*
 * virtio_blk_interrupted: call it for an interrupt, before taking what has finished.
 * virtio_blk_await: call it before sleeping. It enables interrupts, and returns true if a request
 * has finished meanwhile, without one.
 */
void virtio_blk_interrupted(void);
bool virtio_blk_await(void);

/* How many requests are in flight. */
uint32_t virtio_blk_in_flight(void);

/*
 * Why the device is to be given up, or NULL. virtio_blk_stop then stops it and returns true; the
 * requests in flight have failed and are taken as before. It returns false if the device will not
 * stop: it may still use their memory, and they stay in flight.
 */
const char *virtio_blk_error(void);
bool virtio_blk_stop(void);
