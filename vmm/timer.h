/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The virtual timers of parked vCPUs. The kernel saves and stops a vCPU's timer while it does not
 * run, so the monitor asks the timer driver to be woken in its place.
 */

#include <stdbool.h>
#include <stdint.h>

/* `channel` is the timer driver's. Called once. */
void timer_init(uint8_t channel);

/* All guest time starts now; returns the offset for vcpu_power_on. */
uint64_t timer_start_clock(void);

/* That offset again, for a vCPU that is powered on later. */
uint64_t timer_clock_offset(void);

/*
 * The vCPU is about to be parked: see to it that its virtual timer will wake it. Returns false if
 * the timer has expired already and it should not be parked.
 */
bool timer_prepare_to_park(uint8_t vcpu);

/*
 * The same for a vCPU that shall be woken after `ticks` of the counter in any case. That its timer
 * has expired means nothing here: it may have interrupts masked.
 */
void timer_prepare_to_pause(uint8_t vcpu, uint64_t ticks);

/* Have the driver notify the monitor at that time, for the machine is held until then. */
void timer_hold_until(uint64_t deadline);

/* The same, for it pauses until then (pace.h). */
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
