/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/timer/timer.c drivers/timer/bcm2835.c lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/timer_clients.c tests/unit/fake/fake_microkit.c
 *
 * The timer driver with BCM2711's system timer, against a model of it: a counter of microseconds
 * that goes on as time does, and a compare register that matches when the counter reaches it and at
 * no other moment. An access to a register takes time.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/timer/bcm2835.h"
#include "drivers/timer/config.h"
#include "drivers/timer/protocol.h"
#include "lib/device_registers.h"
#include "tests/unit/fake/timer_clients.h"

#define REGISTERS 0xfe003000u
#define COMPARE   1

const struct timer_config timer_config = {
    .registers = REGISTERS, .irq_channel = TIMER_IRQ, .client_count = TIMER_CLIENTS};

static struct {
    uint64_t offset;      /* of the counter, when CNTPCT is 0 */
    uint64_t compare;     /* the whole counter at the next match */
    uint32_t status;      /* CS */
    uint64_t access_cost; /* ticks of CNTPCT */
    uint64_t hiccup;      /* ticks that the host takes away before an access, */
    uint64_t hiccup_mask; /* if the number of the access has none of these bits set */
    uint64_t reads, writes;
    bool dead;  /* it does not count */
    bool stuck; /* its interrupt does not end */
} device;

static uint64_t counter_at(uint64_t now)
{
    return device.offset +
           (device.dead ? 0 : (uint64_t)((unsigned __int128)now * MHZ / fake.frequency));
}

/* Raise what is due. */
static void settle(void)
{
    while (counter_at(fake.counter) >= device.compare) {
        device.status |= BCM2835_CS_M(COMPARE);
        device.compare += 1ull << 32;
    }
}

static void pass(void)
{
    fake.counter += device.access_cost;
    if (device.hiccup != 0 && ((device.reads + device.writes) & device.hiccup_mask) == 0) {
        fake.counter += device.hiccup;
    }
    settle();
}

uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    assert_int_equal(registers, REGISTERS);
    device.reads++;
    pass();
    switch (offset) {
    case BCM2835_CS:
        return device.status;
    case BCM2835_CLO:
        return (uint32_t)counter_at(fake.counter);
    default:
        fail_msg("read of register %#x", offset);
        return 0;
    }
}

void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    assert_int_equal(registers, REGISTERS);
    device.writes++;
    pass();
    switch (offset) {
    case BCM2835_CS:
        assert_int_equal(value, BCM2835_CS_M(COMPARE)); /* the others' bits are the others' */
        device.status &= device.stuck ? ~0u : ~value;
        break;
    case BCM2835_C(COMPARE): {
        /* A value that the counter has at this moment has been missed. */
        uint64_t counter = counter_at(fake.counter);
        uint32_t ahead = value - (uint32_t)counter;

        device.compare = counter + (ahead == 0 ? 1ull << 32 : ahead);
        break;
    }
    default:
        fail_msg("write of register %#x", offset);
    }
}

bool chip_line(void)
{
    settle();
    return device.status & BCM2835_CS_M(COMPARE);
}

uint64_t chip_next(void)
{
    if (device.dead) {
        return UINT64_MAX;
    }

    unsigned __int128 ticks = (unsigned __int128)(device.compare - device.offset) * fake.frequency;

    return (uint64_t)((ticks + MHZ - 1) / MHZ);
}

/* The counter's lower half wraps this many microseconds later. */
static void start(uint64_t frequency, uint64_t to_wrap)
{
    fake_reset();
    fake.counter = 123456789;
    fake.frequency = frequency;
    memset(&device, 0, sizeof(device));
    device.offset = (7ull << 32) - to_wrap - counter_at(fake.counter);
    device.compare = (7ull << 32) + 50;
    device.status = 0xf; /* as firmware might leave it: all have matched */
    device.access_cost = 20;
    interrupts = 0;
}

static const uint64_t frequencies[] = {54 * MHZ, 62500000, 19200000, 1000 * MHZ};

/* What is left of the last microsecond, one more, and what accesses take. */
static uint64_t late_max(void)
{
    return 3 * fake.frequency / MHZ + 10 * device.access_cost;
}

/* Not a tick early, three microseconds late at most, and one interrupt each; over a wrap, too. */
static void clients_are_woken_on_time(void **state)
{
    (void)state;
    static const uint64_t microseconds[] = {0, 1, 3, 20, 400, 999, 4000, 10000, 250000, 3000000};

    for (size_t f = 0; f < sizeof(frequencies) / sizeof(frequencies[0]); f++) {
        start(frequencies[f], 5000);
        init();
        assert_string_equal(fake.debug, "");
        assert_false(chip_line());
        assert_int_equal(device.status, 0xf & ~BCM2835_CS_M(COMPARE));
        for (size_t i = 0; i < sizeof(microseconds) / sizeof(microseconds[0]); i++) {
            uint64_t deadline = fake.counter + microseconds[i] * fake.frequency / MHZ + 1;

            set(0, deadline);
            if (fake.counter < deadline) { /* it may have passed while it was written */
                advance(deadline - 1);
                assert_int_equal(fake_notified(0), i);
            }
            advance(deadline + late_max());
            assert_int_equal(fake_notified(0), i + 1);
            assert_int_equal(interrupts, i + 1);
        }
    }
}

