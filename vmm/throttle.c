/* SPDX-License-Identifier: BSD-2-Clause */

#include "throttle.h"

#include <microkit.h>
#include "cpu.h"
#include "timer.h"
#include "vcpu.h"

/*
 * A turn that took less than this part of a time slice was nobody's. What is left of the slice of
 * an equal that was running may be as short, but seldom is.
 */
#define NOBODYS_PART 64u

/*
 * What the kernel does for an event, before and after it is the monitor's, in readings of a vCPU's
 * register; how long one of those takes is measured.
 */
#define EVENT_IN_READINGS 4u
#define READINGS          16u

static struct {
    const struct vmm_config *config;
    uint64_t event; /* ticks of the kernel's in each event */
    uint64_t turn;  /* ticks of the counter after which the machine is held for a turn */
    uint64_t spent; /* ticks not yet paid for */
    uint64_t added; /* of other PDs', in this event */
    uint64_t last;  /* when the event before ended */
    bool limited;   /* it pays by periods, not by turns */
    bool holds;
    uint64_t asked; /* when turn was asked, */
    uint64_t until; /* or when the hold is over, if limited */
} throttle;

static uint64_t ticks(uint32_t microseconds)
{
    return (uint64_t)microseconds * cpu_counter_frequency() / 1000000;
}

static uint64_t measure_event(void)
{
    uint64_t begin = cpu_counter();

    for (unsigned i = 0; i < READINGS; i++) {
        microkit_vcpu_arm_read_reg(0, seL4_VCPUReg_VBAR);
    }
    return (cpu_counter() - begin) * EVENT_IN_READINGS / READINGS;
}

void throttle_init(const struct vmm_config *config)
{
    throttle.config = config;
    throttle.limited = config->budget_us < config->period_us;
    throttle.turn = ticks(config->budget_us);
    throttle.event = measure_event();
    throttle.spent = 0;
    throttle.added = 0;
    throttle.last = cpu_counter();
    throttle.holds = false;
}

bool throttle_holds(void)
{
    return throttle.holds;
}

static void hold_vcpus(void)
{
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (vcpu_state(v) == VCPU_ON) {
            vcpu_hold(v);
        }
    }
}

static bool release_vcpus(void)
{
    throttle.holds = false;
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        vcpu_release(v);
    }
    return true;
}

/* Begin to pay for a turn. */
static void pay(uint64_t now)
{
    if (throttle.limited) {
        throttle.spent -= throttle.turn;
        throttle.until = now + 2 * ticks(throttle.config->period_us);
        timer_hold_until(throttle.until);
    } else {
        throttle.asked = now;
        microkit_notify(throttle.config->turn_channel);
    }
}

void throttle_add(uint32_t ticks)
{
    if (ticks != 0) {
        throttle.added += ticks + throttle.event; /* it had to be woken */
    }
}

void throttle_spent(uint64_t begin, uint64_t end)
{
    uint64_t passed = end - throttle.last;
    uint64_t worked = end - begin + throttle.added;

    throttle.spent += (worked < passed ? worked : passed) + throttle.event;
    throttle.added = 0;
    throttle.last = end;
    if (!throttle.holds) {
        if (throttle.spent < throttle.turn) {
            return;
        }
        if (!throttle.limited && !throttle.config->has_equals) {
            throttle.spent = 0;
            return;
        }
        throttle.holds = true;
        pay(end);
    }
    hold_vcpus();
}

bool throttle_turn_over(uint64_t now)
{
    if (!throttle.holds || throttle.limited) {
        return false;
    }
    uint64_t taken = now - throttle.asked;

    if (taken < throttle.turn / NOBODYS_PART) {
        throttle.spent = 0;
    } else {
        uint64_t paid = taken < throttle.turn ? taken : throttle.turn;

        throttle.spent -= paid < throttle.spent ? paid : throttle.spent;
    }
    if (throttle.spent >= throttle.turn) {
        pay(now);
        return false;
    }
    return release_vcpus();
}

bool throttle_time_over(uint64_t now)
{
    if (!throttle.holds || !throttle.limited || now < throttle.until) {
        return false;
    }
    if (throttle.spent >= throttle.turn) {
        pay(now);
        return false;
    }
    return release_vcpus();
}
