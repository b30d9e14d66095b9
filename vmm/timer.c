/* SPDX-License-Identifier: BSD-2-Clause */

#include "timer.h"

#include <microkit.h>
#include "drivers/timer/protocol.h"
#include "lib/cpu.h"
#include "vcpu.h"
#include "vgic.h"

/* CNTV_CTL_EL0 (Arm DDI 0487, D19.12.18). */
#define CNTV_CTL_ENABLE (1u << 0)
#define CNTV_CTL_IMASK  (1u << 1)

/* A wake-up is moved if it would come within the first, and earlier than needed by the second. */
#define SOON_PER_SECOND  500u
#define EARLY_PER_SECOND 4000u

#define COALESCING_EARLY_PART 8u

#define NO_VCPU UINT8_MAX

#define MICROSECONDS 1000000u /* in a second */

/* What has the driver wake us at one time. */
enum alarm {
    ALARM_PAUSE,
    ALARM_CLOCK,
    ALARM_SILENCE,
    ALARM_WATCHDOG,
    ALARM_RESTART,
    ALARM_FREEZE,
    ALARM_STOP,
    ALARMS
};

static struct {
    microkit_channel channel;
    uint64_t *word;                   /* NULL: the driver is called */
    uint64_t stays_on;                /* a vCPU is not parked for less, if its timer is on */
    uint64_t offset;                  /* CNTVOFF_EL2 of all vCPUs */
    uint64_t armed;                   /* what the driver will wake us at, or TIMER_NEVER */
    uint64_t coalescing;              /* when the coalescing timer expires, or TIMER_NEVER */
    uint64_t coalescing_parked;       /* and how long after parked_at, or TIMER_NEVER */
    uint64_t polling;                 /* the polling timer: how long after resumed_at */
    uint64_t parked_at;               /* when a vCPU was parked last */
    uint64_t resumed_at;              /* when one was resumed, or timer_set_polling was called */
    uint64_t deadline[VMM_MAX_VCPUS]; /* of parked vCPUs; in CNTPCT ticks */
    uint32_t unsure;   /* bit v: vCPU v's deadline is its timer's, which may be off or masked */
    uint64_t throttle; /* when the throttling of the machine ends, or TIMER_NEVER */
    uint64_t alarms[ALARMS]; /* TIMER_NEVER: not set */
    uint64_t next_alarm;     /* the first of them: each parking looks at it */
} timer;

static void cancel_device_timers(void)
{
    timer.coalescing = TIMER_NEVER;
    timer.coalescing_parked = TIMER_NEVER;
    timer.polling = TIMER_NEVER;
}

void timer_init(const struct vmm_config *config)
{
    timer.channel = config->timer_channel;
    timer.word = config->timer_word;
    timer.stays_on = 0;
    if (timer.word != NULL && !config->has_others && config->vcpu_count == 1 &&
        config->budget_us == config->period_us) {
        timer.stays_on = config->timer_late_us * cpu_counter_frequency() / MICROSECONDS;
    }
    timer.armed = TIMER_NEVER;
    timer.throttle = TIMER_NEVER;
    for (unsigned i = 0; i < ALARMS; i++) {
        timer.alarms[i] = TIMER_NEVER;
    }
    timer.next_alarm = TIMER_NEVER;
    cancel_device_timers();
}

bool timer_is_late(void)
{
    return timer.word != NULL;
}

uint64_t timer_start_clock(void)
{
    timer.offset = cpu_counter();
    return timer.offset;
}

uint64_t timer_guest_time(void)
{
    return cpu_counter() - timer.offset;
}

uint64_t timer_delay_clock(uint64_t ticks)
{
    timer.offset += ticks;
    return timer.offset;
}

