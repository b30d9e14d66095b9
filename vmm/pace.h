/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Work of which there may be much is done in pieces. A monitor has a higher priority than all
 * vCPUs: while it works, no machine runs. So what a guest can make long (its loading, the queues of
 * its devices) stops after a piece and goes on after a pause:
 *
 *   - among machines of one priority throttle.h sees to it that each has its part: a pause ends at
 *     once, unless the machine is held, and then with that;
 *   - where others have another priority, the pause is as long as the piece was;
 *   - a machine alone has nobody to wait for: its pauses only let other events come in between.
 *
 * While it pauses, a monitor handles exits and notifications, but does nothing more of that work.
 */

#include <stdbool.h>
#include <stdint.h>

/* Whether there are other machines on the board, and of this one's priority. Called once. */
void pace_init(bool has_others, bool has_equals);

/* An event, an exit or a notification, has begun at `now` (cpu_counter). */
void pace_begin(uint64_t now);

/* For how many ticks of the counter the event has been handled; more urgent PDs' work included. */
uint64_t pace_elapsed(void);

/* Pause: this event was a piece of `work` ticks, and there is more to be done. */
void pace_pause(uint64_t work);

/* Whether it is a pause, in which no such work is done. */
bool pace_pauses(void);

/* A notification has been handled. Returns true if with it a pause is over: the work may go on. */
bool pace_over(void);
