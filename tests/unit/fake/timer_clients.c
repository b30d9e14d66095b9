/* SPDX-License-Identifier: BSD-2-Clause */

#include "timer_clients.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/timer/protocol.h"

unsigned interrupts;

void set(microkit_channel ch, uint64_t deadline)
{
    microkit_mr_set(0, deadline);
    assert_int_equal(microkit_msginfo_get_label(protected(ch, microkit_msginfo_new(TIMER_SET, 1))),
                     0);
}

void advance(uint64_t now)
{
    for (;;) {
        if (!chip_line()) {
            uint64_t next = chip_next();

            if (next > now || next <= fake.counter) {
                break;
            }
            fake.counter = next;
            assert_true(chip_line());
        }
        unsigned acks = fake.deferred_irq_acks[TIMER_IRQ];
        assert_true(++interrupts < 1000000);
        notified(TIMER_IRQ);
        assert_int_equal(fake.deferred_irq_acks[TIMER_IRQ], acks + 1);
    }
    if (fake.counter < now) {
        fake.counter = now;
    }
}

void check_earliest_is_armed_and_replaced(void)
{
    uint64_t now = fake.counter;

    set(0, now + 50000);
    set(1, now + 30000);
    set(2, now + 40000);
    set(1, TIMER_NEVER);
    advance(now + 39999);
    assert_int_equal(interrupts, 0);
    advance(now + 45000);
    assert_int_equal(fake_notified(2), 1);
    assert_int_equal(fake_notified(1), 0);
    set(0, TIMER_NEVER);
    advance(now + 1000000);
    assert_int_equal(fake_notified(0), 0);
    assert_int_equal(interrupts, 1);
}

void check_random_requests(uint64_t late_max)
{
    uint64_t unit = fake.frequency / MHZ;
    uint64_t wanted[TIMER_CLIENTS];
    unsigned woken[TIMER_CLIENTS] = {0};

    srand(1);
    memset(wanted, 0xff, sizeof(wanted));
    for (int round = 0; round < 5000; round++) {
        unsigned ch = (unsigned)rand() % TIMER_CLIENTS;

        wanted[ch] = rand() % 8 == 0
                         ? TIMER_NEVER
                         : fake.counter + (uint64_t)(rand() % 10000) * unit - 100 * unit;
        set(ch, wanted[ch]);
        advance(fake.counter + (uint64_t)(rand() % 3000) * unit);
        for (unsigned i = 0; i < TIMER_CLIENTS; i++) {
            if (fake_notified(i) != woken[i]) {
                assert_int_equal(fake_notified(i), woken[i] + 1);
                assert_true(wanted[i] <= fake.counter);
                woken[i]++;
                wanted[i] = TIMER_NEVER;
            }
            assert_true(wanted[i] > fake.counter || fake.counter - wanted[i] < late_max);
        }
    }
    assert_in_range(interrupts, 100, 10000);
}

void check_no_timer(const char *cause, const uint64_t *writes)
{
    init();
    assert_non_null(strstr(fake.debug, cause));
    uint64_t before = *writes;
    set(0, fake.counter + 1000);
    set(0, TIMER_NEVER);
    assert_int_equal(*writes, before);
    /* An interrupt that comes all the same is not acknowledged. */
    notified(TIMER_IRQ);
    assert_int_equal(fake.deferred_irq_acks[TIMER_IRQ] + fake.irq_acks[TIMER_IRQ], 0);
    /* Who is late already is told so. */
    set(1, 5);
    assert_int_equal(fake_notified(1), 1);
}
