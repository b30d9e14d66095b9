/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/throttle.c tests/unit/fake/fake_microkit.c
 *
 * What a machine pays for the work of its monitor: when its vCPUs are held, and for how long.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/cpu.h"
#include "vmm/freeze.h"
#include "vmm/throttle.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"

#define TURN_CHANNEL 7
#define VCPUS        3
#define US           62u     /* ticks; a little less than a microsecond */
#define TURN         125000u /* ticks of 2 ms */

static enum vcpu_state states[VCPUS];
static uint64_t throttle_until;
static uint64_t owed; /* from the start: the first event's cost, before it was known */

uint32_t vcpu_count(void)
{
    return VCPUS;
}

enum vcpu_state vcpu_state(uint8_t vcpu)
{
    return states[vcpu];
}

void vcpu_throttle(uint8_t vcpu)
{
    assert_int_equal(states[vcpu], VCPU_ON);
    states[vcpu] = VCPU_THROTTLED;
}

void vcpu_unthrottle(uint8_t vcpu)
{
    if (states[vcpu] == VCPU_THROTTLED) {
        states[vcpu] = VCPU_ON;
    }
}

/* Nobody pauses the machine: that is with test_vm. */
bool freeze_active(void)
{
    return false;
}

static bool is_late;

bool timer_is_late(void)
{
    return is_late;
}

void timer_throttle_until(uint64_t deadline)
{
    throttle_until = deadline;
}

static struct vmm_config config;

static void begin(uint32_t budget_us, uint32_t period_us, bool has_equals)
{
    fake_reset();
    fake.counter = 1000000;
    throttle_until = 0;
    config = (struct vmm_config){.budget_us = budget_us,
                                 .period_us = period_us,
                                 .has_equals = has_equals,
                                 .turn_channel = TURN_CHANNEL};
    states[0] = VCPU_ON;
    states[1] = VCPU_PARKED;
    states[2] = VCPU_OFF;
    throttle_init(&config);
    owed = (uint64_t)budget_us * TURN / 2000 / 100;
    /* No time between two exits: the kernel's part costs nothing. */
    throttle_exit_ends(0, true, fake.counter, fake.counter);
    throttle_exit_ends(0, true, fake.counter, fake.counter);
}

/* An exit of so many ticks, after the guest has run for as long. */
static void exit_of(uint8_t vcpu, uint64_t ticks)
{
    uint64_t start = fake.counter += ticks;

    fake.counter += ticks;
    throttle_exit_ends(vcpu, true, start, fake.counter);
}

static void event(uint64_t ticks)
{
    exit_of(0, ticks);
}

static void notification(uint64_t ticks)
{
    uint64_t start = fake.counter;

    fake.counter += ticks;
    throttle_charge_notification(start, fake.counter);
}

/* The equals have had a turn, of so many ticks. */
static bool turn_passes(uint64_t ticks)
{
    uint64_t start = fake.counter += ticks;
    bool over = throttle_turn_over(start);

    throttle_charge_notification(start, fake.counter);
    return over;
}

static void throttled_after_a_turns_worth(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    event(TURN / 2);
    event(TURN / 2 - owed - 1);
    assert_false(throttle_active());
    assert_int_equal(states[0], VCPU_ON);
    event(1);
    assert_true(throttle_active());
    assert_int_equal(states[0], VCPU_THROTTLED);
    assert_int_equal(states[1], VCPU_PARKED);
    assert_int_equal(states[2], VCPU_OFF);
    assert_int_equal(fake_notified(TURN_CHANNEL), 1);
}

static void released_when_its_equals_had_their_turn(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    event(TURN - owed);
    assert_true(turn_passes(TURN));
    assert_false(throttle_active());
    assert_int_equal(states[0], VCPU_ON);
    assert_int_equal(states[1], VCPU_PARKED);
    assert_false(throttle_turn_over(fake.counter)); /* once */

    event(TURN - 1);
    assert_false(throttle_active());
    event(1);
    assert_true(throttle_active());
}

