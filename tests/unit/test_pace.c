/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/pace.c tests/unit/fake/fake_microkit.c
 *
 * How long a monitor pauses between pieces of work: as long as somebody else may be waiting.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "vmm/pace.h"
#include "vmm/throttle.h"
#include "vmm/timer.h"

#define BEGIN 1000u
#define WORK  300u /* ticks */

static bool holds;
static uint64_t wake_up;

bool throttle_active(void)
{
    return holds;
}

void timer_pause_until(uint64_t deadline)
{
    wake_up = deadline;
}

/* An event with a piece of work. */
static void piece(bool has_others, bool has_equals)
{
    fake_reset();
    holds = false;
    wake_up = 0;
    pace_init(has_others, has_equals);
    fake.counter = BEGIN;
    pace_begin(fake.counter);
    assert_false(pace_pauses());
    fake.counter += WORK;
    assert_int_equal(pace_elapsed(), WORK);
    pace_pause(WORK);
    assert_true(pace_pauses());
}

static void goes_on(void)
{
    assert_true(pace_over());
    assert_false(pace_pauses());
    assert_false(pace_over()); /* once */
}

static void a_machine_alone_goes_on_at_once(void **state)
{
    (void)state;
    piece(false, false);
    assert_true(wake_up <= fake.counter); /* but other events may come first */
    goes_on();
}

static void others_have_as_long(void **state)
{
    (void)state;
    piece(true, false);
    assert_int_equal(wake_up, BEGIN + 2 * WORK);
    assert_false(pace_over());
    fake.counter = BEGIN + 2 * WORK - 1; /* a notification of somebody else's */
    assert_false(pace_over());
    assert_true(pace_pauses());
    fake.counter++;
    goes_on();
}

/* Two who work at once: while one was interrupted by the other's piece, the others had nothing. */
static void a_piece_that_was_interrupted_is_not_longer(void **state)
{
    (void)state;
    piece(true, false);
    fake.counter += 10 * WORK;
    goes_on();
}

static void equals_have_their_turn(void **state)
{
    (void)state;
    piece(true, true);
    assert_true(wake_up <= fake.counter);
    holds = true;
    assert_false(pace_over());
    fake.counter += 100 * WORK;
    assert_false(pace_over());
    assert_true(pace_pauses());
    holds = false;
    goes_on();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_alone_goes_on_at_once),
        cmocka_unit_test(others_have_as_long),
        cmocka_unit_test(a_piece_that_was_interrupted_is_not_longer),
        cmocka_unit_test(equals_have_their_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
