/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How the command `braid` reads the board's counters.
 *
 * SOURCES: tools/braid/counter_set.c lib/stats.c
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "lib/control.h"
#include "tools/braid/counter_set.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leb128),   cmocka_unit_test(test_set),
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_too_many_words),
        cmocka_unit_test(test_cut_word), cmocka_unit_test(test_causes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