/* Whatever the clock says: others ran meanwhile, or the emulator stood still. */
static void event_is_worth_a_turn_at_most(void **state)
{
    uint64_t start;

    (void)state;
    begin(2000, 2000, true);
    start = fake.counter;
    fake.counter += 1000 * (uint64_t)TURN;
    throttle_exit_ends(0, true, start, fake.counter);
    assert_true(throttle_active());
    assert_true(turn_passes(TURN));
}

/* Events now and then, 3 % of the time, cost nothing; a little more are paid for. */
static void seldom_events_are_forgiven(void **state)
{
    (void)state;
    for (unsigned each = 29; each <= 32; each++) {
        begin(2000, 2000, true);
        for (unsigned i = 0; i < 100; i++) {
            fake.counter += each * (TURN / 10);
            exit_of(0, TURN / 10); /* runs for as long before */
        }
        assert_int_equal(fake_notified(TURN_CHANNEL) != 0, each <= 30);
    }
}

/* What was saved up is one turn: then a burst is paid for. */
static void forgiven_once_after_a_rest(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    fake.counter += 1000 * (uint64_t)TURN;
    event(TURN);
    assert_false(throttle_active());
    event(TURN - 1);
    assert_false(throttle_active());
    event(1);
    assert_true(throttle_active());

    fake.counter += 1000 * (uint64_t)TURN; /* the equals' turn is long */
    assert_true(turn_passes(TURN));
    event(TURN);
    assert_true(throttle_active()); /* the time counts from when the debt was paid */
}

static void forgiven_at_a_notification(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    states[0] = VCPU_PARKED;
    fake.counter += 32 * (uint64_t)TURN;
    notification(TURN);
    assert_false(throttle_active());
    notification(TURN);
    assert_true(throttle_active());
}

static void limits_are_not_forgiven(void **state)
{
    (void)state;
    begin(2000, 4000, true);
    fake.counter += 1000 * (uint64_t)TURN;
    event(TURN);
    assert_true(throttle_active());
}

static void debts_are_paid_in_turns_and_bounded(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    for (unsigned i = 0; i < 100; i++) {
        event(TURN);
    }
    for (unsigned turn = 1; turn <= 4; turn++) {
        assert_int_equal(fake_notified(TURN_CHANNEL), turn);
        assert_int_equal(turn_passes(TURN + 77 * US), turn == 4);
    }
    assert_false(throttle_active());
}

/* What ends a hold is not charged for: else it might never end. */
static void throttles_own_events_are_free(void **state)
{
    uint64_t start;

    (void)state;
    begin(50, 1000, false);
    event(50 * 63);
    assert_true(throttle_active());
    start = fake.counter = throttle_until;
    fake.counter += TURN;
    assert_true(throttle_expired(fake.counter));
    throttle_charge_notification(start, fake.counter);
    exit_of(0, 10);
    assert_false(throttle_active());
}

/* One that computes is not stopped: the kernel may have an event of its for the monitor. */
static void vcpu_is_throttled_at_its_exit(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    notification(TURN);
    assert_false(throttle_active());
    assert_int_equal(states[0], VCPU_ON);
    event(1);
    assert_true(throttle_active());
    assert_int_equal(states[0], VCPU_THROTTLED);
}

static void machine_without_a_running_vcpu_pays_at_once(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    states[0] = VCPU_PARKED;
    notification(TURN);
    assert_true(throttle_active());
    assert_int_equal(states[0], VCPU_PARKED);
    assert_int_equal(fake_notified(TURN_CHANNEL), 1);
}

/* A reset program goes on: its exits are to be answered. */
static void only_running_vcpus_are_throttled(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    states[0] = VCPU_RESETTING;
    event(TURN);
    event(TURN);
    assert_true(throttle_active());
    assert_int_equal(states[0], VCPU_RESETTING);
}

