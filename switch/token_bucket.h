/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A token bucket: how often something may happen. It fills steadily and holds a tenth of a second's
 * worth. A token is one tick of the clock; one event costs as many as the rate leaves between two.
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
 * Allow `rate` events per second, or any number if it is 0. `frequency` is that of the clock that
 * `now` is read from, in hertz. The bucket is full at first.
 */
void token_bucket_init(struct token_bucket *bucket, uint32_t rate, uint64_t frequency,
                       uint64_t now);

/* Whether an event may happen at `now`; takes its cost out if so. */
bool token_bucket_take(struct token_bucket *bucket, uint64_t now);
