/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/watchdog.c vmm/primecell.c tests/unit/fake/fake_microkit.c
 *
 * The emulated SP805: what its registers do, when it interrupts, when it resets the machine, and
 * that a guest has no other way out than to be heard of.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "drivers/timer/protocol.h"
#include "vmm/timer.h"
#include "vmm/vgic.h"
#include "vmm/watchdog.h"

#define LOAD    0x000
#define VALUE   0x004
#define CONTROL 0x008
#define INTCLR  0x00c
#define RIS     0x010
#define MIS     0x014
#define LOCK    0xc00
#define ITCR    0xf00
#define ITOP    0xf04

#define INTEN 1u
#define RESEN 2u

#define INTID  35u
#define LIMIT  10u                    /* seconds */
#define HALF   (LIMIT * 12000000 - 1) /* of that, in cycles of its clock */
#define SECOND 24000000u

static bool level;
static uint64_t alarm_at;
static uint64_t offset; /* of the guest's counter */

void vgic_set_level(uint32_t intid, bool asserted)
{
    assert_int_equal(intid, INTID);
    level = asserted;
}

void timer_watchdog_at(uint64_t deadline)
{
    alarm_at = deadline;
}

uint64_t timer_clock_offset(void)
{
    return offset;
}

uint64_t timer_guest_time(void)
{
    return fake.counter - offset;
}

static int start(void **state)
{
    const struct vmm_watchdog_config config = {.gpa = 0x09020000, .intid = INTID, .seconds = LIMIT};

    (void)state;
    fake_reset();
    fake.counter = 1000 * fake.frequency;
    offset = 900 * fake.frequency;
    level = true;
    alarm_at = 0;
    watchdog_init(&config);
    assert_false(level);
    assert_int_equal(alarm_at, TIMER_NEVER);
    return 0;
}

static void write_reg(uint32_t at, uint32_t value)
{
    struct mmio_access access = {.offset = at, .width = 4, .write = true, .value = value};

    assert_true(watchdog_access(NULL, &access));
}

static uint32_t read_reg(uint32_t at)
{
    struct mmio_access access = {.offset = at, .width = 4, .value = ~0ull};

    assert_true(watchdog_access(NULL, &access));
    return (uint32_t)access.value;
}

/* Let time pass, with a notification whenever one was asked for; returns whether it has reset. */
static bool pass(uint64_t tenths)
{
    uint64_t end = fake.counter + tenths * fake.frequency / 10;
    bool reset = false;

    while (alarm_at <= end && !reset) {
        fake.counter = alarm_at > fake.counter ? alarm_at : fake.counter;
        alarm_at = TIMER_NEVER;
        reset = watchdog_timer_expired();
    }
    if (!reset) {
        fake.counter = end;
    }
    return reset;
}

/* As Linux's driver does, for so many seconds. */
static void set(unsigned seconds, bool on)
{
    write_reg(LOCK, 0x1acce551);
    write_reg(LOAD, seconds * (SECOND / 2) - 1);
    write_reg(INTCLR, 1);
    if (on) {
        write_reg(CONTROL, INTEN | RESEN);
    }
    write_reg(LOCK, 1);
    assert_int_equal(read_reg(LOCK), 1);
}

static void it_says_what_it_is(void **state)
{
    static const uint8_t ids[] = {0x05, 0x18, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(read_reg(0xfe0 + 4 * i), ids[i]);
    }
    assert_int_equal(read_reg(LOAD), HALF);
    assert_int_equal(read_reg(VALUE), HALF);
    assert_int_equal(read_reg(CONTROL), 0);
    assert_int_equal(read_reg(RIS), 0);
    assert_int_equal(read_reg(MIS), 0);
    assert_int_equal(read_reg(LOCK), 0);
    assert_int_equal(read_reg(INTCLR), 0);
    write_reg(ITCR, 1);
    write_reg(ITOP, 3);
    assert_int_equal(read_reg(ITCR), 0);
    assert_int_equal(read_reg(ITOP), 0);
    assert_false(level);
    write_reg(VALUE, 5);
    assert_int_equal(read_reg(VALUE), HALF);
}

static void it_is_off_until_it_is_started(void **state)
{
    (void)state;
    assert_false(pass(10000));
    write_reg(LOAD, 100);
    assert_int_equal(read_reg(VALUE), 100);
    assert_false(pass(10000));
    write_reg(CONTROL, RESEN); /* does not count without INTEN */
    assert_int_equal(alarm_at, TIMER_NEVER);
    assert_false(pass(10000));
    assert_int_equal(read_reg(VALUE), 100);
    assert_int_equal(read_reg(RIS), 0);
}

