/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A machine that a person has paused is frozen: none of its vCPUs runs, and its virtual time stands
 * still. Its memory, its devices and what waits in its rings stay. (A pause in this house's own
 * sense, of long work, is another matter: pace.h.)
 *
 *   thawed    as ever;
 *   freezing  each vCPU stops at its next exit, for one that is stopped between its exits could
 * lose an event that is under way; one that has not exited after 20 ms is stopped where it is;
 *   frozen    all are stopped or parked. What wakes a parked one is remembered.
 */

#include <stdbool.h>
#include <stdint.h>

/* No vCPU is on; forget that the machine was frozen. */
void freeze_reset(void);

/* The machine runs: freeze it. Nothing happens to one that is frozen already. */
void freeze_begin(void);

/* Let it go on. Nothing happens to one that is not frozen. */
void freeze_end(void);

/* Freezing or frozen: no vCPU may be started. */
bool freeze_active(void);

/* An exit of the vCPU ends. If the machine is freezing, the vCPU is stopped and `waits` becomes
 * false. */
bool freeze_exit_ends(uint8_t vcpu, bool waits);

/* The timer driver has notified, at `now` in ticks of the counter. */
void freeze_timer_expired(uint64_t now);
