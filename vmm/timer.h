/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The virtual timers of parked vCPUs, and what else the monitor has the timer driver wake it for.
 * The kernel saves and stops a vCPU's timer while the vCPU does not run, so the monitor asks the
 * timer driver to be woken in its place. Times are ticks of the counter (CNTPCT).
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"

/* `config` is not kept. Called once. */
void timer_init(const struct vmm_config *config);

/*
 * Whether the driver is in another domain: what it is asked for comes with that one's next turn at
 * the earliest, a notification of it with the turn after that.
 */
bool timer_is_late(void);

/* All guest time starts now. Returns the offset for vcpu_power_on. */
uint64_t timer_start_clock(void);

/*
 * The guest's time now: ticks of its counter since it began. What a pause has taken is not in it
 * once the machine goes on (freeze.h).
 */
uint64_t timer_guest_time(void);

/* Guest time has stood still for `ticks` (freeze.h). Returns the offset from now on. */
uint64_t timer_delay_clock(uint64_t ticks);

/* That offset again, for a vCPU that is powered on later. */
uint64_t timer_clock_offset(void);

/* Whether the virtual timer of this vCPU, which has exited or is off, asserts its interrupt. */
bool timer_asserted(uint8_t vcpu);

enum timer_parking {
    TIMER_EXPIRED,  /* the timer has expired: the vCPU must not be parked */
    TIMER_STAYS_ON, /* it must not either, for it would be woken too late: see below */
    TIMER_PARKS,
};

/*
 * The vCPU is about to be parked: have its virtual timer wake it. Where the driver is in another
 * domain, and the vCPU alone in its own, it is woken so early that it waits for its timer itself,
 * on time that would be nobody's: TIMER_STAYS_ON.
 */
enum timer_parking timer_prepare_to_park(uint8_t vcpu);

/*
 * The same for a vCPU that yields (idle.h): it is woken after `ticks` in any case. A timer that has
 * expired already changes nothing here: the vCPU may have interrupts masked.
 */
void timer_prepare_to_yield(uint8_t vcpu, uint64_t ticks);

/*
 * The machine is throttled (throttle.h), to `deadline`, or TIMER_NEVER if another PD ends it. Have
 * the driver notify the monitor then, and for no vCPU that no longer runs: seL4 replenishes the
 * budget of a PD later, the oftener it wakes up for a little work.
 */
void timer_throttle_until(uint64_t deadline);

/* Have the driver notify the monitor at `deadline` for the machine's clock, or TIMER_NEVER. */
void timer_alarm_at(uint64_t deadline);

/* The same, for when the machine's consoles have been silent for long enough (panic.h). */
void timer_silence_until(uint64_t deadline);

/* The same, for when a pause ends (pace.h). */
void timer_pause_until(uint64_t deadline);

/* The same, for when the machine's watchdog expires (watchdog.h). */
void timer_watchdog_at(uint64_t deadline);

/* The same, for when a machine that has crashed is to be restarted (crash.h). */
void timer_restart_at(uint64_t deadline);

/* ... for when a vCPU that does not exit is to be stopped (freeze.h). */
void timer_freeze_at(uint64_t deadline);

/* ... for when a guest that was asked to shut down has had its time (command.h). */
void timer_stop_at(uint64_t deadline);

/*
 * Set the devices' coalescing timer (virtio/net_moderation.h). It expires after `ticks` of the
 * counter, or when a vCPU has been parked for `parked` ticks, for that vCPU may be waiting for just
 * this. There is one coalescing timer: of several calls the earliest expiry of each kind counts.
 * When it or the polling timer expires, both are cancelled, and virtio_timer_expired is due.
 */
void timer_set_coalescing(uint64_t ticks, uint64_t parked);

/*
 * Set the devices' polling timer. It expires when vCPUs have run for `ticks`, counted anew from now
 * and from each time that a parked vCPU is resumed. While all vCPUs are parked it does not expire.
 * Of several calls the smallest `ticks` counts.
 */
void timer_set_polling(uint64_t ticks);

/* vCPUs that were parked have been resumed. */
void timer_resumed(void);

/*
 * The timer driver has notified the monitor: wake the vCPUs whose deadlines have passed. Returns
 * whether the devices' coalescing or polling timer has expired.
 */
bool timer_notified(void);
