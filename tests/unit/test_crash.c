/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/crash.c tests/unit/fake/fake_microkit.c
 * SOURCES: tests/unit/fake/fake_stats.c
 *
 * What becomes of a machine that has crashed: the delays, when it is given up, and what is
 * forgiven.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "drivers/timer/protocol.h"
#include "vmm/crash.h"
#include "vmm/timer.h"

static uint64_t restart_at;

void timer_restart_at(uint64_t deadline)
{
    restart_at = deadline;
}

static uint64_t guest_began;

uint64_t timer_guest_time(void)
{
    return fake.counter - guest_began;
}

/* Its time begins with it (timer_start_clock). */
static void guest_begins(void)
{
    guest_began = fake.counter;
    crash_guest_begins();
}

static void start(enum vmm_on_crash policy)
{
    fake_reset();
    fake.counter = 7777;
    restart_at = 0;
    crash_init(policy);
    assert_int_equal(restart_at, TIMER_NEVER);
    guest_begins();
}

static void pass(uint64_t seconds)
{
    fake.counter += seconds * fake.frequency;
}

/* It crashes, and is restarted after so many seconds; the guest begins a second later. */
static void crashes_and_waits(unsigned seconds)
{
    uint64_t at = fake.counter + seconds * fake.frequency;

    assert_int_equal(crash_happened(), seconds);
    assert_int_equal(restart_at, at);
    assert_false(crash_timer_expired()); /* for somebody else */
    fake.counter = at - 1;
    assert_false(crash_timer_expired());
    fake.counter = at;
    assert_true(crash_timer_expired());
    assert_false(crash_timer_expired()); /* once */
    pass(1);
    guest_begins();
}

static void crashes_five_times(void)
{
    for (unsigned i = 0; i < CRASH_RESTARTS; i++) {
        assert_int_equal(crash_restarts(), i);
        pass(59);
        crashes_and_waits(1u << i);
    }
    assert_int_equal(crash_restarts(), CRASH_RESTARTS);
}

static void others_do_not_restart_it(void **state)
{
    static const enum vmm_on_crash policies[] = {VMM_ON_CRASH_HOLD, VMM_ON_CRASH_STOP};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        start(policies[i]);
        for (unsigned times = 0; times < 10; times++) {
            assert_int_equal(crash_happened(), 0);
            assert_int_equal(restart_at, TIMER_NEVER);
            assert_int_equal(crash_restarts(), 0);
            pass(1000);
            assert_false(crash_timer_expired());
        }
    }
}

static void it_is_restarted_five_times(void **state)
{
    (void)state;
    start(VMM_ON_CRASH_RESTART);
    crashes_five_times();
    pass(59);
    restart_at = TIMER_NEVER;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(crash_happened(), 0);
        assert_int_equal(restart_at, TIMER_NEVER);
        pass(100);
        assert_false(crash_timer_expired());
    }
    assert_int_equal(crash_restarts(), CRASH_RESTARTS);
}

static void a_minute_is_forgiven(void **state)
{
    (void)state;
    start(VMM_ON_CRASH_RESTART);
    crashes_and_waits(1);
    pass(59);
    crashes_and_waits(2);
    pass(60);
    crashes_and_waits(1);
    for (unsigned i = 0; i < 100; i++) {
        pass(61);
        crashes_and_waits(1);
    }
}

/* However long it takes to load the guest, or to reset the machine. */
static void the_minute_begins_with_the_guest(void **state)
{
    (void)state;
    start(VMM_ON_CRASH_RESTART);
    pass(100);
    assert_int_equal(crash_happened(), 1);
    pass(1);
    assert_true(crash_timer_expired());
    pass(50);
    assert_int_equal(crash_happened(), 2); /* the one before it began long ago */
    pass(2);
    assert_true(crash_timer_expired());
    pass(100);
    guest_begins();
    pass(59);
    guest_begins(); /* it has restarted by itself: that is no crash, and no minute */
    pass(59);
    assert_int_equal(crash_happened(), 4);
}

static void who_starts_it_forgives(void **state)
{
    (void)state;
    start(VMM_ON_CRASH_RESTART);
    crashes_five_times();
    assert_int_equal(crash_happened(), 0);
    crash_forget();
    assert_int_equal(crash_restarts(), 0);
    guest_begins();
    crashes_five_times();
}

static void who_starts_it_does_not_wait(void **state)
{
    (void)state;
    start(VMM_ON_CRASH_RESTART);
    crashes_and_waits(1);
    assert_int_equal(crash_happened(), 2);
    pass(1);
    crash_forget();
    assert_int_equal(restart_at, TIMER_NEVER);
    guest_begins();
    pass(10);
    assert_false(crash_timer_expired()); /* it is not restarted a second time */
    crashes_and_waits(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_do_not_restart_it),
        cmocka_unit_test(it_is_restarted_five_times),
        cmocka_unit_test(a_minute_is_forgiven),
        cmocka_unit_test(the_minute_begins_with_the_guest),
        cmocka_unit_test(who_starts_it_forgives),
        cmocka_unit_test(who_starts_it_does_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
