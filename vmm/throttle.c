/* SPDX-License-Identifier: BSD-2-Clause */

#include "throttle.h"

#include <microkit.h>
#include "drivers/timer/protocol.h"
#include "freeze.h"
#include "lib/cpu.h"
#include "timer.h"
#include "vcpu.h"

/*
 * A turn was uncontended, no equal was ready, if it took less than this part of a time slice, and
 * the time of so many events for asking and answering. What is left of the slice of an equal that
 * was running may be as short, but seldom is.
 */
#define UNCONTENDED_PART   64u
#define UNCONTENDED_EVENTS 32u

/*
 * What the kernel does to bring an event to the monitor is charged as well. It takes as long as to
 * bring the answer to the vCPU. So it is half the shortest time between two exits of a vCPU with no
 * other event in between, and at most this part of a turn. A time says nothing behind an event that
 * took longer: a vCPU that restarts is resumed within it, and may have run while the monitor waited
 * for its budget. So it is where the monitor has woken another PD as it waited. One that is too
 * short all the same is soon forgotten: the cost grows by a part with each turn in which a time
 * said something. For a vCPU on another core part of that work is done there. All of it is charged.
 */
#define EVENT_COST_MAX_PART  100u
#define EVENT_COST_GROW_PART 8u

/* To wake another PD and leave it takes so many thirds of that. */
#define WAKING_COST 5u

/* An event is charged 2 ms at most. What takes longer is done in pieces (pace.h). */
#define CHARGE_MAX_PER_SECOND 500u
/* What other PDs have reported is at most so many of these. So is the debt, or a turn. */
#define DEBT_MAX_EVENTS 4u

/* A debt that grew for so many turns is forgiven: 3 % of the time is nobody's business. */
#define FORGIVEN_TURNS 32u

/* Times are in ticks of the counter. */
static struct {
    const struct vmm_config *config;
    uint64_t event_cost;     /* of the kernel's work for an event, */
    uint64_t event_cost_max; /* at most */
    uint64_t turn;           /* the debt at which the machine is throttled for a turn */
    uint64_t charge_max;     /* for one event */
    uint64_t away;           /* the least for which other domains run; 0: there are none */
    uint64_t stay;           /* the least for which this one does, in between */
    uint64_t next_away;      /* before then they do not run again */
    uint64_t debt_max;
    uint64_t debt;         /* not yet paid */
    uint64_t debt_since;   /* when it began to grow: the last one was paid or forgiven */
    uint64_t reported;     /* of other PDs' work, not yet in the debt */
    uint64_t unclaimed;    /* time without an event, in which other PDs can have worked */
    uint64_t last_end;     /* of the event before */
    uint8_t last_vcpu;     /* that event was an exit of this vCPU; or VCPU_NONE */
    bool timed;            /* in this turn there were two exits whose time says something */
    bool pays;             /* it has equals or a limit */
    bool limited;          /* it pays by periods, not by turns */
    bool active;           /* it is throttled */
    uint64_t exempt_until; /* up to then an event is the throttling's own: not charged */
    uint64_t asked_at;     /* when turn was asked; if not limited */
    uint64_t expires_at;   /* when the throttling ends; if limited */
} throttle;

static uint64_t ticks(uint32_t microseconds)
{
    return (uint64_t)microseconds * cpu_counter_frequency() / 1000000;
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * How long an event took. If other domains may have run meanwhile, it is without the least of their
 * time: at most once in a turn of this domain, so that a guest gains little by long events.
 */
static uint64_t taken(uint64_t begin, uint64_t end)
{
    uint64_t time = end - begin;

    if (throttle.away == 0 || time < throttle.away || end < throttle.next_away) {
        return time;
    }
    throttle.next_away = end + throttle.stay;
    return time - throttle.away;
}

void throttle_init(const struct vmm_config *config)
{
    throttle.config = config;
    throttle.limited = config->budget_us < config->period_us;
    throttle.pays = throttle.limited || config->has_equals;
    throttle.turn = ticks(config->budget_us);
    throttle.event_cost_max = throttle.turn / EVENT_COST_MAX_PART;
    throttle.event_cost = throttle.event_cost_max;
    throttle.away = ticks(config->away_us);
    throttle.stay = ticks(config->stay_us);
    throttle.next_away = 0;
    throttle.charge_max = cpu_counter_frequency() / CHARGE_MAX_PER_SECOND;
    throttle.debt_max = DEBT_MAX_EVENTS * throttle.charge_max;
    if (throttle.debt_max < throttle.turn) {
        throttle.debt_max = throttle.turn;
    }
    throttle.debt = 0;
    throttle.debt_since = cpu_counter();
    throttle.reported = 0;
    throttle.unclaimed = 0;
    throttle.last_end = cpu_counter();
    throttle.last_vcpu = VCPU_NONE;
    throttle.timed = false;
    throttle.active = false;
    throttle.exempt_until = 0;
}

bool throttle_active(void)
{
    return throttle.active;
}

static bool owes_a_turn(void)
{
    return throttle.debt >= throttle.turn;
}

/* An event has been charged that lasted from `begin` to `end`. Returns whether the machine has to
 * pay. If it owes a turn, it has, or is forgiven. */
static bool has_to_pay(uint64_t begin, uint64_t end)
{
    if (!owes_a_turn()) {
        return false;
    }
    if (throttle.limited || throttle.away != 0 || begin < throttle.debt_since ||
        begin - throttle.debt_since < FORGIVEN_TURNS * throttle.turn) {
        return true;
    }
    throttle.debt = 0;
    throttle.debt_since = end;
    return false;
}

/* A machine that is frozen goes on when it is thawed. */
static void unthrottle(void)
{
    throttle.active = false;
    if (freeze_active()) {
        return;
    }
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        vcpu_unthrottle(v);
    }
}