uint64_t timer_clock_offset(void)
{
    return timer.offset;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t part_of_second(uint64_t divisor)
{
    return cpu_counter_frequency() / divisor;
}

static void set(uint64_t deadline)
{
    bool is_earlier = deadline < timer.armed;

    timer.armed = deadline;
    if (timer.word != NULL) {
        __atomic_store_n(timer.word, deadline, __ATOMIC_RELAXED);
        if (is_earlier) {
            microkit_notify(timer.channel);
        }
        return;
    }
    microkit_mr_set(0, deadline);
    microkit_ppcall(timer.channel, microkit_msginfo_new(TIMER_SET, 1));
}

/*
 * Have the driver wake us at `deadline` or before. A wake-up that is set stays set when something
 * else wakes its vCPU, because it may serve again. Where that is unlikely it is moved: a call of
 * the driver is cheaper than to preempt whatever runs when the wake-up comes.
 */
static void arm(uint64_t deadline, uint64_t now)
{
    bool spurious = timer.armed < deadline && timer.armed - now < part_of_second(SOON_PER_SECOND) &&
                    deadline - timer.armed > part_of_second(EARLY_PER_SECOND);

    if (deadline < timer.armed || spurious) {
        set(deadline);
    }
}

/* The compare value of the vCPU's timer. One so large that the sum wraps is never reached. */
static uint64_t compare_of(uint8_t vcpu)
{
    uint64_t compare = microkit_vcpu_arm_read_reg(vcpu, seL4_VCPUReg_CNTV_CVAL) + timer.offset;

    return compare < timer.offset ? TIMER_NEVER : compare;
}

static bool is_on(uint8_t vcpu)
{
    uint64_t control = microkit_vcpu_arm_read_reg(vcpu, seL4_VCPUReg_CNTV_CTL);

    return (control & (CNTV_CTL_ENABLE | CNTV_CTL_IMASK)) == CNTV_CTL_ENABLE;
}

/*
 * When the vCPU, which is about to be stopped, is to be woken for its timer, or TIMER_NEVER.
 * Whether a timer is on that has not expired is asked when it does (timer_notified), which is
 * seldom: most often something else wakes the vCPU before.
 */
static uint64_t next_expiry(uint8_t vcpu, uint64_t now)
{
    uint64_t compare;

    timer.unsure &= ~(1u << vcpu);
    if (!vgic_timer_enabled(vcpu)) {
        return TIMER_NEVER;
    }
    compare = compare_of(vcpu);
    if (compare > now) {
        timer.unsure |= 1u << vcpu;
        return compare;
    }
    return is_on(vcpu) ? compare : TIMER_NEVER;
}

bool timer_asserted(uint8_t vcpu)
{
    return is_on(vcpu) && compare_of(vcpu) <= cpu_counter();
}

/* When a timer of the devices expires first. The vCPU `parking`, if it is one, counts as parked. */
static uint64_t next_device_expiry(uint8_t parking)
{
    uint64_t next = timer.coalescing;

    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (v == parking || vcpu_state(v) == VCPU_PARKED) {
            if (timer.coalescing_parked != TIMER_NEVER) {
                next = earlier(next, timer.parked_at + timer.coalescing_parked);
            }
        } else if (vcpu_state(v) == VCPU_ON && timer.polling != TIMER_NEVER) {
            next = earlier(next, timer.resumed_at + timer.polling);
        }
    }
    return next;
}

/* When the driver is to wake us, for whatever it may be. */
static uint64_t next_event(uint8_t parking)
{
    uint64_t next = earlier(next_device_expiry(parking), earlier(timer.throttle, timer.next_alarm));

    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (v == parking || vcpu_state(v) == VCPU_PARKED) {
            next = earlier(next, timer.deadline[v]);
        }
    }
    return next;
}

enum timer_parking timer_prepare_to_park(uint8_t vcpu)
{
    uint64_t now = cpu_counter();
    uint64_t expiry = next_expiry(vcpu, now);

    timer.deadline[vcpu] = expiry;
    if (expiry <= now) {
        return TIMER_EXPIRED;
    }
    if (timer.stays_on != 0 && expiry != TIMER_NEVER) {
        if (expiry - now <= timer.stays_on && is_on(vcpu)) {
            return TIMER_STAYS_ON;
        }
        timer.deadline[vcpu] = expiry - now > timer.stays_on ? expiry - timer.stays_on : expiry;
    }
    timer.parked_at = now;
    arm(next_event(vcpu), now);
    return TIMER_PARKS;
}

void timer_prepare_to_yield(uint8_t vcpu, uint64_t ticks)
{
    uint64_t now = cpu_counter();
    uint64_t expiry = next_expiry(vcpu, now);

    if (expiry <= now || expiry >= now + ticks) {
        expiry = now + ticks;
        timer.unsure &= ~(1u << vcpu);
    }
    timer.deadline[vcpu] = expiry;
    timer.parked_at = now;
    arm(next_event(vcpu), now);
}

