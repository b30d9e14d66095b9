/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A token bucket: how much of something may pass. It gains so many units a second, until it holds
 * its burst. What passes takes its units out. So what passes in any time is at most the rate times
 * that time, a burst, and, of what has a size, the last one.
 *
 * Events are asked for one by one (token_bucket_take). What has a size, such as a frame, passes
 * while the bucket is open, and takes its units out afterwards (token_bucket_spend), if need be
 * into debt: a bucket need not hold the largest thing that may pass it. A bucket in debt is closed.
 *
 * The arithmetic is exact. A unit is as many tokens as the clock has ticks in a second, and a tick
 * brings as many tokens as the rate has units.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * Who waits for a bucket to open has a timer wake it so many times a second at most: a little later
 * than it could go on, but not for every small frame.
 */
#define TOKEN_BUCKET_WAKES 2000u

struct token_bucket {
    uint64_t rate;      /* units that it gains in a second; 0: no limit */
    uint64_t frequency; /* ticks in a second */
    int64_t capacity;   /* tokens */
    int64_t level;      /* tokens that are in it, or below 0 the debt, */
    uint64_t filled;    /* as of this time, in ticks */
};

/*
 * The bucket is full at first. `rate` and `burst` are in units, and a burst is at least one. `now`
 * is in ticks of a clock of `frequency` Hz. With a rate of 0 all may pass. `burst` times
 * `frequency` is below 2^62.
 */
void token_bucket_init(struct token_bucket *bucket, uint64_t rate, uint64_t burst,
                       uint64_t frequency, uint64_t now);

/* Whether there is a whole unit at `now`; takes it out if so. */
bool token_bucket_take(struct token_bucket *bucket, uint64_t now);

/* Whether the bucket is not in debt at `now`. */
bool token_bucket_is_open(struct token_bucket *bucket, uint64_t now);

/* Take `units` out, which may leave a debt. `units` times the frequency is below 2^62. */
void token_bucket_spend(struct token_bucket *bucket, uint64_t units);

/* When the debt will be paid, in ticks; not in the future if there is none. */
uint64_t token_bucket_opens(const struct token_bucket *bucket);
