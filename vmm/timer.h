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

/* Have this vCPU, which is held, released at that time. */
void timer_release_at(uint8_t vcpu, uint64_t deadline);

/*
 * Remind the devices (virtio_reminded) once `ticks` of the counter have passed, or earlier: soon
 * after a vCPU has been parked, for it may be waiting for just that. One reminder is kept, the
 * earliest.
 */
void timer_remind(uint64_t ticks);

/* Whether the reminder is due; true once. */
bool timer_take_reminder(void);

/* The timer driver has notified the monitor: wake and release whom it is time for. */
void timer_notified(void);
