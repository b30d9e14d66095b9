/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Throttling: a machine pays for what its monitor does.
 *
 * The kernel charges vCPUs for the time that they run. It charges the monitor, at its higher
 * priority, for its own time. A guest that did nothing but exit, restart or send would have both.
 * So the monitor adds up the time of its events as a debt of the machine. That includes what PDs of
 * higher priorities do in between, and what the switch says it has worked for the machine. When the
 * debt is as long as a turn, the machine is throttled for one:
 *
 *   - until each machine of its priority has had a time slice, which costs nothing where none is
 *     ready (turn/turn.c); or
 *   - if the machine has a limit, a budget below its period, for two periods. The budget of the
 *     first one may be in use already. The budget of the second one is what pays. So the limit
 *     holds for the machine and its monitor together.
 *
 * A machine that owes little is not throttled: if its debt took FORGIVEN_TURNS turns or more to
 * become as long as one, a machine with equals is forgiven it. So one that has an event now and
 * then waits for no turn, and its equals lose a small part of their time at most. A limit holds all
 * the same, and so does the debt where time is divided among domains, which the clock does not
 * tell.
 *
 * A vCPU is throttled at its next exit. One that computes goes on, on its own time. To stop it
 * would withdraw an event of its timer or of its interrupts that the monitor has not received yet,
 * and that is not reported again. Loading a machine waits, too: see throttle_active. A machine
 * without equals and without a limit is never throttled.
 *
 * What an event is charged is bounded, for the clock goes on while a monitor waits for its budget,
 * while others run, and while an emulator stands still.
 *
 * All times are ticks of the counter (cpu_counter).
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"

/* There is no debt yet. `config` is kept. */
void throttle_init(const struct vmm_config *config);

/* A notification has been handled from `begin` to `end`. */
void throttle_charge_notification(uint64_t begin, uint64_t end);

/*
 * The exit of this vCPU has been handled from `begin` to `end`. `waits` says whether it waits for
 * an answer. Returns whether it is to be answered. If it waits, and is on, and the machine is
 * throttled, its state is VCPU_THROTTLED afterwards, and it must not be answered.
 */
bool throttle_exit_ends(uint8_t vcpu, bool waits, uint64_t begin, uint64_t end);

/*
 * The exit that has been charged last went on until `end`, when its vCPU was restarted. As the
 * monitor waits, another PD runs: the time to the next exit says nothing of the kernel's part.
 */
void throttle_charge_more(uint64_t end);

/*
 * Another PD says that it has worked for the machine for that many ticks. It is believed up to the
 * time that has passed without an event. Call this within an event.
 */
void throttle_add(uint32_t ticks);

/* Whether the machine is throttled: no vCPU may be woken, and loading has to wait. */
bool throttle_active(void);

/*
 * The notification from turn, or one from the timer driver, has come. Returns true if the machine
 * was throttled and is no longer: its vCPUs go on. What that takes is not charged for.
 */
bool throttle_turn_over(uint64_t now);
bool throttle_expired(uint64_t now);
