/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/timer/timer.c drivers/timer/ttc.c lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/timer_clients.c tests/unit/fake/fake_microkit.c
 *
 * The timer driver with the triple timer counter, against a model of it: a counter of 16 or 32 bits
 * with a clock of its own and a prescaler, which goes on as time does. A read of a register takes
 * time.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/timer/config.h"
#include "drivers/timer/protocol.h"
#include "drivers/timer/ttc.h"
#include "lib/device_registers.h"
#include "tests/unit/fake/timer_clients.h"

#define REGISTERS 0xff110000u

const struct timer_config timer_config = {
    .registers = REGISTERS, .irq_channel = TIMER_IRQ, .client_count = TIMER_CLIENTS};

static struct {
    uint64_t hertz; /* of the bus */
    uint32_t width;
    uint32_t clock, control, interval, status, enable;
    uint64_t start;     /* CNTPCT when it began to count from 0 */
    uint64_t periods;   /* intervals that have been seen to end since */
    uint64_t read_cost; /* ticks of CNTPCT */
    uint64_t hiccup;    /* ticks that the host takes away within a read, once, */
    uint64_t hiccup_at; /* in this read */
    uint64_t slice;     /* ticks after which the host takes `away` ticks, again and again */
    uint64_t away;
    uint64_t slice_start;
    uint64_t reads, writes; /* so far */
    bool dead;              /* it does not count */
    bool ones;              /* reads are all ones */
    bool stuck;             /* its interrupt does not end */
} ttc;

static uint64_t exponent(void)
{
    return ttc.clock & TTC_CLOCK_PS_EN ? ((ttc.clock >> 1) & 15) + 1 : 0;
}

/* How far it has counted since it began. */
static uint64_t counted(uint64_t now)
{
    if ((ttc.control & TTC_CONTROL_DIS) || ttc.dead) {
        return 0;
    }
    return (uint64_t)((unsigned __int128)(now - ttc.start) * ttc.hertz / fake.frequency) >>
           exponent();
}

static uint64_t period(void)
{
    return (ttc.control & TTC_CONTROL_INT ? (uint64_t)ttc.interval : ttc.width) + 1;
}

/* Raise the interrupts that are due. */
static void settle(void)
{
    uint64_t ended = counted(fake.counter) / period();

    if (ended > ttc.periods && (ttc.control & TTC_CONTROL_INT)) {
        ttc.status |= TTC_INT_INTERVAL;
    }
    ttc.periods = ended;
}

uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    assert_int_equal(registers, REGISTERS);
    fake.counter += ttc.read_cost;
    if (ttc.reads++ == ttc.hiccup_at) {
        fake.counter += ttc.hiccup;
    }
    if (ttc.slice != 0 && fake.counter - ttc.slice_start >= ttc.slice) {
        fake.counter += ttc.away;
        ttc.slice_start = fake.counter;
    }
    settle();
    if (ttc.ones) {
        return ~0u;
    }
    switch (offset) {
    case TTC_VALUE:
        return (uint32_t)(counted(fake.counter) % period());
    case TTC_INTERVAL:
        return ttc.interval;
    case TTC_INT_STATUS: {
        uint32_t status = ttc.status;
        ttc.status = ttc.stuck ? status : 0;
        return status;
    }
    default:
        fail_msg("read of register %#x", offset);
        return 0;
    }
}

void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    assert_int_equal(registers, REGISTERS);
    ttc.writes++;
    settle();
    switch (offset) {
    case TTC_CLOCK:
        assert_true(ttc.control & TTC_CONTROL_DIS);
        assert_int_equal(value & ~0x1fu, 0);
        ttc.clock = value;
        break;
    case TTC_CONTROL:
        assert_int_equal(value & ~0x33u, 0);
        assert_true(value & TTC_CONTROL_WAVE_DIS);
        /* It never goes on from where another interval began. */
        assert_true((value & TTC_CONTROL_DIS) || (value & TTC_CONTROL_RST));
        ttc.control = value & ~TTC_CONTROL_RST;
        ttc.start = fake.counter;
        ttc.periods = 0;
        break;
    case TTC_INTERVAL:
        assert_true(ttc.control & TTC_CONTROL_DIS);
        ttc.interval = value & ttc.width;
        break;
    case TTC_INT_ENABLE:
        ttc.enable = value;
        break;
    default:
        fail_msg("write of register %#x", offset);
    }
}