void timer_throttle_until(uint64_t deadline)
{
    uint64_t next;

    timer.throttle = deadline;
    next = next_event(NO_VCPU);
    if (next != timer.armed) {
        set(next);
    }
}

/*
 * Most often a vCPU is parked soon. Where it then has long to wait, the driver is asked once, as if
 * one were parked by now. What comes a little too early then is not put off (take_device_expiry).
 */
void timer_set_coalescing(uint64_t ticks, uint64_t parked)
{
    uint64_t now = cpu_counter();
    uint64_t next;

    timer.coalescing = earlier(timer.coalescing, now + ticks);
    timer.coalescing_parked = earlier(timer.coalescing_parked, parked);
    next = next_event(NO_VCPU);
    if (timer.coalescing_parked >= part_of_second(SOON_PER_SECOND)) {
        next = earlier(next, now + timer.coalescing_parked);
    }
    arm(next, now);
}

void timer_set_polling(uint64_t ticks)
{
    uint64_t now = cpu_counter();

    timer.polling = earlier(timer.polling, ticks);
    timer.resumed_at = now;
    arm(next_event(NO_VCPU), now);
}

static void find_next_alarm(void)
{
    timer.next_alarm = TIMER_NEVER;
    for (unsigned i = 0; i < ALARMS; i++) {
        timer.next_alarm = earlier(timer.next_alarm, timer.alarms[i]);
    }
}

static void set_alarm(enum alarm alarm, uint64_t deadline)
{
    if (deadline != timer.alarms[alarm]) {
        timer.alarms[alarm] = deadline;
        find_next_alarm();
        arm(next_event(NO_VCPU), cpu_counter());
    }
}

void timer_pause_until(uint64_t deadline)
{
    set_alarm(ALARM_PAUSE, deadline);
}

void timer_alarm_at(uint64_t deadline)
{
    set_alarm(ALARM_CLOCK, deadline);
}

void timer_silence_until(uint64_t deadline)
{
    set_alarm(ALARM_SILENCE, deadline);
}

void timer_watchdog_at(uint64_t deadline)
{
    set_alarm(ALARM_WATCHDOG, deadline);
}

void timer_restart_at(uint64_t deadline)
{
    set_alarm(ALARM_RESTART, deadline);
}

void timer_freeze_at(uint64_t deadline)
{
    set_alarm(ALARM_FREEZE, deadline);
}

void timer_stop_at(uint64_t deadline)
{
    set_alarm(ALARM_STOP, deadline);
}

void timer_resumed(void)
{
    if (timer.polling != TIMER_NEVER) {
        uint64_t now = cpu_counter();

        timer.resumed_at = now;
        arm(next_event(NO_VCPU), now);
    }
}

/*
 * Whether a timer of the devices has expired, or is about to: to be early by a part of what a
 * parked vCPU waits costs less than another wake-up. If so, all of them are cancelled.
 */
static bool take_device_expiry(uint64_t now)
{
    uint64_t expiry = next_device_expiry(NO_VCPU);
    bool about_to = timer.coalescing_parked != TIMER_NEVER && expiry > now &&
                    expiry - now <= timer.coalescing_parked / COALESCING_EARLY_PART;

    if (expiry > now && !about_to) {
        return false;
    }
    cancel_device_timers();
    return true;
}

static void take_alarms(uint64_t now)
{
    if (timer.next_alarm > now) {
        return;
    }
    for (unsigned i = 0; i < ALARMS; i++) {
        if (timer.alarms[i] <= now) {
            timer.alarms[i] = TIMER_NEVER;
        }
    }
    find_next_alarm();
}

bool timer_notified(void)
{
    uint64_t now = cpu_counter();
    bool expired = take_device_expiry(now);

    timer.armed = TIMER_NEVER;
    if (timer.throttle <= now) {
        timer.throttle = TIMER_NEVER;
    }
    take_alarms(now);
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (vcpu_state(v) == VCPU_PARKED && timer.deadline[v] <= now) {
            timer.deadline[v] = TIMER_NEVER;
            if ((timer.unsure >> v & 1u) == 0 || is_on(v)) {
                vcpu_wake(v);
            }
        }
    }
    arm(next_event(NO_VCPU), now);
    return expired;
}