static void silence_resets(void **state)
{
    uint64_t begin = fake.counter;

    (void)state;
    set(10, true);
    assert_false(pass(49));
    assert_false(level);
    assert_false(pass(2));
    assert_true(level); /* it warns */
    assert_int_equal(read_reg(RIS), 1);
    assert_int_equal(read_reg(MIS), 1);
    assert_false(pass(48));
    assert_true(pass(2));
    assert_in_range(fake.counter - begin, 10 * fake.frequency, 10 * fake.frequency + 100);
    assert_true(watchdog_timer_expired()); /* until the machine is reset */
    watchdog_reset();
    assert_false(watchdog_timer_expired());
    assert_false(level);
    assert_int_equal(alarm_at, TIMER_NEVER);
    assert_int_equal(read_reg(CONTROL), 0);
    assert_int_equal(read_reg(LOCK), 0);
    assert_int_equal(read_reg(LOAD), HALF);
    assert_false(pass(10000));
}

static void who_feeds_it_goes_on(void **state)
{
    (void)state;
    set(10, true);
    for (unsigned i = 0; i < 100; i++) {
        assert_false(pass(i % 2 == 0 ? 40 : 98));
        set(10, false);
        assert_false(level);
    }
    assert_false(pass(99));
    assert_true(pass(2));
}

static void a_longer_time_is_cut(void **state)
{
    uint64_t begin = fake.counter;

    (void)state;
    set(60, true);
    assert_int_equal(read_reg(LOAD), HALF);
    assert_true(pass(1000));
    assert_in_range(fake.counter - begin, 10 * fake.frequency, 10 * fake.frequency + 100);
    watchdog_reset();
    write_reg(LOAD, ~0u);
    assert_int_equal(read_reg(LOAD), HALF);
}

static void a_shorter_one_is_not(void **state)
{
    uint64_t begin = fake.counter;

    (void)state;
    set(3, true);
    assert_true(pass(1000));
    assert_in_range(fake.counter - begin, 3 * fake.frequency, 3 * fake.frequency + 100);
}

static void the_value_counts_down_twice(void **state)
{
    (void)state;
    write_reg(LOAD, 2 * SECOND);
    write_reg(CONTROL, INTEN | RESEN);
    assert_false(pass(5));
    assert_in_range(read_reg(VALUE), 2 * SECOND - SECOND / 2 - 2, 2 * SECOND - SECOND / 2 + 2);
    assert_false(pass(20));
    assert_in_range(read_reg(VALUE), 2 * SECOND - SECOND / 2 - 2, 2 * SECOND - SECOND / 2 + 9);
    write_reg(CONTROL, RESEN); /* it stands still */
    assert_false(level);
    assert_int_equal(read_reg(MIS), 0);
    assert_int_equal(read_reg(RIS), 1);
    assert_false(pass(1000));
    assert_in_range(read_reg(VALUE), 2 * SECOND - SECOND / 2 - 2, 2 * SECOND - SECOND / 2 + 9);
    write_reg(CONTROL, INTEN | RESEN); /* and begins anew */
    assert_true(level);
    assert_int_equal(read_reg(VALUE), 2 * SECOND);
    assert_false(pass(19));
    assert_true(pass(2));
}

static void without_resen_it_only_interrupts(void **state)
{
    unsigned alarms = 0;

    (void)state;
    write_reg(LOAD, SECOND);
    write_reg(CONTROL, INTEN);
    assert_false(pass(11));
    assert_true(level);
    assert_int_equal(alarm_at, TIMER_NEVER); /* nothing more happens */
    assert_false(pass(10000));
    assert_true(level);
    assert_true(read_reg(VALUE) <= SECOND);
    write_reg(CONTROL, INTEN | RESEN); /* as from here on: not for what has been */
    assert_true(alarm_at > fake.counter);
    assert_false(watchdog_timer_expired());
    write_reg(CONTROL, INTEN);
    for (unsigned i = 0; i < 10; i++) {
        write_reg(INTCLR, 1);
        assert_false(level);
        assert_false(pass(11));
        alarms += level;
    }
    assert_int_equal(alarms, 10);
}