/* When the running interval ends. */
uint64_t chip_next(void)
{
    if ((ttc.control & (TTC_CONTROL_DIS | TTC_CONTROL_INT)) != TTC_CONTROL_INT || ttc.dead) {
        return UINT64_MAX;
    }

    unsigned __int128 counts = (unsigned __int128)((ttc.periods + 1) * period()) << exponent();
    return ttc.start + (uint64_t)((counts * fake.frequency + ttc.hertz - 1) / ttc.hertz);
}

bool chip_line(void)
{
    settle();
    return ttc.status & ttc.enable;
}

static void start(uint64_t counter_hertz, uint64_t ttc_hertz, uint32_t width)
{
    fake_reset();
    fake.counter = 123456789;
    fake.frequency = counter_hertz;
    memset(&ttc, 0, sizeof(ttc));
    ttc.hertz = ttc_hertz;
    ttc.width = width;
    ttc.control = TTC_CONTROL_INT | TTC_CONTROL_WAVE_DIS; /* as firmware might leave it: running, */
    ttc.interval = 100;
    ttc.enable = 0x3f;
    ttc.status = TTC_INT_INTERVAL; /* and interrupting */
    ttc.read_cost = 10;
    interrupts = 0;
}

static const struct {
    uint64_t counter, bus;
    uint32_t width;
} boards[] = {
    {100 * MHZ, 100 * MHZ, 0xffffffffu}, /* the board */
    {62500000, 133 * MHZ, 0xffff},       /* QEMU */
    {24 * MHZ, 200 * MHZ, 0xffffffffu},
    {1000 * MHZ, 33 * MHZ, 0xffff},
};

/* How late a wake-up of board `b` may be, in ticks of CNTPCT, after a wait of `wait`. */
static uint64_t late_max(size_t b, uint64_t wait)
{
    uint64_t microsecond = boards[b].counter / MHZ;
    uint64_t last = wait < boards[b].counter / 16 ? wait : boards[b].counter / 16;

    /* The margin, or a step of the prescaler; and what reads of registers take. */
    return last / (boards[b].width == 0xffff ? 240 : 4096) + 3 * microsecond;
}

/* How many steps a wait may take, at most: of 1/8 s with 16 bits, of 2^29 ticks with 32. */
static uint64_t steps_max(size_t b, uint64_t wait)
{
    uint64_t step = boards[b].width == 0xffff ? boards[b].counter / 8 : 1ull << 29;

    return wait < boards[b].counter / 16 ? 1 : 2 + wait / step;
}

/* Everything is on time on each board: not a tick early, and hardly late. */
static void clients_are_woken_on_time(void **state)
{
    (void)state;
    static const uint64_t microseconds[] = {0, 1, 3, 20, 400, 999, 4000, 10000, 250000, 3000000};

    for (size_t b = 0; b < sizeof(boards) / sizeof(boards[0]); b++) {
        start(boards[b].counter, boards[b].bus, boards[b].width);
        init();
        assert_string_equal(fake.debug, "");
        assert_false(chip_line());
        for (size_t i = 0; i < sizeof(microseconds) / sizeof(microseconds[0]); i++) {
            uint64_t wait = microseconds[i] * boards[b].counter / MHZ + 1;
            uint64_t deadline = fake.counter + wait;
            unsigned before = interrupts;

            set(0, deadline);
            advance(deadline - 1);
            assert_int_equal(fake_notified(0), i);
            advance(deadline + late_max(b, wait));
            assert_int_equal(fake_notified(0), i + 1);
            assert_in_range(interrupts, before + 1, before + steps_max(b, wait));
            assert_true(ttc.control & TTC_CONTROL_DIS);
        }
    }
}

