/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The monitor's view of all its virtio devices (virtio 1.2). A device file (net.c, console.c …)
 * holds only what is particular to its kind: see struct virtio_device_ops in device.h beside this.
 */

#include <microkit.h>
#include <stdbool.h>
#include "lib/guest_memory.h"
#include "vmm/config.h"

/* Create the devices that the configuration names and attach them to the guest's bus. */
void virtio_init(const struct vmm_config *config, const struct guest_memory *memory);

/* Reset all devices: the VM restarts, or has stopped. Requests in flight are forgotten. */
void virtio_reset(void);

/*
 * Whether the VM may be started after init or virtio_reset: every disk is known, and none still
 * reads or writes guest memory for the guest that was there before. If not, it will be so after
 * some later virtio_notified.
 */
bool virtio_quiesced(void);

/* A pause is over (../pace.h): let the devices go on. */
void virtio_resumed(void);

/* The devices' coalescing or polling timer has expired (../timer.h). */
void virtio_timer_expired(void);

/*
 * A vCPU is about to wait: devices look at queues that they have asked no kicks for. It may have an
 * interrupt afterwards.
 */
void virtio_idle(void);

/* A peer has notified `channel`; returns false if it belongs to no virtio device. */
bool virtio_notified(microkit_channel channel);

/*
 * Whether the guest drives its virtio-console: then that takes the console's input, and until then
 * the emulated PL011 does. Both use vmm/console_port.h, whose init the monitor's core calls first.
 * On a notification of the console's channel the core tells both.
 */
bool virtio_console_ready(void);
