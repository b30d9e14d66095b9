/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A virtio input device (virtio 1.2, 5.8) with one key: the machine's power button. Whoever presses
 * it asks the guest to shut down in order. The guest may do so or not.
 */

#include <stdbool.h>
#include "device.h"
#include "vmm/config.h"

#define VIRTIO_INPUT_SERIAL_MAX 32u

/*
 * Create it and put it on the guest's bus; `memory` is kept. No peer is behind it. `serial` is what
 * it tells the guest as its serial number; the first VIRTIO_INPUT_SERIAL_MAX bytes count.
 */
void virtio_input_init(const struct vmm_button_config *config, const char *serial,
                       const struct guest_memory *memory);

/*
 * Press the button and release it. Returns whether the guest's driver has been told. Otherwise
 * nothing has happened, and nothing will: there is no button, no driver runs, or it has no buffers
 * for all of the press. Such a press is not remembered. It would come at a time that nobody chose,
 * maybe in the machine's next start.
 */
bool virtio_input_press_power_button(void);
