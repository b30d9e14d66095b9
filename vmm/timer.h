/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The virtual timers of parked vCPUs, and what else the monitor has the timer driver wake it for.
 * The kernel saves and stops a vCPU's timer while the vCPU does not run, so the monitor asks the
 * timer driver to be woken in its place. Times are ticks of the counter (CNTPCT).
 */

#include <stdbool.h>
#include <stdint.h>

/* `channel` is the timer driver's. Called once. */
void timer_init(uint8_t channel);

/* All guest time starts now. Returns the offset for vcpu_power_on. */
uint64_t timer_start_clock(void);

/* That offset again, for a vCPU that is powered on later. */
uint64_t timer_clock_offset(void);

/*
 * The vCPU is about to be parked: have its virtual timer wake it. Returns false if the timer has
 * expired already. Then the vCPU must not be parked.
 */
bool timer_prepare_to_park(uint8_t vcpu);

/*
 * The same for a vCPU that yields (idle.h): it is woken after `ticks` in any case. A timer that has
 * expired already changes nothing here: the vCPU may have interrupts masked.
 */
void timer_prepare_to_yield(uint8_t vcpu, uint64_t ticks);

/* Have the driver notify the monitor at `deadline`, when throttling ends (throttle.h). */
void timer_throttle_until(uint64_t deadline);

/* The same, for when a pause ends (pace.h). */
void timer_pause_until(uint64_t deadline);

/*
 * Remind the devices (virtio_reminded) once `ticks` of the counter have passed, or when a vCPU has
 * been parked for `parked` of them, for it may be waiting for just that. One reminder is kept, the
 * earliest of each kind; it is over with the next reminder, whatever that has come for.
 */
void timer_remind(uint64_t ticks, uint64_t parked);

/*
 * The same for when vCPUs have been running for `ticks`, counted anew from now and from each time
 * that one is woken. While all are parked it does not come.
 */
void timer_watch(uint64_t ticks);

/* vCPUs that were parked have been resumed. */
void timer_resumed(void);

/*
 * The timer driver has notified the monitor: wake whom it is time for. Returns whether
 * the devices are to be reminded.
 */
bool timer_notified(void);
