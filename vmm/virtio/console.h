/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* virtio-console with one port (virtio 1.2, 5.3), over the VM's console_port. */

#include "device.h"
#include "vmm/config.h"

/* Create it and put it on the guest's bus; `memory` is kept. Returns the device. */
struct virtio_device *virtio_console_init(const struct vmm_console_config *config,
                                          const struct guest_memory *memory);
