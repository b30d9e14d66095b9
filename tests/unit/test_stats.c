/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/stats.c
 *
 * Counters: the classes of latencies, times of what lasts, and the list of what is counted.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/stats.h"

static void each_latency_has_one_class(void **state)
{
    (void)state;
    uint64_t lower = 0;

    for (uint32_t class = 0; class < STATS_LATENCIES - 1; class ++) {
        uint64_t upper = stats_latency_bound(class);

        assert_true(upper > lower);
        assert_int_equal(stats_latency_class(lower), class);
        assert_int_equal(stats_latency_class(upper - 1), class);
        assert_true(class < 2 || 2 * upper <= 3 * lower); /* it says the time within a half */
        lower = upper;
    }
    assert_int_equal(stats_latency_class(lower), STATS_LATENCIES - 1);
    assert_int_equal(stats_latency_class(UINT64_MAX), STATS_LATENCIES - 1);
    assert_int_equal(stats_latency_bound(STATS_LATENCIES - 1), 0);
    assert_int_equal(stats_latency_bound(UINT32_MAX), 0);
}

/* Three that overlap, read at every moment; from a counter that is high as well. */
static void what_lasts_is_counted_up_to_now(void **state)
{
    (void)state;
    static const struct {
        unsigned begin, end;
    } spans[] = {{1, 8}, {3, 5}, {4, 11}};

    for (uint64_t base = 0; base <= 1ull << 57; base = base * 2 + (1ull << 40)) {
        uint64_t word = 0;

        for (unsigned now = 0; now < 15; now++) {
            uint64_t expected = 0;

            for (unsigned i = 0; i < 3; i++) {
                unsigned end = spans[i].end < now ? spans[i].end : now;

                if (spans[i].begin == now) {
                    stats_begin(&word, base + now);
                }
                if (spans[i].end == now) {
                    stats_end(&word, base + now);
                }
                expected += spans[i].begin < end ? end - spans[i].begin : 0;
            }
            assert_int_equal(stats_running(word, base + now), expected);
        }
    }
}

static void each_word_is_listed(void **state)
{
    (void)state;
    assert_int_equal(stats_words(0), 0);
    assert_int_equal(stats_words(STATS_KINDS), 0);
    assert_int_equal(stats_words(UINT32_MAX), 0);
    for (unsigned kind = STATS_MACHINE; kind < STATS_KINDS; kind++) {
        uint32_t words = stats_words(kind);

        assert_in_range(words, 1, 255); /* docs/control.md has a byte for it */
        assert_null(stats_field(kind, words));
        for (uint32_t i = 0; i < words; i++) {
            const struct stats_field *field = stats_field(kind, i);

            assert_true(strlen(field->name) > 0 && strlen(field->text) > 0);
            for (uint32_t k = 0; k < i; k++) {
                assert_true(strcmp(field->name, stats_field(kind, k)->name) != 0 ||
                            strcmp(field->name, "latency") == 0);
            }
        }
    }
    assert_string_equal(stats_field(STATS_DISK, offsetof(struct stats_disk, latency) / 8)->name,
                        "latency");
    assert_string_equal(stats_field(STATS_PORT, 3)->name, "received_bytes");
    assert_int_equal(stats_field(STATS_PORT, 3)->unit, STATS_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_latency_has_one_class),
        cmocka_unit_test(what_lasts_is_counted_up_to_now),
        cmocka_unit_test(each_word_is_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
