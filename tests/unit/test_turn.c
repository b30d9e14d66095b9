/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: turn/turn.c tests/unit/fake/fake_microkit.c
 *
 * Who asks for a turn hears of its end once, and those who ask together share one.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "drivers/timer/protocol.h"
#include "turn/config.h"

#define TIMER   61
#define CLIENTS 4

const struct turn_config turn_config = {
    .has_timer = true, .timer_channel = TIMER, .client_count = CLIENTS};

static microkit_msginfo timer_call(microkit_channel ch, microkit_msginfo msginfo)
{
    assert_int_equal(ch, TIMER);
    assert_int_equal(microkit_msginfo_get_label(msginfo), TIMER_SET);
    assert_int_equal(microkit_msginfo_get_count(msginfo), 1);
    assert_int_equal(microkit_mr_get(0), 0); /* at once */
    return microkit_msginfo_new(0, 0);
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake.ppcall = timer_call;
    init();
    notified(TIMER); /* of nobody's asking */
    fake.yields = 0;
    return 0;
}

static void one_client_one_turn(void **state)
{
    (void)state;
    notified(2);
    assert_int_equal(fake.ppcalls[TIMER], 1);
    assert_int_equal(fake.yields, 0);
    notified(TIMER);
    assert_int_equal(fake.yields, 1);
    for (microkit_channel ch = 0; ch < CLIENTS; ch++) {
        assert_int_equal(fake_notified(ch), ch == 2);
    }
    notified(TIMER);
    assert_int_equal(fake_notified(2), 1);
}

static void those_who_ask_together_share_a_turn(void **state)
{
    (void)state;
    for (microkit_channel ch = 0; ch < CLIENTS; ch++) {
        notified(ch);
    }
    assert_int_equal(fake.ppcalls[TIMER], 1);
    notified(TIMER);
    assert_int_equal(fake.yields, 1);
    for (microkit_channel ch = 0; ch < CLIENTS; ch++) {
        assert_int_equal(fake_notified(ch), 1);
    }
    notified(1);
    assert_int_equal(fake.ppcalls[TIMER], 2);
}

static void nobodys_channels_are_ignored(void **state)
{
    (void)state;
    notified(CLIENTS);
    notified(60);
    notified(63);
    assert_int_equal(fake.ppcalls[TIMER], 0);
    notified(TIMER);
    assert_int_equal(fake_notified(CLIENTS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_client_one_turn, setup),
        cmocka_unit_test_setup(those_who_ask_together_share_a_turn, setup),
        cmocka_unit_test_setup(nobodys_channels_are_ignored, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