/* Far deadlines are reached in steps, without an early wake-up, and without drift. */
static void far_deadline_takes_steps(void **state)
{
    (void)state;
    for (size_t b = 0; b < sizeof(boards) / sizeof(boards[0]); b++) {
        uint64_t hour = 3600 * boards[b].counter;

        start(boards[b].counter, boards[b].bus, boards[b].width);
        init();
        uint64_t deadline = fake.counter + hour;
        set(1, deadline);
        advance(deadline - 1);
        assert_int_equal(fake_notified(1), 0);
        advance(deadline + late_max(b, hour));
        assert_int_equal(fake_notified(1), 1);
        assert_in_range(interrupts, hour >> 29, steps_max(b, hour));
        interrupts = 0;
        set(1, TIMER_NEVER - 1);
        advance(fake.counter + hour);
        assert_int_equal(fake_notified(1), 1);
        assert_in_range(interrupts, (hour >> 29) - 3, steps_max(b, hour));
    }
}

static void earliest_is_armed_and_replaced(void **state)
{
    (void)state;
    start(100 * MHZ, 100 * MHZ, 0xffffffffu);
    init();
    check_earliest_is_armed_and_replaced();
    assert_true(ttc.control & TTC_CONTROL_DIS);
}

/* What others ask for costs nothing while the earliest deadline stays. */
static void same_deadline_is_not_armed_again(void **state)
{
    (void)state;
    start(100 * MHZ, 100 * MHZ, 0xffffffffu);
    init();
    set(0, fake.counter + 50000);
    uint64_t writes = ttc.writes;
    uint64_t reads = ttc.reads;
    set(1, fake.counter + 60000);
    set(1, fake.counter + 70000);
    assert_int_equal(ttc.writes, writes);
    assert_int_equal(ttc.reads, reads);
}

/* An interrupt that was raised just before another deadline was set wakes nobody early. */
static void late_interrupt_of_a_replaced_deadline(void **state)
{
    (void)state;
    start(100 * MHZ, 100 * MHZ, 0xffffffffu);
    init();
    set(0, fake.counter + 1000);
    fake.counter += 1100;
    assert_true(chip_line());
    uint64_t deadline = fake.counter + 5000;
    set(0, deadline);
    assert_true(chip_line());
    advance(deadline - 1);
    assert_int_equal(fake_notified(0), 0);
    assert_int_equal(interrupts, 1);
    advance(deadline + 100);
    assert_int_equal(fake_notified(0), 1);
    /* The same with one that has been taken back. */
    set(0, fake.counter + 1000);
    fake.counter += 1100;
    set(0, TIMER_NEVER);
    advance(fake.counter + 100000);
    assert_int_equal(fake_notified(0), 1);
    assert_int_equal(interrupts, 3);
}

/* The deadline of another client passes while one is in a call. */
static void deadline_that_passes_during_a_call(void **state)
{
    (void)state;
    start(100 * MHZ, 100 * MHZ, 0xffffffffu);
    init();
    set(0, fake.counter + 1000);
    fake.counter += 2000;
    set(1, fake.counter + 500);
    advance(fake.counter + 100);
    assert_int_equal(fake_notified(0), 1);
    assert_int_equal(fake_notified(1), 0);
    advance(fake.counter + 500);
    assert_int_equal(fake_notified(1), 1);
}

/* On an emulator the host may take the processor away while the clocks are compared. */
static void disturbed_measurement_is_repeated(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 3000; at += 7) {
        start(62500000, 133 * MHZ, 0xffff);
        ttc.hiccup = 62500 * (1 + at % 40); /* up to 40 ms, in which 16 bits wrap */
        ttc.hiccup_at = at;
        init();
        uint64_t deadline = fake.counter + 625000;
        set(0, deadline);
        advance(deadline - 1);
        assert_int_equal(fake_notified(0), 0);
        assert_int_equal(interrupts, 0);
        advance(deadline + 625000 / 500);
        assert_int_equal(fake_notified(0), 1);
    }
}