/* Of an equal's slice half was left: that much is paid, no more. */
static void part_of_a_turn_pays_a_part(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    event(TURN - owed - 1);
    event(TURN / 4 + 1);
    assert_true(turn_passes(TURN / 2));
    event(TURN / 4); /* which makes a turn's worth again */
    assert_true(throttle_active());
}

static void costs_nothing_where_nobody_waits(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    event(10 * TURN);
    assert_true(turn_passes(10 * US));
    event(TURN - 1);
    assert_false(throttle_active());
}

static void no_equals_no_throttling(void **state)
{
    (void)state;
    begin(2000, 2000, false);
    for (unsigned i = 0; i < 10; i++) {
        event(TURN);
        assert_false(throttle_active());
    }
    assert_int_equal(states[0], VCPU_ON);
    assert_int_equal(fake_notified(TURN_CHANNEL), 0);
    assert_int_equal(throttle_until, 0);
}

/* 2 ms of 10: for 2 ms of its monitor's a machine is held for two periods, equals or not. */
static void limit_is_for_machine_and_monitor(void **state)
{
    (void)state;
    for (unsigned equals = 0; equals < 2; equals++) {
        begin(2000, 10000, equals);
        event(TURN - owed - 1);
        assert_false(throttle_active());
        event(1);
        assert_true(throttle_active());
        assert_int_equal(states[0], VCPU_THROTTLED);
        assert_int_equal(throttle_until, fake.counter + 2 * 625000);
        assert_int_equal(fake_notified(TURN_CHANNEL), 0);

        assert_false(throttle_expired(throttle_until - 1));
        assert_false(throttle_turn_over(throttle_until)); /* nobody's to say */
        assert_true(throttle_expired(throttle_until));
        assert_int_equal(states[0], VCPU_ON);
        assert_false(throttle_active());
    }
}

static void vcpus_started_while_throttled_are_throttled(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    event(TURN);
    states[2] = VCPU_ON;
    exit_of(2, 1);
    assert_int_equal(states[2], VCPU_THROTTLED);
    assert_true(turn_passes(TURN));
    assert_int_equal(states[2], VCPU_ON);
}

/* The kick comes after the work, and other exits in between: it is paid for all the same. */
static void others_work_counts(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    fake.counter += TURN;
    exit_of(0, 0);
    throttle_add(TURN - owed - 1);
    exit_of(0, 0);
    assert_false(throttle_active());
    event(1);
    assert_true(throttle_active());
}

/* Who says more than the time that has passed is not believed. */
static void others_work_is_believed_up_to_the_time_that_has_passed(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    fake.counter += TURN / 10 - owed;
    throttle_add(UINT32_MAX);
    exit_of(0, 0);
    for (unsigned i = 2; i < 10; i++) {
        fake.counter += TURN / 10;
        throttle_add(UINT32_MAX);
        exit_of(0, 0);
        assert_false(throttle_active());
    }
    fake.counter += TURN / 10;
    throttle_add(UINT32_MAX);
    exit_of(0, 0);
    assert_true(throttle_active());
}

/* An exit of no length at `at`. */
static void instant_exit(uint8_t vcpu, uint64_t at)
{
    fake.counter = at;
    throttle_exit_ends(vcpu, true, at, at);
}

/* How many exits of no length, `apart` ticks from one another, it takes to owe a turn. */
static unsigned exits_of_a_turn(uint64_t apart)
{
    unsigned exits = 0;

    while (!throttle_active()) {
        fake.counter += apart;
        exit_of(0, 0);
        exits++;
    }
    return exits;
}

/* What the kernel does for an exit is paid as well: half the time between the nearest two. */
static void kernels_part_is_half_the_shortest_time_between_exits(void **state)
{
    uint64_t start;

    (void)state;
    begin(2000, 2000, true);
    throttle_init(&config);
    start = fake.counter;
    instant_exit(0, start + 5000);  /* before it is known: a hundredth of the turn */
    instant_exit(0, start + 5800);  /* 400 */
    instant_exit(0, start + 6300);  /* 250 */
    instant_exit(0, start + 10000); /* 250 again */
    assert_in_range(exits_of_a_turn(5000), (TURN - 2150) / 250, (TURN - 2150) / 250 + 1);
}

