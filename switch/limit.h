/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A limit to how often something may happen: a bucket that fills steadily and holds a tenth of a
 * second's worth.
 */

#include <stdbool.h>
#include <stdint.h>

struct limit {
    uint64_t cost;     /* ticks that one time takes; 0: no limit */
    uint64_t capacity; /* ticks */
    uint64_t saved;    /* ticks */
    uint64_t last;     /* when that was */
};

/* `rate` times per second, 0 for any number; `frequency` is that of the clock of `now`. */
void limit_init(struct limit *limit, uint32_t rate, uint64_t frequency, uint64_t now);

/* Whether it may happen now, and counts it. */
bool limit_take(struct limit *limit, uint64_t now);
