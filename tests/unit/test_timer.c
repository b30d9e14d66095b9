/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/timer/timer.c drivers/timer/cntp.c lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * The timer driver with CNTP, against a model of that timer: whoever waits is woken on time, once,
 * whatever the other clients ask for.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/timer/cntp.h"
#include "drivers/timer/config.h"
#include "drivers/timer/protocol.h"

#define CLIENTS 5
#define LATE    5u /* another client, which has a word */
#define IRQ     40

static uint64_t word;
static const uint64_t *const words[] = {NULL, NULL, NULL, NULL, NULL, &word};

const struct timer_config timer_config = {
    .irq_channel = IRQ, .client_count = CLIENTS + 1, .word_count = LATE + 1, .words = words};

static bool armed;
static uint64_t compare;

void cntp_arm(uint64_t deadline)
{
    armed = true;
    compare = deadline;
}

void cntp_disarm(void)
{
    armed = false;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake.counter = 1000;
    armed = true; /* as a boot loader might leave it */
    init();
    assert_false(armed);
    return 0;
}

static seL4_Word call(microkit_channel ch, seL4_Word label, seL4_Uint16 count, uint64_t value)
{
    microkit_mr_set(0, value);
    microkit_msginfo reply = protected(ch, microkit_msginfo_new(label, count));

    assert_int_equal(microkit_msginfo_get_count(reply), 0);
    return microkit_msginfo_get_label(reply);
}

static void set(microkit_channel ch, uint64_t deadline)
{
    assert_int_equal(call(ch, TIMER_SET, 1, deadline), 0);
}

/* Let time pass up to `now`, with the interrupts that the hardware would raise on the way. */
static void advance(uint64_t now)
{
    while (armed && compare <= now) {
        if (compare > fake.counter) {
            fake.counter = compare;
        }
        unsigned acks = fake.irq_acks[IRQ] + fake.deferred_irq_acks[IRQ];
        notified(IRQ);
        assert_int_equal(fake.irq_acks[IRQ] + fake.deferred_irq_acks[IRQ], acks + 1);
        /* The line is level-triggered: it must be down by now. */
        assert_false(armed && compare <= fake.counter);
    }
    fake.counter = now;
}

static void one_client_is_woken_once(void **state)
{
    (void)state;
    set(0, 2000);
    assert_true(armed);
    assert_int_equal(compare, 2000);
    advance(1999);
    assert_int_equal(fake_notified(0), 0);
    advance(2000);
    assert_int_equal(fake_notified(0), 1);
    assert_false(armed);
    advance(1000000);
    assert_int_equal(fake_notified(0), 1);
}

static void earliest_is_armed(void **state)
{
    (void)state;
    set(0, 5000);
    set(1, 3000);
    assert_int_equal(compare, 3000);
    set(2, 4000);
    assert_int_equal(compare, 3000);
    set(1, TIMER_NEVER);
    assert_int_equal(compare, 4000);
    set(2, 6000);
    assert_int_equal(compare, 5000);
    advance(5500);
    assert_int_equal(fake_notified(0), 1);
    assert_int_equal(fake_notified(1), 0);
    assert_int_equal(fake_notified(2), 0);
    assert_int_equal(compare, 6000);
    set(2, TIMER_NEVER);
    assert_false(armed);
}

static void past_deadline_wakes_at_once(void **state)
{
    (void)state;
    set(3, 4000);
    set(1, 1000);
    assert_int_equal(fake_notified(1), 1);
    set(1, 0);
    assert_int_equal(fake_notified(1), 2);
    assert_int_equal(compare, 4000);
    advance(3999);
    assert_int_equal(fake_notified(1), 2);
}

static void far_deadline_does_not_storm(void **state)
{
    (void)state;
    static const uint64_t far[] = {TIMER_NEVER - 1, 1ULL << 63, (1ULL << 63) + 1001, 1ULL << 62};

    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        set(0, far[i]);
        assert_true(armed);
        assert_true(compare > fake.counter && compare - fake.counter < 1ULL << 62);
    }
    advance(1ULL << 45);
    assert_int_equal(fake_notified(0), 0);
    advance((1ULL << 45) + 1);
    assert_true(armed);
    set(0, (1ULL << 45) + 5);
    advance((1ULL << 45) + 6);
    assert_int_equal(fake_notified(0), 1);
}

