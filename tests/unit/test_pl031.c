/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/pl031.c vmm/primecell.c tests/unit/fake/fake_microkit.c
 *
 * The emulated PL031: where the time comes from, how it goes on, and the alarm.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "drivers/timer/protocol.h"
#include "vmm/pl031.h"
#include "vmm/timer.h"
#include "vmm/vgic.h"

#define DR   0x00
#define MR   0x04
#define LR   0x08
#define CR   0x0c
#define IMSC 0x10
#define RIS  0x14
#define MIS  0x18
#define ICR  0x1c

#define INTID 34u
#define TODAY 1800000000u

static bool level;
static uint64_t alarm_at;

void vgic_set_level(uint32_t intid, bool asserted)
{
    assert_int_equal(intid, INTID);
    level = asserted;
}

void timer_alarm_at(uint64_t deadline)
{
    alarm_at = deadline;
}

static const struct vmm_clock_config of_build = {.intid = INTID, .build_date = TODAY};

static int start(void **state)
{
    (void)state;
    fake_reset();
    fake.counter = 5 * fake.frequency / 2; /* the board has been up for 2.5 seconds */
    level = true;
    alarm_at = 0;
    assert_false(pl031_init(&of_build));
    assert_false(level);
    assert_int_equal(alarm_at, TIMER_NEVER);
    return 0;
}

static void write_reg(uint32_t offset, uint32_t value)
{
    struct mmio_access access = {.offset = offset, .width = 4, .write = true, .value = value};

    assert_true(pl031_access(NULL, &access));
}

static uint32_t read_reg(uint32_t offset)
{
    struct mmio_access access = {.offset = offset, .width = 4, .value = ~0ull};

    assert_true(pl031_access(NULL, &access));
    return (uint32_t)access.value;
}

static void pass(uint64_t tenths)
{
    fake.counter += tenths * fake.frequency / 10;
}

static void it_says_what_it_is(void **state)
{
    static const uint8_t ids[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(read_reg(0xfe0 + 4 * i), ids[i]);
    }
    assert_int_equal(read_reg(CR), 1); /* it runs */
    write_reg(CR, 0);
    assert_int_equal(read_reg(CR), 1);
    assert_int_equal(read_reg(IMSC), 0);
    assert_int_equal(read_reg(RIS), 0);
    assert_int_equal(read_reg(MR), 0);
    assert_int_equal(read_reg(0x20), 0);
    write_reg(0xffc, 1);
    assert_int_equal(read_reg(0xffc), 0xb1);
}

static void the_time_goes_on_from_the_date_of_the_build(void **state)
{
    (void)state;
    assert_int_equal(read_reg(DR), TODAY + 2);
    pass(9);
    assert_int_equal(read_reg(DR), TODAY + 2);
    pass(1);
    assert_int_equal(read_reg(DR), TODAY + 3);
    write_reg(DR, 1); /* read-only */
    assert_int_equal(read_reg(DR), TODAY + 3);
}

static void the_time_is_that_of_the_boards_clock(void **state)
{
    static uint32_t registers[1024] = {1900000000, 7, 8, 9};
    const struct vmm_clock_config config = {
        .intid = INTID, .build_date = TODAY, .board = registers};

    (void)state;
    assert_true(pl031_init(&config));
    registers[0] = 0; /* it is read once */
    pass(20);
    assert_int_equal(read_reg(DR), 1900000002);
    write_reg(LR, 1);
    write_reg(MR, 1);
    assert_int_equal(registers[1], 7);
    assert_int_equal(registers[2], 8);
}

static void a_clock_that_was_never_set_is_not_believed(void **state)
{
    static uint32_t registers[1024];
    const struct vmm_clock_config config = {
        .intid = INTID, .build_date = TODAY, .board = registers};

    (void)state;
    registers[0] = 86400 * 365; /* of a battery that was put in a year ago */
    assert_false(pl031_init(&config));
    assert_int_equal(read_reg(DR), TODAY + 2);
    pass(10);
    assert_int_equal(read_reg(DR), TODAY + 3);
    registers[0] = TODAY - 1; /* nobody can have built the system then */
    assert_false(pl031_init(&config));
    assert_int_equal(read_reg(DR), TODAY + 3);
    registers[0] = TODAY; /* however long the board has been up */
    assert_true(pl031_init(&config));
    assert_int_equal(read_reg(DR), TODAY);
}

static void the_guest_sets_it(void **state)
{
    (void)state;
    write_reg(LR, 1000);
    assert_int_equal(read_reg(DR), 1000);
    assert_int_equal(read_reg(LR), 1000);
    pass(35);
    assert_int_equal(read_reg(DR), 1003);
    assert_int_equal(read_reg(LR), 1000);
    pl031_reset(); /* it has a battery */
    pass(5);
    assert_int_equal(read_reg(DR), 1004);
    write_reg(LR, UINT32_MAX);
    pass(10);
    assert_int_equal(read_reg(DR), 0);
}

