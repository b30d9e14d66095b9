/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The virtio-mmio transport, version 2 (virtio 1.2, 4.2): a device's registers.
 *
 * A device's register page is memory that holds what every register reads as, at all times. The
 * guest has it read-only, so only its writes come here.
 */

#include <linux/virtio_mmio.h>
#include <stdint.h>
#include "device.h"

#define VIRTIO_MMIO_PAGE_SIZE 4096u

/* Put a device on the guest's bus at `gpa`. Its register page is `device->page`. */
void virtio_mmio_attach(struct virtio_device *device, uint64_t gpa);

/* Write what the registers read as after a reset. */
void virtio_mmio_show_all(struct virtio_device *device);

/* Write what Status reads as, after a change of `device->status` or when the device has quiesced.
 */
void virtio_mmio_show_status(struct virtio_device *device);

/* Write what InterruptStatus reads as, and set the interrupt line's level. */
void virtio_mmio_show_interrupts(struct virtio_device *device);

/*
 * Write `count` bytes of configuration space at `offset`, both within VIRTIO_CONFIG_SIZE_MAX. What
 * is beyond that is left out.
 */
void virtio_mmio_show_config(struct virtio_device *device, uint32_t offset, const void *bytes,
                             uint32_t count);

/* Count a change of configuration space (ConfigGeneration). */
void virtio_mmio_bump_generation(struct virtio_device *device);
