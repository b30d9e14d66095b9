/* SPDX-License-Identifier: BSD-2-Clause */

#include "limit.h"

#define BURSTS_PER_SECOND 10u

void limit_init(struct limit *limit, uint32_t rate, uint64_t frequency, uint64_t now)
{
    limit->cost = rate == 0 ? 0 : frequency / rate;
    limit->capacity = frequency / BURSTS_PER_SECOND;
    if (limit->capacity < limit->cost) {
        limit->capacity = limit->cost;
    }
    limit->saved = limit->capacity;
    limit->last = now;
}

bool limit_take(struct limit *limit, uint64_t now)
{
    uint64_t passed = now - limit->last;

    if (limit->cost == 0) {
        return true;
    }
    limit->last = now;
    limit->saved =
        passed > limit->capacity - limit->saved ? limit->capacity : limit->saved + passed;
    if (limit->saved < limit->cost) {
        return false;
    }
    limit->saved -= limit->cost;
    return true;
}
