/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: turn/turn.c tests/unit/fake/fake_microkit.c
 *
 * Where the timer's driver is in another domain, each client has a turn of its own.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "turn/config.h"

#define CLIENTS 4

const struct turn_config turn_config = {.client_count = CLIENTS};

static void each_has_its_own_turn(void **state)
{
    (void)state;
    fake_reset();
    init();
    for (microkit_channel ch = 0; ch < CLIENTS; ch++) {
        notified(ch);
        assert_int_equal(fake.yields, ch + 1);
        assert_int_equal(fake_notified(ch), 1);
    }
    notified(CLIENTS);
    notified(0); /* no timer's */
    assert_int_equal(fake.yields, CLIENTS + 1);
    assert_int_equal(fake_notified(0), 2);
    assert_int_equal(fake_notified(CLIENTS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_has_its_own_turn)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