/* Something else between two exits of a vCPU, or another's exit: the time says nothing. */
static void other_events_in_between_say_nothing_of_the_kernels_part(void **state)
{
    uint64_t now;

    (void)state;
    begin(2000, 2000, true);
    throttle_init(&config);
    now = fake.counter;
    for (unsigned i = 0; i < 10; i++) {
        instant_exit(0, now += 8);
        instant_exit(2, now += 8);
        notification(0);
        instant_exit(2, now += 8);
    }
    assert_in_range(exits_of_a_turn(5000), 60, 61); /* of 100, less 40 */
}

/*
 * In the first event the monitor has waited for its budget. The vCPU, resumed within it as at a
 * restart, has run and has exited again meanwhile.
 */
static void time_behind_a_long_event_says_nothing_of_the_kernels_part(void **state)
{
    uint64_t now;

    (void)state;
    begin(2000, 2000, true);
    throttle_init(&config);
    now = fake.counter += 5000;
    fake.counter += TURN / 50;
    throttle_exit_ends(0, true, now, fake.counter);
    instant_exit(0, fake.counter + 8);
    instant_exit(0, fake.counter + 800); /* 400 */
    assert_in_range(exits_of_a_turn(5000), (TURN - TURN / 50 - 2900) / 400,
                    (TURN - TURN / 50 - 2900) / 400 + 1);
}

static void kernels_part_that_is_too_small_is_forgotten(void **state)
{
    unsigned exits = 0;

    (void)state;
    begin(2000, 2000, true);
    throttle_init(&config);
    instant_exit(0, fake.counter);
    instant_exit(0, fake.counter + 2); /* it is 1 now */
    for (unsigned turn = 0; turn < 100; turn++) {
        exits = 0;
        while (!throttle_active()) {
            uint64_t start = fake.counter += 800;

            fake.counter += 100;
            throttle_exit_ends(0, true, start, fake.counter);
            exits++;
        }
        assert_true(turn_passes(TURN));
    }
    assert_in_range(exits, TURN / 500 - 5, TURN / 500 + 5);
}

/* An event is 100 ticks of the monitor, 40 of the restart, and 400 before the next is there. */
static void restart_is_charged_instead_of_an_answer(void **state)
{
    uint64_t events = 0;

    (void)state;
    begin(2000, 2000, true);
    throttle_init(&config);
    instant_exit(0, fake.counter += 5000);
    instant_exit(0, fake.counter += 60); /* 30 */
    while (!throttle_active()) {
        uint64_t start = fake.counter += 400;

        fake.counter += 100;
        throttle_exit_ends(0, true, start, fake.counter);
        if (!throttle_active()) {
            throttle_charge_more(fake.counter += 40);
        }
        events++;
    }
    assert_in_range(events, (TURN - 1250) / 140 - 3, (TURN - 1250) / 140 + 1); /* the first: 1250 */
}

/* What passes while another PD works is no time of the kernel's. Nor does the cost grow. */
static void time_behind_a_restart_says_nothing_of_the_kernels_part(void **state)
{
    (void)state;
    begin(2000, 2000, true);
    throttle_init(&config);
    instant_exit(0, fake.counter += 5000);
    instant_exit(0, fake.counter += 800); /* 400 */
    notification(0);
    for (unsigned turn = 0; turn < 20; turn++) {
        while (!throttle_active()) {
            uint64_t start = fake.counter += 2;

            fake.counter += 100;
            throttle_exit_ends(0, true, start, fake.counter);
            throttle_charge_more(fake.counter);
        }
        turn_passes(TURN);
    }
    assert_in_range(exits_of_a_turn(5000), TURN / 500, TURN / 400 + 1);
}

