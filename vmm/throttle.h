/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A machine pays for what its monitor does.
 *
 * The kernel charges vCPUs for the time they run and the monitor, at its higher priority, for its
 * own. A guest that did nothing but exit, restart or send would have both. So the monitor adds up
 * the time of its events, which includes what more urgent PDs do in between, and what the switch
 * says it has worked for the machine. Once that is as long as a turn the machine is held for one:
 *
 *   - until all machines of its priority have had a turn, which costs nothing where none is ready
 *     (turn/turn.c); or
 *   - if the machine has a limit, a budget below its period, for two periods: the first one's
 *     budget may be in use already, the second one's is what has been spent. So the limit holds for
 *     the machine and its monitor together.
 *
 * Held is each vCPU that exits, at its exit. One that computes goes on, on its own time. To stop it
 * in between would withdraw an event of its timer or of its interrupts that the monitor has not
 * received yet, and no one tells of that again. What is to be loaded for a machine waits, too: see
 * throttle_holds. A machine without equals and without a limit is never held.
 *
 * What is charged is bounded, for the clock goes on while a monitor waits for its budget, while
 * others run, and while an emulator stands still.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"

/* Nothing is spent yet. `config` is kept. */
void throttle_init(const struct vmm_config *config);

/* A notification has taken from `begin` to `end` (cpu_counter). */
void throttle_spent(uint64_t begin, uint64_t end);

/*
 * A vCPU exits. Returns whether the machine is held, or will be by throttle_exited: then the vCPU
 * is not to be resumed while its exit is handled (vcpu_defer). Calls nobody: the message registers
 * still hold what the exit is about.
 */
bool throttle_exits(void);

/*
 * The exit of this vCPU has been handled, and `waits` for an answer or does not. If it is on,
 * waits, and the machine is held, it is held: its state is VCPU_HELD, and it is not to be answered.
 */
void throttle_exited(uint8_t vcpu, bool waits, uint64_t begin, uint64_t end);

/*
 * Another PD says that it has worked for the machine for so many ticks of the counter. It is
 * believed up to the time that has passed without an event; call this within an event.
 */
void throttle_add(uint32_t ticks);

/* Whether the machine is held: no vCPU is to be woken, and its loading is to wait. */
bool throttle_holds(void);

/*
 * The notification from turn, or one from the timer driver, has come. Returns true if the machine
 * was held and is no longer; its vCPUs have been released. What that takes is not charged for.
 */
bool throttle_turn_over(uint64_t now);
bool throttle_time_over(uint64_t now);
