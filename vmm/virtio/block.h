/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* virtio-blk (virtio 1.2, 5.2) on a client's place at the disk multiplexer: block/protocol.h. */

#include "device.h"
#include "vmm/config.h"

/*
 * Create disk `index`, below VMM_MAX_DISKS, and put it on the guest's bus. `ram_region_size` is
 * struct vmm_config's. `config` and `memory` are kept. Returns the device.
 */
struct virtio_device *virtio_block_init(uint32_t index, const struct vmm_disk_config *config,
                                        const struct guest_memory *memory,
                                        uint64_t ram_region_size);
