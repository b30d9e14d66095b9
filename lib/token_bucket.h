/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A token bucket: how often something may happen. A token is one tick of the caller's clock. The
 * bucket gains one with each tick until it is full, and an event takes its cost out. So events come
 * `cost` ticks apart in the long run, and `capacity / cost` of them at once after a time without.
 */

#include <stdbool.h>
#include <stdint.h>

struct token_bucket {
    uint64_t cost;     /* ticks that one event takes out; 0: no limit */
    uint64_t capacity; /* ticks */
    uint64_t level;    /* ticks that are in it, */
    uint64_t filled;   /* as of this time */
};

/*
 * The bucket is full at first. `cost`, `capacity` and `now` are in ticks of one clock. The capacity
 * is at least the cost of one event. With a `cost` of 0 any number of events may happen.
 */
void token_bucket_init(struct token_bucket *bucket, uint64_t cost, uint64_t capacity, uint64_t now);

/* Whether an event may happen at `now`; takes its cost out if so. */
bool token_bucket_take(struct token_bucket *bucket, uint64_t now);
