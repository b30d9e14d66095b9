/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the command `braid` makes of the board's counters: how they are read, what they say, and how
 * that is written.
 *
 * SOURCES: tools/braid/bytes.c tools/braid/columns.c tools/braid/counter_set.c
 * SOURCES: tools/braid/figures.c lib/stats.c
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "lib/control.h"
#include "tools/braid/columns.h"
#include "tools/braid/counter_set.h"
#include "tools/braid/figures.h"

static void expect(struct bytes *text, const char *wanted)
{
    bytes_add(text, "", 1);
    assert_string_equal((char *)text->data, wanted);
    bytes_free(text);
}

/* ---- LEB128 ---- */

static void read_number(const char *bytes, size_t size, uint64_t wanted)
{
    const uint8_t *at = (const uint8_t *)bytes;
    uint64_t value;

    assert_true(leb128_read(&at, (const uint8_t *)bytes + size, &value));
    assert_true(value == wanted);
    assert_ptr_equal(at, bytes + size);
}

static void refuse_number(const char *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)bytes;
    uint64_t value;

    assert_false(leb128_read(&at, (const uint8_t *)bytes + size, &value));
    assert_true(at <= (const uint8_t *)bytes + size);
}

#define READ(bytes, wanted) read_number(bytes, sizeof(bytes) - 1, wanted)
#define REFUSE(bytes)       refuse_number(bytes, sizeof(bytes) - 1)

