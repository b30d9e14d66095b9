/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The driver's side of the virtio-mmio transport, version 2 (virtio 1.2, 4.2): from finding a
 * device to its first request goes
 *
 *   virtio_bus_negotiate, virtio_bus_open_queue for each queue, virtio_bus_read_config,
 *   virtio_bus_start; virtio_bus_reset if one of them fails.
 *
 * `registers` is always where the device's slot is mapped. Causes of failure are sentences without
 * a full stop.
 */

#include <stdbool.h>
#include <stdint.h>
#include "vring_driver.h"

/*
 * Find a device of kind `id` (VIRTIO_ID_*), reset it and agree on features: those of `wanted` that
 * it offers, and all of `required`, which are part of `wanted`. Returns NULL, or the cause for
 * which there is no such device.
 */
const char *virtio_bus_negotiate(uintptr_t registers, uint32_t id, uint64_t wanted,
                                 uint64_t required, uint64_t *features);

/* The size for queue `index`: a power of two up to `wanted` and to what the device has; 0: none. */
uint16_t virtio_bus_queue_size(uintptr_t registers, uint32_t index, uint16_t wanted);

/* Give the device a fresh queue. Returns NULL, or the cause. */
const char *virtio_bus_add_queue(uintptr_t registers, uint32_t index,
                                 const struct vring_driver *queue);

/*
 * Make `queue`, a fresh one, and give it to the device as its queue `index`. The queue has up to
 * `size_max` descriptors, a power of two, and indirect tables of `indirect_max`. It lies at
 * `memory`, which the device knows as `paddr`; see vring_driver_init. Both are aligned to 16, and
 * `room` bytes are there. `features` are the negotiated ones. Returns NULL, or the cause.
 */
const char *virtio_bus_open_queue(uintptr_t registers, uint32_t index, struct vring_driver *queue,
                                  uint16_t size_max, uint16_t indirect_max, uint64_t features,
                                  void *memory, uint64_t paddr, uint64_t room);

/* The device may use its queues from now on. */
void virtio_bus_start(uintptr_t registers);

/* Stop the device. Returns false if it does not: it may go on using memory. */
bool virtio_bus_reset(uintptr_t registers);

/* Whether the device has met an error and can do nothing before a reset (2.1.2). */
bool virtio_bus_needs_reset(uintptr_t registers);

/* There is something new in queue `index`. */
void virtio_bus_notify(uintptr_t registers, uint32_t index);

/* Take the reasons why the device interrupts, VIRTIO_MMIO_INT_*; it then no longer does. */
uint32_t virtio_bus_take_interrupts(uintptr_t registers);

/*
 * Read fields of configuration space that belong together, all from before or all from after a
 * change (4.2.2.2): call `read`, which gets `to` and reads them, until the configuration has not
 * changed meanwhile. Returns NULL, or the cause.
 */
const char *virtio_bus_read_config(uintptr_t registers, void (*read)(void *to), void *to);

/* Single fields of configuration space, at `offset` bytes from its start. */
uint8_t virtio_bus_config8(uintptr_t registers, uint32_t offset);
uint16_t virtio_bus_config16(uintptr_t registers, uint32_t offset);
uint32_t virtio_bus_config32(uintptr_t registers, uint32_t offset);
uint64_t virtio_bus_config64(uintptr_t registers, uint32_t offset);
