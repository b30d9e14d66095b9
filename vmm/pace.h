/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Preemption points in the monitor. A monitor has a higher priority than all vCPUs: while it works,
 * no machine runs. So work that a guest can make long (its loading, the queues of its devices) is
 * done in pieces, with pauses in between:
 *
 *   - Among machines of one priority throttle.h keeps the shares. A pause ends at once, unless the
 *     machine is throttled, and then with that.
 *   - Where others have another priority, the pause is as long as the piece was.
 *   - A machine alone waits for nobody. Its pauses only let other events come in between.
 *
 * During a pause a monitor handles exits and notifications, but does nothing more of that work. All
 * times are ticks of the counter (cpu_counter).
 */

#include <stdbool.h>
#include <stdint.h>

/* Whether there are other machines on the board, and of this one's priority. Called once. */
void pace_init(bool has_others, bool has_equals);

/* An event, an exit or a notification, has begun at `now` (cpu_counter). */
void pace_begin(uint64_t now);

/* How long the event has been handled. The work of PDs of higher priorities is included. */
uint64_t pace_elapsed(void);

/* Begin a pause: this event was a piece of `work` ticks, and there is more to be done. */
void pace_pause(uint64_t work);

/* Whether a pause lasts, in which no such work may be done. */
bool pace_pauses(void);

/* A notification has been handled. Returns true if with it a pause is over: the work may go on. */
bool pace_over(void);
