/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What becomes of a machine that has crashed: the policy of the system file (`on_crash`). vm.h says
 * what a crash is. As to its crashes a machine is
 *
 *   sound      none counts: it has not crashed, or has run for a minute since, or was started or
 *              powered off by somebody else than the policy;
 *   waiting    it has crashed, and is off until its delay is over, or somebody starts it;
 *   on trial   it has been restarted by the policy;
 *   held       it has crashed, and stays as it is until somebody starts it.
 *
 *   sound, on trial -> waiting   it crashes, and the policy is to restart it;
 *   waiting -> on trial          its delay is over;
 *   sound, on trial -> held      it crashes, and the policy is another one, or has restarted it
 *                                CRASH_RESTARTS times in a row;
 *   on trial -> sound            it runs for a minute of its guest's time;
 *   any -> sound                 somebody starts it, or it is powered off.
 *
 * A delay is twice as long as the one before: 1, 2, 4, 8 and 16 seconds.
 */

#include <stdbool.h>
#include "config.h"

#define CRASH_RESTARTS 5u

/* The machine is sound. Call timer_init first. */
void crash_init(enum vmm_on_crash policy);

/*
 * The machine has crashed, and is off, or is held as it is. Returns in how many seconds it is to be
 * restarted, or 0: it is held.
 */
unsigned crash_happened(void);

/* How often the policy has restarted it in a row, or will have when the delay is over. */
unsigned crash_restarts(void);

/* The timer driver has notified the monitor. Returns whether the machine is to be restarted now. */
bool crash_timer_expired(void);

/* Somebody else than the policy starts it, or it is powered off. */
void crash_forget(void);

/* The guest's first instruction is next, and its time begins (timer.h). */
void crash_guest_begins(void);
