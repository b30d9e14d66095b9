/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * virtio-net (virtio 1.2, 5.1) on a port of the switch. Data path `isolated`: lib/net_port.h;
 * `vhost`: lib/vhost.h.
 */

#include "device.h"
#include "vmm/config.h"

/*
 * Create network card `index`, below VMM_MAX_INTERFACES, and put it on the guest's bus. `config`
 * and `memory` are kept. Returns the device.
 */
struct virtio_device *virtio_net_init(uint32_t index, const struct vmm_interface_config *config,
                                      const struct guest_memory *memory);