/* Begin to pay for a turn: the machine is throttled. */
static void start_throttling(uint64_t now)
{
    throttle.active = true;
    if (throttle.limited) {
        throttle.debt -= throttle.turn;
        throttle.expires_at = now + 2 * ticks(throttle.config->period_us);
        timer_throttle_until(throttle.expires_at);
    } else {
        throttle.asked_at = now;
        timer_throttle_until(TIMER_NEVER);
        microkit_notify(throttle.config->turn_channel);
    }
}

/* A turn has been paid for. Pay for another, or let the machine go on: then it returns true. */
static bool pay_or_unthrottle(uint64_t now)
{
    bool done = !owes_a_turn();
    uint64_t grown = throttle.event_cost +
                     (throttle.event_cost + EVENT_COST_GROW_PART - 1) / EVENT_COST_GROW_PART;

    if (throttle.timed) {
        throttle.event_cost = min(grown, throttle.event_cost_max);
        throttle.timed = false;
    }
    throttle.debt_since = now;
    if (done) {
        unthrottle();
    } else {
        start_throttling(now);
    }
    throttle.exempt_until = cpu_counter();
    return done;
}

/*
 * What other PDs do in the turns of their own domain costs this one's nothing. They have been
 * woken, and left again: by a notification, which takes less than a fault.
 */
void throttle_add(uint32_t ticks_worked)
{
    if (throttle.pays && ticks_worked != 0 && !timer_is_late()) {
        throttle.reported += ticks_worked + throttle.event_cost * WAKING_COST / 3;
    }
}

/* Charge for the reported work of other PDs as far as there was time for it. */
static void charge_reported(void)
{
    uint64_t most = DEBT_MAX_EVENTS * throttle.charge_max;
    uint64_t claimed;

    throttle.unclaimed = min(throttle.unclaimed, most);
    claimed = min(throttle.reported, throttle.unclaimed);
    throttle.unclaimed -= claimed;
    throttle.reported = min(throttle.reported - claimed, most);
    throttle.debt += claimed;
}

/* Charge for an event. */
static void charge(uint64_t begin, uint64_t end)
{
    throttle.unclaimed += begin - throttle.last_end;
    throttle.last_end = end;
    if (throttle.reported != 0) {
        charge_reported();
    }
    if (throttle.exempt_until < begin) {
        throttle.debt += min(taken(begin, end), throttle.charge_max) + throttle.event_cost;
    } else {
        throttle.debt += min(taken(throttle.exempt_until, end), throttle.charge_max);
    }
    throttle.debt = min(throttle.debt, throttle.debt_max);
}

/* The answer's time has been charged, and there is none. */
void throttle_charge_more(uint64_t end)
{
    if (throttle.pays) {
        throttle.debt -= min(throttle.debt, throttle.event_cost);
        throttle.debt += min(taken(throttle.last_end, end), throttle.charge_max);
        throttle.debt = min(throttle.debt, throttle.debt_max);
        throttle.last_end = end;
        throttle.last_vcpu = VCPU_NONE;
    }
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

void throttle_charge_notification(uint64_t begin, uint64_t end)
{
    if (!throttle.pays) {
        return;
    }
    charge(begin, end);
    throttle.last_vcpu = VCPU_NONE;
    if (!throttle.active && has_to_pay(begin, end) && !any_vcpu_on()) {
        start_throttling(end);
    }
}

bool throttle_exit_ends(uint8_t vcpu, bool waits, uint64_t begin, uint64_t end)
{
    bool begins;

    if (!throttle.pays) {
        return waits;
    }
    if (throttle.last_vcpu == vcpu) {
        throttle.timed = true;
        throttle.event_cost = min(throttle.event_cost, (begin - throttle.last_end) / 2);
    }
    throttle.last_vcpu = end - begin <= throttle.event_cost_max ? vcpu : VCPU_NONE;
    charge(begin, end);
    begins = !throttle.active && has_to_pay(begin, end);
    if (waits && (throttle.active || begins) && vcpu_state(vcpu) == VCPU_ON) {
        vcpu_throttle(vcpu);
        waits = false;
    }
    if (begins) {
        start_throttling(end);
    }
    return waits;
}

bool throttle_turn_over(uint64_t now)
{
    uint64_t turn = now - throttle.asked_at;

    if (!throttle.active || throttle.limited) {
        return false;
    }
    if (turn < throttle.turn / UNCONTENDED_PART + UNCONTENDED_EVENTS * throttle.event_cost) {
        throttle.debt = 0;
    } else {
        throttle.debt -= min(min(turn, throttle.turn), throttle.debt);
    }
    return pay_or_unthrottle(now);
}

bool throttle_expired(uint64_t now)
{
    if (!throttle.active || !throttle.limited || now < throttle.expires_at) {
        return false;
    }
    return pay_or_unthrottle(now);
}
