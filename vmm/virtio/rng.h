/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A virtio entropy device (virtio 1.2, 5.4): random bytes of ../entropy.h, whose init comes first.
 */

#include "device.h"
#include "vmm/config.h"

/* Create it and put it on the guest's bus; `memory` is kept. No peer is behind it. */
void virtio_rng_init(const struct vmm_rng_config *config, const struct guest_memory *memory);