/* Among equals, in a domain with turns of `stay_us`; those of others take `away_us` in between. */
static void begin_in_domain(uint32_t away_us, uint32_t stay_us)
{
    begin(2000, 2000, true);
    config.away_us = away_us;
    config.stay_us = stay_us;
    throttle_init(&config);
    throttle_exit_ends(0, true, fake.counter, fake.counter);
    throttle_exit_ends(0, true, fake.counter, fake.counter);
}

/* An event in which other domains had their turns, 6 ms, is charged what it took itself. */
static void turns_of_other_domains_are_not_charged(void **state)
{
    const uint64_t away = 3 * TURN;

    (void)state;
    begin_in_domain(6000, 2000);
    for (unsigned i = 0; i < 40; i++) {
        event(away + TURN / 100);
        assert_false(throttle_active());
    }
    is_late = true;
    fake.counter += 100 * away;
    throttle_add(4 * TURN); /* others' work, in their own turns */
    is_late = false;
    event(TURN / 100);
    assert_false(throttle_active());
    event(TURN * 3 / 4);
    assert_true(throttle_active());
}

/* So long that others might have run, and they cannot so often: it is charged all the same. */
static void long_events_are_charged_but_for_one_in_a_turn(void **state)
{
    unsigned events = 0;

    (void)state;
    begin_in_domain(200, 8000);
    while (!throttle_active()) {
        event(TURN / 10 + TURN / 100);
        events++;
    }
    assert_in_range(events, 9, 11); /* one of them is nearly free */
}

/* The equal's slice is as long as others' turns: the machine has paid for a turn, and does not owe
 * it. */
static void turn_as_long_as_those_of_others_is_one(void **state)
{
    (void)state;
    begin_in_domain(2000, 8000);
    for (unsigned i = 0; i < 25; i++) {
        event(TURN / 10); /* those of another vCPU count, too: two turns and a half are owed */
    }
    assert_true(throttle_active());
    assert_false(turn_passes(TURN + 10 * US));
    assert_true(throttle_active());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(throttled_after_a_turns_worth),
        cmocka_unit_test(released_when_its_equals_had_their_turn),
        cmocka_unit_test(event_is_worth_a_turn_at_most),
        cmocka_unit_test(seldom_events_are_forgiven),
        cmocka_unit_test(forgiven_once_after_a_rest),
        cmocka_unit_test(forgiven_at_a_notification),
        cmocka_unit_test(limits_are_not_forgiven),
        cmocka_unit_test(debts_are_paid_in_turns_and_bounded),
        cmocka_unit_test(throttles_own_events_are_free),
        cmocka_unit_test(vcpu_is_throttled_at_its_exit),
        cmocka_unit_test(machine_without_a_running_vcpu_pays_at_once),
        cmocka_unit_test(only_running_vcpus_are_throttled),
        cmocka_unit_test(part_of_a_turn_pays_a_part),
        cmocka_unit_test(costs_nothing_where_nobody_waits),
        cmocka_unit_test(no_equals_no_throttling),
        cmocka_unit_test(limit_is_for_machine_and_monitor),
        cmocka_unit_test(vcpus_started_while_throttled_are_throttled),
        cmocka_unit_test(others_work_counts),
        cmocka_unit_test(kernels_part_is_half_the_shortest_time_between_exits),
        cmocka_unit_test(other_events_in_between_say_nothing_of_the_kernels_part),
        cmocka_unit_test(kernels_part_that_is_too_small_is_forgotten),
        cmocka_unit_test(time_behind_a_long_event_says_nothing_of_the_kernels_part),
        cmocka_unit_test(turns_of_other_domains_are_not_charged),
        cmocka_unit_test(long_events_are_charged_but_for_one_in_a_turn),
        cmocka_unit_test(turn_as_long_as_those_of_others_is_one),
        cmocka_unit_test(restart_is_charged_instead_of_an_answer),
        cmocka_unit_test(time_behind_a_restart_says_nothing_of_the_kernels_part),
        cmocka_unit_test(others_work_is_believed_up_to_the_time_that_has_passed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