static void the_lock_keeps_all_but_itself(void **state)
{
    (void)state;
    write_reg(LOAD, SECOND);
    write_reg(LOCK, 0);
    assert_int_equal(read_reg(LOCK), 1);
    write_reg(LOAD, 5);
    write_reg(CONTROL, INTEN | RESEN);
    assert_int_equal(read_reg(LOAD), SECOND);
    assert_int_equal(read_reg(CONTROL), 0);
    write_reg(LOCK, 0x1acce551);
    assert_int_equal(read_reg(LOCK), 0);
    write_reg(CONTROL, 0xffffffff);
    assert_int_equal(read_reg(CONTROL), INTEN | RESEN);
    write_reg(LOCK, 0);
    assert_false(pass(15));
    write_reg(INTCLR, 1);
    assert_true(level);
    assert_true(pass(6));
}

/* The guest was too late, even if the notification is on its way still. */
static void nothing_helps_afterwards(void **state)
{
    (void)state;
    set(10, true);
    fake.counter += 11 * fake.frequency;
    set(10, false);
    write_reg(LOCK, 0x1acce551);
    write_reg(CONTROL, 0);
    assert_int_equal(read_reg(CONTROL), INTEN | RESEN);
    assert_true(alarm_at <= fake.counter);
    assert_true(watchdog_timer_expired());
}

static void the_shortest_times(void **state)
{
    (void)state;
    for (unsigned load = 0; load < 3; load++) {
        watchdog_reset();
        write_reg(LOAD, load);
        write_reg(CONTROL, INTEN | RESEN);
        assert_true(alarm_at > fake.counter);
        assert_true(pass(1));
    }
}

/* A pause of the machine moves the offset of its counter. */
static void it_goes_by_the_guests_time(void **state)
{
    (void)state;
    set(10, true);
    assert_false(pass(40));
    fake.counter += 1000 * fake.frequency;
    offset += 1000 * fake.frequency;
    assert_false(watchdog_timer_expired());
    assert_in_range(alarm_at - fake.counter, fake.frequency, fake.frequency + 100);
    assert_false(pass(59));
    assert_true(pass(2));
}

static void widths(void **state)
{
    struct mmio_access access = {.offset = LOAD, .width = 1, .value = ~0ull};

    (void)state;
    assert_true(watchdog_access(NULL, &access));
    assert_int_equal(access.value, HALF & 0xff);
    access.width = 8;
    assert_false(watchdog_access(NULL, &access));
    access.width = 2;
    access.offset = LOAD + 2;
    assert_false(watchdog_access(NULL, &access));
}

/* Whatever a guest does: once started, it is reset unless it has been heard of within the limit. */
static void noise_is_survived(void **state)
{
    static const uint32_t at[] = {LOAD, VALUE, CONTROL, INTCLR, RIS, MIS, LOCK, ITCR, ITOP};
    uint64_t heard = fake.counter; /* the last write that can put the reset off */
    unsigned resets = 0;

    (void)state;
    srand(1);
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t offset_of = rand() % 8 ? at[rand() % 9] : (uint32_t)(rand() % 1024) * 4;
        struct mmio_access access = {
            .offset = offset_of,
            .width = (uint8_t)(1u << (rand() % 8 ? 2 : rand() % 4)),
            .write = rand() & 1,
            .value = offset_of == LOCK && rand() % 4 ? 0x1acce551
                     : rand() % 4                    ? (uint64_t)rand() % 4
                                                     : (uint64_t)rand() << 1,
        };

        watchdog_access(NULL, &access);
        if (access.write && offset_of < 0x10 && read_reg(LOCK) == 0) {
            heard = fake.counter;
        }
        assert_true(read_reg(LOAD) <= HALF && read_reg(VALUE) <= read_reg(LOAD));
        if (pass((uint64_t)(rand() % (rand() % 64 ? 4 : 300)))) {
            resets++;
            watchdog_reset();
            heard = fake.counter;
        }
        assert_int_equal(level, read_reg(MIS));
        if (read_reg(CONTROL) == (INTEN | RESEN)) {
            assert_true(fake.counter - heard <= LIMIT * fake.frequency + 100);
        }
    }
    assert_true(resets > 100);
}

#define TEST(f) cmocka_unit_test_setup(f, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_says_what_it_is),
        TEST(it_is_off_until_it_is_started),
        TEST(silence_resets),
        TEST(who_feeds_it_goes_on),
        TEST(a_longer_time_is_cut),
        TEST(a_shorter_one_is_not),
        TEST(the_value_counts_down_twice),
        TEST(without_resen_it_only_interrupts),
        TEST(the_lock_keeps_all_but_itself),
        TEST(nothing_helps_afterwards),
        TEST(the_shortest_times),
        TEST(it_goes_by_the_guests_time),
        TEST(widths),
        TEST(noise_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