static void an_alarm_interrupts(void **state)
{
    (void)state;
    write_reg(LR, 1000);
    pass(3);
    write_reg(MR, 1010);
    assert_int_equal(alarm_at, TIMER_NEVER); /* nobody wants to hear of it */
    write_reg(IMSC, 1);
    assert_int_equal(alarm_at, fake.counter - 3 * fake.frequency / 10 + 10 * fake.frequency);
    pass(90);
    pl031_timer_expired();
    assert_false(level);
    assert_int_equal(read_reg(RIS), 0);
    fake.counter = alarm_at;
    pl031_timer_expired();
    assert_true(level);
    assert_int_equal(alarm_at, TIMER_NEVER);
    assert_int_equal(read_reg(DR), 1010);
    assert_int_equal(read_reg(RIS), 1);
    assert_int_equal(read_reg(MIS), 1);
    write_reg(ICR, 0);
    assert_true(level);
    write_reg(ICR, 1);
    assert_false(level);
    assert_int_equal(read_reg(RIS), 0);
    pass(10);
    pl031_timer_expired();
    assert_false(level);
}

static void an_alarm_that_is_masked_is_seen(void **state)
{
    (void)state;
    write_reg(LR, 1000);
    write_reg(MR, 1001);
    pass(20);
    assert_int_equal(read_reg(RIS), 1);
    assert_int_equal(read_reg(MIS), 0);
    assert_false(level);
    write_reg(IMSC, 0xff);
    assert_int_equal(read_reg(IMSC), 1);
    assert_true(level);
    write_reg(IMSC, 0);
    assert_false(level);
}

static void an_alarm_now(void **state)
{
    (void)state;
    write_reg(IMSC, 1);
    write_reg(MR, read_reg(DR));
    assert_true(level);
}

static void one_in_the_past_is_far_away(void **state)
{
    (void)state;
    write_reg(IMSC, 1);
    write_reg(MR, read_reg(DR) - 1);
    assert_false(level);
    assert_true(alarm_at > fake.counter + 0xfffffff0ull * fake.frequency);
    assert_int_not_equal(alarm_at, TIMER_NEVER);
}

static void the_alarm_follows_the_clock(void **state)
{
    (void)state;
    write_reg(LR, 1000);
    write_reg(MR, 2000);
    write_reg(IMSC, 1);
    write_reg(LR, 1990);
    assert_int_equal(alarm_at, fake.counter + 10 * fake.frequency);
    write_reg(LR, 2000);
    assert_true(level);
}

static void a_reset_forgets_the_alarm(void **state)
{
    (void)state;
    write_reg(IMSC, 1);
    write_reg(MR, read_reg(DR) + 5);
    pl031_reset();
    assert_int_equal(alarm_at, TIMER_NEVER);
    pass(100);
    pl031_timer_expired();
    assert_false(level);
    assert_int_equal(read_reg(RIS), 0);
    write_reg(IMSC, 1);
    write_reg(MR, read_reg(DR));
    assert_true(level);
    pl031_reset();
    assert_false(level);
    assert_int_equal(read_reg(IMSC), 0);
}

static void widths(void **state)
{
    struct mmio_access access = {.offset = DR, .width = 1, .value = ~0ull};

    (void)state;
    assert_true(pl031_access(NULL, &access));
    assert_int_equal(access.value, (TODAY + 2) & 0xff);
    access.width = 8;
    assert_false(pl031_access(NULL, &access));
    access.width = 2;
    access.offset = DR + 2;
    assert_false(pl031_access(NULL, &access));
}

static void noise_is_survived(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t width = (uint8_t)(1u << (rand() % 4));
        struct mmio_access access = {
            .offset = (uint64_t)(rand() % (rand() % 8 ? 0x20 : 4096)) & ~(uint64_t)(width - 1u),
            .width = width,
            .write = rand() & 1,
            .value = (uint64_t)rand() << 32 ^ (uint64_t)rand(),
        };

        pl031_access(NULL, &access);
        pass((uint64_t)(rand() % 100));
        pl031_timer_expired();
        assert_int_equal(level, read_reg(MIS));
    }
}

#define TEST(f) cmocka_unit_test_setup(f, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_says_what_it_is),
        TEST(the_time_goes_on_from_the_date_of_the_build),
        TEST(the_time_is_that_of_the_boards_clock),
        TEST(a_clock_that_was_never_set_is_not_believed),
        TEST(the_guest_sets_it),
        TEST(an_alarm_interrupts),
        TEST(an_alarm_that_is_masked_is_seen),
        TEST(an_alarm_now),
        TEST(one_in_the_past_is_far_away),
        TEST(the_alarm_follows_the_clock),
        TEST(a_reset_forgets_the_alarm),
        TEST(widths),
        TEST(noise_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
