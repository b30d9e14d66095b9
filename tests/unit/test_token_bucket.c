/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/token_bucket.c
 *
 * What passes a token bucket in any time is what its rate allows, to the unit, and a burst.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/token_bucket.h"

#define HZ    62500000ull
#define START (1ull << 63) /* a clock need not begin with 0 */

static struct token_bucket bucket;

static void a_burst_and_then_the_rate(void **state)
{
    (void)state;
    unsigned passed = 0;

    token_bucket_init(&bucket, 100, 10, HZ, START);
    while (token_bucket_take(&bucket, START)) {
        passed++;
    }
    assert_int_equal(passed, 10);
    for (uint64_t now = START; now < START + 10 * HZ; now += 999) {
        passed += token_bucket_take(&bucket, now);
    }
    assert_int_equal(passed, 10 + 999);
    for (passed = 0; token_bucket_take(&bucket, START + 100 * HZ); passed++) {
    }
    assert_int_equal(passed, 10); /* no more than a burst is saved up */
}

static void a_burst_is_one_at_least(void **state)
{
    (void)state;
    token_bucket_init(&bucket, 1, 0, HZ, START);
    assert_true(token_bucket_take(&bucket, START));
    assert_false(token_bucket_take(&bucket, START + HZ - 1));
    assert_true(token_bucket_take(&bucket, START + HZ));
}

static void no_rate_is_no_limit(void **state)
{
    (void)state;
    token_bucket_init(&bucket, 0, 0, HZ, START);
    for (int i = 0; i < 100; i++) {
        assert_true(token_bucket_take(&bucket, START));
        assert_true(token_bucket_is_open(&bucket, START));
        token_bucket_spend(&bucket, 1ull << 32);
    }
    assert_int_equal(token_bucket_opens(&bucket), START);
}

/* What is larger than the burst passes all the same, and is paid for to the tick. */
static void a_debt_is_paid_to_the_tick(void **state)
{
    (void)state;
    token_bucket_init(&bucket, 1250000, 1000, HZ, START); /* 50 ticks for each */
    assert_true(token_bucket_is_open(&bucket, START));
    token_bucket_spend(&bucket, 1000);
    assert_true(token_bucket_is_open(&bucket, START));
    token_bucket_spend(&bucket, 65536);
    assert_int_equal(token_bucket_opens(&bucket), START + 50 * 65536);
    assert_false(token_bucket_is_open(&bucket, START + 50 * 65536 - 1));
    assert_int_equal(token_bucket_opens(&bucket), START + 50 * 65536);
    assert_true(token_bucket_is_open(&bucket, START + 50 * 65536));
    assert_true(token_bucket_opens(&bucket) <= START + 50 * 65536);
}

static void a_rate_that_does_not_divide_the_clock(void **state)
{
    (void)state;
    token_bucket_init(&bucket, 7, 1, 10, START);
    token_bucket_spend(&bucket, 2); /* a debt of 10 tokens, 7 come with each tick */
    assert_int_equal(token_bucket_opens(&bucket), START + 2);
    assert_false(token_bucket_is_open(&bucket, START + 1));
    assert_true(token_bucket_is_open(&bucket, START + 2));
}

/* Sizes and times at random, by whoever waits exactly as long as he is told to. */
static void nobody_exceeds_the_rate(void **state)
{
    (void)state;
    srand(1);
    for (int turn = 0; turn < 100; turn++) {
        uint64_t rate = 1 + (uint64_t)rand() % 1000000000;
        uint64_t burst = (uint64_t)rand() % (rate + 1);
        uint64_t now = START, passed = 0, last = 0;

        token_bucket_init(&bucket, rate, burst, HZ, now);
        for (int i = 0; i < 1000; i++) {
            while (token_bucket_is_open(&bucket, now)) {
                last = (uint64_t)rand() % 65536;
                token_bucket_spend(&bucket, last);
                passed += last;
            }
            uint64_t opens = token_bucket_opens(&bucket);

            assert_true(opens > now);
            now = opens + (uint64_t)(rand() % 3 == 0 ? rand() % 1000 : 0);
        }
        __uint128_t most = (__uint128_t)rate * (now - START) / HZ + burst + 1;

        assert_true(passed - last <= most);
    }
}

static void the_largest_and_the_longest(void **state)
{
    (void)state;
    uint64_t hertz = 1000000000, rate = 4ull << 30;

    token_bucket_init(&bucket, rate, rate, hertz, 0);
    assert_true(token_bucket_is_open(&bucket, UINT64_MAX));
    for (int i = 0; i < 10; i++) {
        token_bucket_spend(&bucket, 1ull << 32);
    }
    assert_true(token_bucket_opens(&bucket) - bucket.filled <= 2 * hertz);
    assert_true(token_bucket_is_open(&bucket, bucket.filled + 2 * hertz));
    assert_true(token_bucket_is_open(&bucket, bucket.filled - 1)); /* time that has wrapped */
    assert_int_equal(bucket.level, bucket.capacity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_and_then_the_rate),
        cmocka_unit_test(a_burst_is_one_at_least),
        cmocka_unit_test(no_rate_is_no_limit),
        cmocka_unit_test(a_debt_is_paid_to_the_tick),
        cmocka_unit_test(a_rate_that_does_not_divide_the_clock),
        cmocka_unit_test(nobody_exceeds_the_rate),
        cmocka_unit_test(the_largest_and_the_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