/* Six times as many programs as processors: most of what is measured is of no use. */
static void measurement_on_a_busy_host(void **state)
{
    (void)state;
    for (uint64_t away = 1000; away < 2500000; away += 12345) {
        start(62500000, 133 * MHZ, 0xffff);
        ttc.slice = 187500; /* 3 ms */
        ttc.away = away;
        init();
        ttc.slice = 0;
        uint64_t deadline = fake.counter + 625000;
        set(0, deadline);
        advance(deadline - 1);
        assert_int_equal(fake_notified(0), 0);
        advance(deadline + 625000 / 500);
        assert_int_equal(fake_notified(0), 1);
    }
}

static void check_nothing_there(const char *cause)
{
    check_no_timer(cause, &ttc.writes);
    assert_int_equal(ttc.enable, 0);
}

static void what_is_no_timer_is_said(void **state)
{
    (void)state;
    start(100 * MHZ, 100 * MHZ, 0xffffffffu);
    ttc.dead = true;
    check_nothing_there("its counter does not count");
    start(100 * MHZ, 100 * MHZ, 0xffffffffu);
    ttc.ones = true;
    check_nothing_there("its counter does not count");
    start(100 * MHZ, 100 * MHZ, 0);
    check_nothing_there("there is no triple timer counter at its address");
    start(100 * MHZ, 100 * MHZ, 0xfffff);
    check_nothing_there("there is no triple timer counter at its address");
    /* Too slow, and too fast, for what it can be. */
    start(100 * MHZ, 100, 0xffffffffu);
    check_nothing_there("its counter does not count");
    start(1000, 4000 * MHZ, 0xffffffffu);
    ttc.read_cost = 1;
    check_nothing_there("its counter does not count");
}

/* It is read a bounded number of times, turned off, and not acknowledged. */
static void interrupt_that_does_not_end_is_given_up(void **state)
{
    (void)state;
    start(100 * MHZ, 100 * MHZ, 0xffffffffu);
    init();
    set(0, fake.counter + 1000);
    fake.counter += 2000;
    assert_true(chip_line());
    ttc.stuck = true;
    uint64_t reads = ttc.reads;
    notified(TIMER_IRQ);
    assert_in_range(ttc.reads - reads, 2, 1000);
    assert_int_equal(fake.deferred_irq_acks[TIMER_IRQ] + fake.irq_acks[TIMER_IRQ], 0);
    assert_false(chip_line());
    assert_non_null(strstr(fake.debug, "does not end"));
}

static void random_requests_follow_the_model(void **state)
{
    (void)state;
    for (size_t b = 0; b < sizeof(boards) / sizeof(boards[0]); b++) {
        start(boards[b].counter, boards[b].bus, boards[b].width);
        init();
        check_random_requests(late_max(b, boards[b].counter / 100));
    }
}

/* QEMU hangs at -icount if an interval is no whole number of microseconds, or longer than 131 ms.
 */
static void intervals_are_whole_microseconds(void **state)
{
    (void)state;
    start(62500000, 133 * MHZ, 0xffff);
    init();
    srand(2);
    for (int i = 0; i < 5000; i++) {
        set(0, fake.counter + 1 + (uint64_t)rand() % (62500u << rand() % 12));
        assert_int_equal((ttc.interval + 1) % 133, 0);
        assert_in_range(((uint64_t)ttc.interval + 1) << exponent(), 133, 131 * 133000);
        set(0, TIMER_NEVER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_woken_on_time),
        cmocka_unit_test(far_deadline_takes_steps),
        cmocka_unit_test(earliest_is_armed_and_replaced),
        cmocka_unit_test(same_deadline_is_not_armed_again),
        cmocka_unit_test(late_interrupt_of_a_replaced_deadline),
        cmocka_unit_test(deadline_that_passes_during_a_call),
        cmocka_unit_test(disturbed_measurement_is_repeated),
        cmocka_unit_test(measurement_on_a_busy_host),
        cmocka_unit_test(what_is_no_timer_is_said),
        cmocka_unit_test(interrupt_that_does_not_end_is_given_up),
        cmocka_unit_test(random_requests_follow_the_model),
        cmocka_unit_test(intervals_are_whole_microseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
