/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A guest's exits are handled at the monitor's priority and on nobody's budget: a guest that did
 * nothing but exit would leave its neighbours next to nothing. So the time that goes into exits is
 * added up, and where it is more than half of all time for some milliseconds, the VM's vCPUs are
 * held for as long again. Honest guests stay far below: one that sends as fast as it can, at a
 * quarter.
 */

#include <stdbool.h>
#include <stdint.h>

/* Forget what was. */
void throttle_reset(void);

/*
 * An exit of this vCPU has been handled between these two times (cpu_counter). Returns true if the
 * vCPU, which is on, is held now: then its fault is not to be answered.
 */
bool throttle_exit(uint8_t vcpu, uint64_t begin, uint64_t end);