/* In steps of 18 minutes. Without a deadline it interrupts when the counter has gone round. */
static void far_deadlines_take_steps(void **state)
{
    (void)state;
    start(54 * MHZ, 1u << 31);
    init();
    uint64_t hour = 3600 * fake.frequency;
    uint64_t deadline = fake.counter + 3 * hour;

    set(1, deadline);
    advance(deadline - 1);
    assert_int_equal(fake_notified(1), 0);
    assert_in_range(interrupts, 9, 11);
    advance(deadline + late_max());
    assert_int_equal(fake_notified(1), 1);
    set(1, TIMER_NEVER - 1);
    advance(fake.counter + 3 * hour);
    assert_int_equal(fake_notified(1), 1);
    set(1, TIMER_NEVER);
    interrupts = 0;
    advance(fake.counter + 3 * hour);
    assert_in_range(interrupts, 2, 3);
    assert_int_equal(fake_notified(1), 1);
}

static void earliest_is_armed_and_replaced(void **state)
{
    (void)state;
    start(54 * MHZ, 300);
    init();
    check_earliest_is_armed_and_replaced();
}

/* What others ask for costs nothing while the earliest deadline stays. */
static void same_deadline_is_not_armed_again(void **state)
{
    (void)state;
    start(54 * MHZ, 300);
    init();
    set(0, fake.counter + 50000);
    uint64_t accesses = device.reads + device.writes;
    set(1, fake.counter + 60000);
    set(1, fake.counter + 70000);
    assert_int_equal(device.reads + device.writes, accesses);
}

/* An interrupt that was raised just before another deadline was set wakes nobody early. */
static void late_interrupt_of_a_replaced_deadline(void **state)
{
    (void)state;
    start(54 * MHZ, 300);
    init();
    set(0, fake.counter + 1000);
    fake.counter += 1200;
    assert_true(chip_line());
    uint64_t deadline = fake.counter + 5000;
    set(0, deadline);
    assert_true(chip_line());
    advance(deadline - 1);
    assert_int_equal(fake_notified(0), 0);
    advance(deadline + late_max());
    assert_int_equal(fake_notified(0), 1);
    assert_in_range(interrupts, 1, 2);
}

/*
 * Where the host takes the processor away between accesses, a time may have passed when it is
 * written. No wake-up is lost: without the look at it, this would last 71 minutes.
 */
static void time_that_passes_while_it_is_written(void **state)
{
    (void)state;
    for (uint64_t mask = 0; mask < 16; mask++) {
        start(62500000, 100000);
        device.hiccup_mask = mask;
        init();
        for (int i = 0; i < 200; i++) {
            uint64_t deadline = fake.counter + 100 + (uint64_t)i * 40;

            device.hiccup = (uint64_t)(1 + i % 60) * 125;
            set(0, deadline);
            device.hiccup = 0;
            advance(deadline + 40 * 62500);
            assert_int_equal(fake_notified(0), i + 1);
        }
    }
}

static void random_requests_follow_the_model(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof(frequencies) / sizeof(frequencies[0]); f++) {
        start(frequencies[f], 1000000);
        init();
        check_random_requests(late_max());
    }
}

static void what_is_no_timer_is_said(void **state)
{
    (void)state;
    start(54 * MHZ, 300);
    device.dead = true;
    check_no_timer("there is no system timer at its address, or it does not count", &device.writes);
    start(54 * MHZ, 300);
    device.stuck = true;
    check_no_timer("its interrupt does not end", &device.writes);
}

/* It is looked at a bounded number of times, and not acknowledged. */
static void interrupt_that_does_not_end_is_given_up(void **state)
{
    (void)state;
    start(54 * MHZ, 300);
    init();
    set(0, fake.counter + 1000);
    fake.counter += 2000;
    assert_true(chip_line());
    device.stuck = true;
    uint64_t reads = device.reads;
    notified(TIMER_IRQ);
    assert_in_range(device.reads - reads, 2, 1000);
    assert_int_equal(fake.deferred_irq_acks[TIMER_IRQ] + fake.irq_acks[TIMER_IRQ], 0);
    assert_non_null(strstr(fake.debug, "does not end"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_woken_on_time),
        cmocka_unit_test(far_deadlines_take_steps),
        cmocka_unit_test(earliest_is_armed_and_replaced),
        cmocka_unit_test(same_deadline_is_not_armed_again),
        cmocka_unit_test(late_interrupt_of_a_replaced_deadline),
        cmocka_unit_test(time_that_passes_while_it_is_written),
        cmocka_unit_test(random_requests_follow_the_model),
        cmocka_unit_test(what_is_no_timer_is_said),
        cmocka_unit_test(interrupt_that_does_not_end_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
