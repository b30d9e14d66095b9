/* SPDX-License-Identifier: BSD-2-Clause */

#include "token_bucket.h"

#define BURSTS_PER_SECOND 10u

void token_bucket_init(struct token_bucket *bucket, uint32_t rate, uint64_t frequency, uint64_t now)
{
    bucket->cost = rate == 0 ? 0 : frequency / rate;
    bucket->capacity = frequency / BURSTS_PER_SECOND;
    if (bucket->capacity < bucket->cost) {
        bucket->capacity = bucket->cost;
    }
    bucket->level = bucket->capacity;
    bucket->filled = now;
}

bool token_bucket_take(struct token_bucket *bucket, uint64_t now)
{
    uint64_t passed = now - bucket->filled;

    if (bucket->cost == 0) {
        return true;
    }
    bucket->filled = now;
    bucket->level =
        passed > bucket->capacity - bucket->level ? bucket->capacity : bucket->level + passed;
    if (bucket->level < bucket->cost) {
        return false;
    }
    bucket->level -= bucket->cost;
    return true;
}
