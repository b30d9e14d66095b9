/* SPDX-License-Identifier: BSD-2-Clause */

#include "throttle.h"

#include <microkit.h>
#include "lib/cpu.h"
#include "timer.h"
#include "vcpu.h"

/*
 * A turn that took less than this part of a time slice, and the time of so many events for asking
 * and answering, was nobody's. What is left of the slice of an equal that was running may be as
 * short, but seldom is.
 */
#define NOBODYS_PART   64u
#define NOBODYS_EVENTS 32u

/*
 * What the kernel does for an event, before and after it is the monitor's, in readings of a vCPU's
 * register. How long one of those takes is measured; the quickest attempt counts, for others may
 * run, or the emulator may stand still, during any of them.
 */
#define EVENT_IN_READINGS 4u
#define READINGS          4u
#define ATTEMPTS          8u

/* It is no longer than this part of a turn, whatever was measured. */
#define EVENT_MAX_PART 100u

/* An event is worth 2 ms at most: what takes longer is done in pieces (pace.h). */
#define LONGEST_PER_SECOND 500u
/* And so many of these are all that a machine ever owes, or may be charged for afterwards. */
#define DEBT_MAX 4u

static struct {
    const struct vmm_config *config;
    uint64_t event;   /* ticks of the kernel's in each event */
    uint64_t turn;    /* ticks of the counter after which the machine is held for a turn */
    uint64_t longest; /* ticks that an event is worth at most */
    uint64_t spent;   /* ticks not yet paid for */
    uint64_t added;   /* ticks of other PDs' not yet among those */
    uint64_t unused;  /* ticks that have passed without an event, for others to have worked in */
    uint64_t last;    /* when the event before ended */
    bool limited;     /* it pays by periods, not by turns */
    bool holds;
    bool due;       /* it begins to pay when the exit has been handled */
    uint64_t free;  /* up to this time the event is the hold's own */
    uint64_t asked; /* when turn was asked, */
    uint64_t until; /* or when the hold is over, if limited */
} throttle;

static uint64_t ticks(uint32_t microseconds)
{
    return (uint64_t)microseconds * cpu_counter_frequency() / 1000000;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t measure_event(void)
{
    uint64_t quickest = UINT64_MAX;

    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        uint64_t begin = cpu_counter();

        for (unsigned i = 0; i < READINGS; i++) {
            microkit_vcpu_arm_read_reg(0, seL4_VCPUReg_VBAR);
        }
        quickest = smaller(quickest, cpu_counter() - begin);
    }
    return quickest * EVENT_IN_READINGS / READINGS;
}

void throttle_init(const struct vmm_config *config)
{
    throttle.config = config;
    throttle.limited = config->budget_us < config->period_us;
    throttle.turn = ticks(config->budget_us);
    throttle.event = smaller(measure_event(), throttle.turn / EVENT_MAX_PART);
    throttle.longest = cpu_counter_frequency() / LONGEST_PER_SECOND;
    throttle.spent = 0;
    throttle.added = 0;
    throttle.unused = 0;
    throttle.last = cpu_counter();
    throttle.holds = false;
    throttle.due = false;
    throttle.free = 0;
}

bool throttle_holds(void)
{
    return throttle.holds;
}

static void release_vcpus(void)
{
    throttle.holds = false;
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        vcpu_release(v);
    }
}

/* Begin to pay for a turn. */
static void pay(uint64_t now)
{
    throttle.holds = true;
    if (throttle.limited) {
        throttle.spent -= throttle.turn;
        throttle.until = now + 2 * ticks(throttle.config->period_us);
        timer_hold_until(throttle.until);
    } else {
        throttle.asked = now;
        microkit_notify(throttle.config->turn_channel);
    }
}

/* A turn has been paid for: pay for another, or release the machine. Returns whether that is done.
 */
static bool go_on(uint64_t now)
{
    bool done = throttle.spent < throttle.turn;

    if (done) {
        release_vcpus();
    } else {
        pay(now);
    }
    throttle.free = cpu_counter();
    return done;
}

void throttle_add(uint32_t ticks_worked)
{
    if (ticks_worked != 0) {
        throttle.added += ticks_worked + throttle.event; /* it had to be woken */
    }
}

/* Charge for an event, and for what others have done, as far as there was time for it. */
static void charge(uint64_t begin, uint64_t end)
{
    uint64_t most = DEBT_MAX * throttle.longest;
    uint64_t others;

    throttle.unused = smaller(throttle.unused + (begin - throttle.last), most);
    throttle.last = end;
    others = smaller(throttle.added, throttle.unused);
    throttle.unused -= others;
    throttle.added = smaller(throttle.added - others, most);
    throttle.spent += others;
    if (throttle.free < begin) {
        throttle.spent += smaller(end - begin, throttle.longest) + throttle.event;
    } else {
        throttle.spent += smaller(end - throttle.free, throttle.longest);
    }
    throttle.spent = smaller(throttle.spent, most > throttle.turn ? most : throttle.turn);
}

/* Whether the machine owes a turn to anybody. */
static bool owes(void)
{
    if (throttle.spent < throttle.turn) {
        return false;
    }
    if (!throttle.limited && !throttle.config->has_equals) {
        throttle.spent = 0;
        return false;
    }
    return true;
}

static bool any_vcpu_on(void)
{
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (vcpu_state(v) == VCPU_ON) {
            return true;
        }
    }
    return false;
}

void throttle_spent(uint64_t begin, uint64_t end)
{
    charge(begin, end);
    if (!throttle.holds && owes() && !any_vcpu_on()) {
        pay(end);
    }
}

bool throttle_exits(void)
{
    throttle.due = !throttle.holds && owes();
    return throttle.holds || throttle.due;
}

void throttle_exited(uint8_t vcpu, bool waits, uint64_t begin, uint64_t end)
{
    if (throttle.due && !throttle.holds) {
        pay(end);
    }
    throttle.due = false;
    charge(begin, end);
    if (throttle.holds && waits && vcpu_state(vcpu) == VCPU_ON) {
        vcpu_hold(vcpu);
    }
}

bool throttle_turn_over(uint64_t now)
{
    uint64_t taken = now - throttle.asked;

    if (!throttle.holds || throttle.limited) {
        return false;
    }
    if (taken < throttle.turn / NOBODYS_PART + NOBODYS_EVENTS * throttle.event) {
        throttle.spent = 0;
    } else {
        throttle.spent -= smaller(smaller(taken, throttle.turn), throttle.spent);
    }
    return go_on(now);
}

bool throttle_time_over(uint64_t now)
{
    if (!throttle.holds || !throttle.limited || now < throttle.until) {
        return false;
    }
    return go_on(now);
}
