/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/log.c lib/token_bucket.c lib/ring.c tests/unit/fake/fake_microkit.c
 *
 * Messages: whole lines or none, cut and made printable, limited when somebody provokes them.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/log.h"

#define SIZE    4096u
#define CHANNEL 7u

static _Alignas(4096) uint8_t region[RING_HEADER_SIZE + SIZE];
static struct ring out, in;
static char text[SIZE + 1];

static int setup(void **state)
{
    (void)state;
    fake_reset();
    memset(region, 0, sizeof(region));
    ring_init(&out, region, SIZE);
    ring_init(&in, region, SIZE);
    log_init("vmm vm0", &out, CHANNEL);
    return 0;
}

static const char *received(void)
{
    text[ring_read(&in, text, SIZE)] = '\0';
    return text;
}

static void line_carries_the_prefix(void **state)
{
    (void)state;
    log_printf("%d %s %#llx", -3, "abc", 0x1234ull);
    assert_string_equal(received(), "vmm vm0: -3 abc 0x1234\n");
}

static void without_a_ring_it_is_debug_output(void **state)
{
    (void)state;
    log_init("timer", NULL, 0);
    log_printf("x");
    assert_string_equal(fake.debug, "timer: x\n");
    log_init(NULL, NULL, 0);
    fake_reset();
    log_printf("x");
    assert_string_equal(fake.debug, "test: x\n");
}

static void sleeping_console_is_notified_once(void **state)
{
    (void)state;
    log_printf("a");
    assert_int_equal(fake_notified(CHANNEL), 0);
    assert_true(ring_await_data(&in));
    received();
    assert_false(ring_await_data(&in));
    log_printf("b");
    log_printf("c");
    assert_int_equal(fake_notified(CHANNEL), 1);
}

static void long_line_is_cut(void **state)
{
    (void)state;
    char longest[400];

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (int length = 220; length < 399; length++) {
        log_printf("%.*s", length, longest);
        const char *line = received();
        size_t got = strlen(line);
        assert_in_range(got, 1, 240);
        assert_int_equal(line[got - 1], '\n');
        assert_int_equal(strchr(line, '\n') - line, got - 1);
        if (got < strlen("vmm vm0: ") + (size_t)length + 1) {
            assert_string_equal(line + got - 4, "...\n");
            assert_int_equal(got, 240);
        } else {
            assert_int_equal(line[got - 2], 'x');
        }
    }
}

static void control_characters_do_not_pass(void **state)
{
    (void)state;
    log_printf("%s", "a\033[31m\n\r\x7f\x9b"
                     "b");
    assert_string_equal(received(), "vmm vm0: a?[31m????b\n");
}

static void full_ring_loses_whole_lines_and_says_so(void **state)
{
    (void)state;
    unsigned lost = 0;

    for (int i = 0; i < 500; i++) {
        uint32_t before = ring_space(&out);
        log_printf("message %03d", i);
        lost += ring_space(&out) == before;
    }
    assert_true(lost > 0);
    assert_int_equal(ring_space(&out), SIZE % strlen("vmm vm0: message 000\n"));
    received();
    log_printf("again");
    char expected[80];
    snprintf(expected, sizeof(expected), "vmm vm0: %u messages lost\nvmm vm0: again\n", lost);
    assert_string_equal(received(), expected);
    log_printf("once");
    assert_string_equal(received(), "vmm vm0: once\n");
}

static int lines(const char *s)
{
    int count = 0;

    for (; *s != '\0'; s++) {
        count += *s == '\n';
    }
    return count;
}

static void limited_lets_a_burst_through_and_then_one_a_second(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        log_limited("bad frame");
    }
    assert_int_equal(lines(received()), 8);
    fake.counter += fake.frequency - 1;
    log_limited("bad frame");
    assert_string_equal(received(), "");
    fake.counter += 1;
    log_limited("bad frame");
    assert_string_equal(received(), "vmm vm0: 93 more messages like these\nvmm vm0: bad frame\n");
    log_limited("bad frame");
    assert_string_equal(received(), "");
}

static void bucket_refills_to_a_burst_and_no_further(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        log_limited("x");
    }
    received();
    fake.counter += fake.frequency * 1000;
    for (int i = 0; i < 20; i++) {
        log_limited("x");
    }
    assert_int_equal(lines(received()), 8);
}

static void hostile_console_cannot_break_the_speaker(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        ((struct ring_shared *)region)->tail = i * 0x01234567u;
        ((struct ring_shared *)region)->data_wanted = i;
        log_printf("still alive");
        log_limited("still alive");
    }
    assert_true(ring_broken(&out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(line_carries_the_prefix, setup),
        cmocka_unit_test_setup(without_a_ring_it_is_debug_output, setup),
        cmocka_unit_test_setup(sleeping_console_is_notified_once, setup),
        cmocka_unit_test_setup(long_line_is_cut, setup),
        cmocka_unit_test_setup(control_characters_do_not_pass, setup),
        cmocka_unit_test_setup(full_ring_loses_whole_lines_and_says_so, setup),
        cmocka_unit_test_setup(limited_lets_a_burst_through_and_then_one_a_second, setup),
        cmocka_unit_test_setup(bucket_refills_to_a_burst_and_no_further, setup),
        cmocka_unit_test_setup(hostile_console_cannot_break_the_speaker, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
