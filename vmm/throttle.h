/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A machine pays for what its monitor does.
 *
 * The kernel charges vCPUs for the time they run and the monitor, at its higher priority, for its
 * own. A guest that did nothing but exit, restart or send would have both. So the monitor adds up
 * the time of its events, which includes what more urgent PDs do in between, and what the switch
 * says it has worked for the machine. Once that is as
 * long as a turn the machine's vCPUs are held for one:
 *
 *   - until all machines of its priority have had a turn, which costs nothing where none is ready
 *     (turn/turn.c); or
 *   - if the machine has a limit, a budget below its period, for two periods: the first one's
 *     budget may be in use already, the second one's is what has been spent. So the limit holds for
 *     the machine and its monitor together.
 *
 * A machine without equals and without a limit is never held. What is left to be done for a machine
 * that is being loaded, or for its devices, waits in the same way: see pace.h.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"

/* Nothing is spent yet. `config` is kept. */
void throttle_init(const struct vmm_config *config);

/*
 * An event has taken from `begin` to `end` (cpu_counter). Holds the vCPUs, those that the event has
 * just started included, if it is time to.
 */
void throttle_spent(uint64_t begin, uint64_t end);

/*
 * Another PD says that it has worked for the machine for so many ticks of the counter. It is
 * believed up to the time that has passed since the event before; call this within an event.
 */
void throttle_add(uint32_t ticks);

/* Whether the machine is held: no vCPU of it is to be started, and its loading is to wait. */
bool throttle_holds(void);

/*
 * The notification from turn, or one from the timer driver, has come. Returns true if the machine
 * was held and is no longer; its vCPUs have been released.
 */
bool throttle_turn_over(uint64_t now);
bool throttle_time_over(uint64_t now);
