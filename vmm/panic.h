/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Whether the guest's kernel has panicked for good. Linux then prints, last of all,
 *
 *   ---[ end Kernel panic - not syncing: CAUSE ]---
 *
 * and spins. With `panic=N` it restarts and does not print this line, nor does it before a crash
 * kernel of its own takes over. No device need tell us, and no driver need be there. A kernel with
 * a driver for it tells us by a device as well, at once (pvpanic.h). That is not denied by
 * anything.
 *
 * The line may come of somebody who reads a log. So the machine counts as panicked by it when it
 * has printed nothing else for a second, and some vCPU has been busy all the time. It does no
 * longer when anything is printed, or all vCPUs wait: what a guest prints has no power over others.
 */

#include <stdbool.h>
#include <stdint.h>

enum panic_source { PANIC_VIRTIO, PANIC_PL011, PANIC_SOURCES };

/* Another guest begins. */
void panic_reset(void);

/* The guest has printed these bytes, on one of its consoles. They may change while they are read.
 */
void panic_printed(enum panic_source source, const uint8_t *bytes, uint32_t count);

/* All vCPUs that are on wait for interrupts. */
void panic_idle(void);

/*
 * The kernel says by pvpanic that it has panicked. It counts as that from the next notification of
 * the timer driver on, which is asked for: an exit that is being handled is not to stop its vCPU.
 */
void panic_told(void);

/* The machine was paused, and goes on. A second of silence is one of its own seconds. */
void panic_resumed(void);

/* The timer driver has notified. Returns whether the machine counts as panicked from now on. */
bool panic_timer_expired(void);

bool panic_stands(void);