static void bad_calls_change_nothing(void **state)
{
    (void)state;
    set(0, 3000);
    assert_int_equal(call(0, 0, 1, 2000), 1);
    assert_int_equal(call(0, 2, 1, 2000), 1);
    assert_int_equal(call(0, (1ULL << 52) - 1, 1, 2000), 1);
    assert_int_equal(call(0, TIMER_SET, 0, 2000), 1);
    assert_int_equal(call(0, TIMER_SET, 2, 2000), 1);
    assert_int_equal(call(LATE + 1, TIMER_SET, 1, 2000), 1);
    assert_int_equal(call(61, TIMER_SET, 1, 2000), 1);
    assert_int_equal(compare, 3000);
    notified(0); /* a client that notifies the driver */
    notified(61);
    assert_int_equal(fake.deferred_irq_acks[0] + fake.irq_acks[0], 0);
    advance(3000);
    assert_int_equal(fake_notified(0), 1);
}

static void spurious_interrupt_wakes_nobody(void **state)
{
    (void)state;
    set(0, 3000);
    notified(IRQ);
    assert_int_equal(fake_notified(0), 0);
    assert_int_equal(compare, 3000);
}

static void random_requests_follow_the_model(void **state)
{
    (void)state;
    uint64_t wanted[CLIENTS];
    unsigned expected[CLIENTS] = {0};

    srand(1);
    memset(wanted, 0xff, sizeof(wanted));
    for (int round = 0; round < 20000; round++) {
        microkit_channel ch = (microkit_channel)(rand() % CLIENTS);
        uint64_t at = fake.counter + (uint64_t)(rand() % 1000) - 100;

        if (rand() % 8 == 0) {
            at = TIMER_NEVER;
        }
        set(ch, at);
        wanted[ch] = at;
        uint64_t now = fake.counter + (uint64_t)(rand() % 200);
        advance(now);
        for (int i = 0; i < CLIENTS; i++) {
            if (wanted[i] <= now) {
                expected[i]++;
                wanted[i] = TIMER_NEVER;
            }
            assert_int_equal(fake_notified((microkit_channel)i), expected[i]);
        }
    }
}

/* ---- A client with a word ---- */

static void client_with_a_word_does_not_call(void **state)
{
    (void)state;
    word = TIMER_NEVER;
    assert_int_equal(call(LATE, TIMER_SET, 1, 2000), 1);
    assert_false(armed);
}

static void word_is_read_when_its_client_says_so(void **state)
{
    (void)state;
    word = 2000;
    assert_false(armed);
    notified(LATE);
    assert_int_equal(compare, 2000);
    advance(1999);
    assert_int_equal(fake_notified(LATE), 0);
    advance(3000);
    assert_int_equal(fake_notified(LATE), 1);
    advance(9000);
    assert_int_equal(fake_notified(LATE), 1); /* once */
}

static void word_that_is_past_is_answered_at_once(void **state)
{
    (void)state;
    word = 1000;
    notified(LATE);
    assert_int_equal(fake_notified(LATE), 1);
    assert_false(armed);
    word = TIMER_NEVER;
    notified(LATE);
    assert_int_equal(fake_notified(LATE), 1);
    assert_false(armed);
}

/* What is put off is seen when its time would have come. Others are woken meanwhile. */
static void word_may_be_put_off_without_a_notification(void **state)
{
    (void)state;
    word = 2000;
    notified(LATE);
    set(0, 2500);
    word = 3000;
    advance(2999);
    assert_int_equal(fake_notified(LATE), 0);
    assert_int_equal(fake_notified(0), 1);
    advance(3000);
    assert_int_equal(fake_notified(LATE), 1);
    word = 4000;
    notified(LATE);
    word = TIMER_NEVER;
    advance(5000);
    assert_int_equal(fake_notified(LATE), 1);
    assert_false(armed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_client_is_woken_once, setup),
        cmocka_unit_test_setup(earliest_is_armed, setup),
        cmocka_unit_test_setup(past_deadline_wakes_at_once, setup),
        cmocka_unit_test_setup(far_deadline_does_not_storm, setup),
        cmocka_unit_test_setup(bad_calls_change_nothing, setup),
        cmocka_unit_test_setup(spurious_interrupt_wakes_nobody, setup),
        cmocka_unit_test_setup(random_requests_follow_the_model, setup),
        cmocka_unit_test_setup(client_with_a_word_does_not_call, setup),
        cmocka_unit_test_setup(word_is_read_when_its_client_says_so, setup),
        cmocka_unit_test_setup(word_that_is_past_is_answered_at_once, setup),
        cmocka_unit_test_setup(word_may_be_put_off_without_a_notification, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