static void test_leb128(void **state)
{
    (void)state;
    READ("\x00", 0);
    READ("\x7f", 127);
    READ("\x80\x01", 128);
    READ("\xe5\x8e\x26", 624485);
    READ("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", UINT64_MAX);
    REFUSE("");
    REFUSE("\x80");
    REFUSE("\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    REFUSE("\x80\x00");     /* longer than it needs to be */
    REFUSE("\x81\x80\x00"); /* the same */
    REFUSE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    REFUSE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00");
    REFUSE("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
}

/* ---- Sets ---- */

static const uint8_t port_entry[CONTROL_SET_SIZE] = {0x02, 0x01, STATS_PORT, 3, 1, 4, 19};

static void test_set(void **state)
{
    struct counter_set set, other;

    (void)state;
    assert_false(counter_set_name(&set, port_entry, 2));
    assert_true(counter_set_name(&set, port_entry, 0x102));
    assert_int_equal(set.kind, STATS_PORT);
    assert_int_equal(set.client, 3);
    assert_int_equal(set.number, 1);
    assert_int_equal(set.of_switch, 4);
    assert_int_equal(set.words, 19);
    assert_int_equal(counter_set_wanted(&set), STATS_PORT_WORDS);
    other = set;
    assert_true(counter_set_same(&set, &other));
    other.number = 2;
    assert_false(counter_set_same(&set, &other));
    other.kind = 9;
    assert_int_equal(counter_set_wanted(&other), 0);
    other.kind = STATS_PORT;
    other.words = 3;
    assert_int_equal(counter_set_wanted(&other), 3);
}

static void test_answers(void **state)
{
    static const uint8_t first[] = {1, 0, 0, 0, 0, 0, 0, 0x80, 5, 0x80, 1};
    uint8_t rest[8 + 17] = {9};
    struct counter_set set;

    (void)state;
    assert_true(counter_set_name(&set, port_entry, 0x102));
    assert_false(counter_set_add(&set, first, 0));
    assert_false(counter_set_add(&set, first, 7));
    assert_false(counter_set_add(&set, first, 8)); /* no word */
    assert_true(counter_set_add(&set, first, sizeof(first)));
    assert_true(set.time == 0x8000000000000001);
    assert_int_equal(set.have, 2);
    assert_int_equal(set.word[0], 5);
    assert_int_equal(set.word[1], 128);
    memset(rest + 8, 7, sizeof(rest) - 8);
    /* Of the 19 words two are not known here. */
    assert_true(counter_set_add(&set, rest, sizeof(rest)));
    assert_true(set.time == 0x8000000000000001);
    assert_int_equal(set.have, STATS_PORT_WORDS);
    assert_int_equal(set.word[16], 7);
}

static void test_too_many_words(void **state)
{
    uint8_t answer[8 + 20] = {0};
    struct counter_set set;

    (void)state;
    assert_true(counter_set_name(&set, port_entry, 0x102));
    assert_false(counter_set_add(&set, answer, sizeof(answer)));
    assert_true(counter_set_name(&set, port_entry, 0x102));
    assert_true(counter_set_add(&set, answer, sizeof(answer) - 1));
}

static void test_cut_word(void **state)
{
    static const uint8_t answer[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 0x80};
    struct counter_set set;

    (void)state;
    assert_true(counter_set_name(&set, port_entry, 0x102));
    assert_false(counter_set_add(&set, answer, sizeof(answer)));
}

static void test_causes(void **state)
{
    (void)state;
    for (unsigned kind = STATS_MACHINE; kind < STATS_KINDS; kind++) {
        for (uint32_t word = 0; word < stats_words(kind); word++) {
            const struct stats_field *field = stats_field(kind, word);
            const char *groups[] = {"exits_", "sent_dropped_", "received_dropped_"};
            size_t length = 0;

            for (size_t i = 0; i < 3; i++) {
                if (strncmp(field->name, groups[i], strlen(groups[i])) == 0) {
                    length = strlen(groups[i]) - 1;
                }
            }
            assert_int_equal(counter_cause(field), length);
        }
    }
}

/* ---- What they say ---- */

static void test_rates(void **state)
{
    (void)state;
    assert_true(figures_grown(5, 7) == 2);
    assert_true(figures_grown(7, 5) == 0);
    assert_true(figures_grown(0, UINT64_MAX) == UINT64_MAX);
    assert_true(figures_rate(3, 2000000000) == 1.5);
    assert_true(figures_rate(3, 0) == 0);
    assert_true(figures_percent(3, 2) == 150);
    assert_true(figures_percent(3, 0) == 0);
    assert_true(figures_sum((uint64_t[]){1, 2, 3}, 3) == 6);
    assert_true(figures_sum((uint64_t[]){1, UINT64_MAX, 3}, 3) == UINT64_MAX);
}

static void test_99(void **state)
{
    uint64_t classes[STATS_LATENCIES] = {0};

    (void)state;
    assert_int_equal(figures_99(classes), -1);
    classes[4] = 1;
    assert_int_equal(figures_99(classes), 4);
    classes[4] = 99;
    classes[9] = 1;
    assert_int_equal(figures_99(classes), 4);
    classes[4] = 98;
    classes[9] = 2;
    assert_int_equal(figures_99(classes), 9);
    classes[4] = 98;
    classes[9] = 1; /* of 99, all but less than one */
    assert_int_equal(figures_99(classes), 9);
    classes[STATS_LATENCIES - 1] = 1000;
    assert_int_equal(figures_99(classes), STATS_LATENCIES - 1);
    classes[2] = classes[3] = UINT64_MAX;
    assert_int_equal(figures_99(classes), 2);
}

/* ---- How it is written ---- */

static void expect_scaled(double value, const char *wanted)
{
    struct bytes text = {0};

    figures_scaled(&text, value, "B");
    expect(&text, wanted);
}

static void expect_short(double value, const char *wanted)
{
    struct bytes text = {0};

    figures_short(&text, value);
    expect(&text, wanted);
}

static void expect_duration(double value, const char *wanted)
{
    struct bytes text = {0};

    figures_duration(&text, value);
    expect(&text, wanted);
}

static void test_numbers(void **state)
{
    (void)state;
    expect_scaled(0, "0 B");
    expect_scaled(999, "999 B");
    expect_scaled(1.5, "1.50 B");
    expect_scaled(999.4, "999 B");
    expect_scaled(999.5, "1.00 kB");
    expect_scaled(1000, "1.00 kB");
    expect_scaled(9994, "9.99 kB");
    expect_scaled(9996, "10.0 kB");
    expect_scaled(99960, "100 kB");
    expect_scaled(999600, "1.00 MB");
    expect_scaled(1.844e19, "18.4 EB");
    expect_short(0, "0");
    expect_short(7.54, "7.5");
    expect_short(7.96, "8.0");
    expect_short(99.94, "99.9");
    expect_short(99.96, "100");
    expect_short(999.6, "1.00k");
    expect_short(12345, "12.3k");
    expect_short(123456789, "123M");
    expect_short(1.844e19, "18.4E");
    expect_duration(0, "0 ns");
    expect_duration(999.6, "1.00 us");
    expect_duration(1500, "1.50 us");
    expect_duration(12345678, "12.3 ms");
    expect_duration(12582912e3, "12.6 s");
    expect_duration(3.6e12, "3600 s");
}

static void test_seconds(void **state)
{
    double seconds;

    (void)state;
    assert_true(figures_seconds("0.5", &seconds) && seconds == 0.5);
    assert_true(figures_seconds("86400", &seconds));
    assert_false(figures_seconds("", &seconds));
    assert_false(figures_seconds("0", &seconds));
    assert_false(figures_seconds("-1", &seconds));
    assert_false(figures_seconds("1s", &seconds));
    assert_false(figures_seconds("nan", &seconds));
    assert_false(figures_seconds("inf", &seconds));
    assert_false(figures_seconds("86401", &seconds));
    assert_false(figures_seconds("vm0", &seconds));
}

static void expect_cut(const char *text, size_t columns, const char *wanted)
{
    struct bytes out = {0};

    columns_cut(&out, text, strlen(text), columns);
    expect(&out, wanted);
}

static void test_columns(void **state)
{
    static const char coloured[] = "a\x1b[32mbc\x1b[0md";
    struct bytes out = {0};
    struct bytes cell = {0};

    (void)state;
    assert_int_equal(columns_of(coloured, strlen(coloured)), 4);
    assert_int_equal(columns_of("\xc3\xa4x", 3), 2);
    assert_int_equal(columns_of("\xe6\xbc\xa2x", 4), 3);
    assert_int_equal(columns_of("\x1b[3", 3), 0);
    expect_cut("abc", 3, "abc");
    expect_cut("abc", 2, "ab");
    expect_cut("abc", 0, "");
    expect_cut(coloured, 2, "a\x1b[32mb\x1b[0m");
    expect_cut("\xc3\xa4x", 1, "\xc3\xa4");
    /* What is too wide ends the line, though something narrow is behind it. */
    expect_cut("a\xe6\xbc\xa2x", 2, "a");
    bytes_print(&cell, "ab");
    columns_cell(&out, &cell, 4, true);
    columns_cell(&out, &cell, 4, false);
    columns_cell(&out, &cell, 1, true);
    expect(&out, "  ab ab   ab ");
    bytes_free(&cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leb128),   cmocka_unit_test(test_set),
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_too_many_words),
        cmocka_unit_test(test_cut_word), cmocka_unit_test(test_causes),
        cmocka_unit_test(test_rates),    cmocka_unit_test(test_99),
        cmocka_unit_test(test_numbers),  cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
