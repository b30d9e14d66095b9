/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * An emulated PL031 (Arm DDI 0224C): the guest's clock, in seconds. It is like one with a battery:
 * what the guest has set it to outlives a restart of the machine, but not of the board.
 *
 * The time of day comes from the board's clock, which is a PL031 as well, and which the monitor
 * reads once. It can neither set that clock nor have it interrupt: its page is mapped read-only.
 * Where there is none, the clock begins with the date of what the system was built of. So it does
 * where the board's clock is before that: it was never set, or its battery is empty.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "mmio.h"

#define PL031_SIZE 4096u

/*
 * Call timer_init first. `config` is not kept. Returns whether the time is that of the board's
 * clock.
 */
bool pl031_init(const struct vmm_clock_config *config);

/* The machine has stopped, or restarts: no alarm is set any more. */
void pl031_reset(void);

/* The timer driver has notified the monitor: the alarm may have come. */
void pl031_timer_expired(void);

/* The registers; an mmio_handler. */
bool pl031_access(void *unused, struct mmio_access *access);
