/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * An emulated SP805 watchdog (Arm DDI 0270B). It counts down from WDOGLOAD, twice: the first time
 * it interrupts; the second time, unless the guest has cleared that, it resets. Here a reset is a
 * crash of the machine (crash.h).
 *
 * The guest starts it (INTEN, and RESEN for the reset). It is off when the machine starts. From
 * then on the guest may be silent for no longer than the system file says: WDOGLOAD holds half of
 * that at most, and a larger value that is written becomes this one. A guest finds out by reading
 * it.
 *
 * The time is the guest's. It goes on while the machine waits for the processor.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "mmio.h"

#define WATCHDOG_SIZE 4096u

/* Call timer_init first. `config` is not kept. */
void watchdog_init(const struct vmm_watchdog_config *config);

/* The machine has stopped, or restarts: it is off. */
void watchdog_reset(void);

/*
 * The timer driver has notified the monitor. Returns whether the watchdog resets the machine: it
 * does so until watchdog_reset.
 */
bool watchdog_timer_expired(void);

/* The registers; an mmio_handler. */
bool watchdog_access(void *unused, struct mmio_access *access);
