/* SPDX-License-Identifier: BSD-2-Clause */

#include "token_bucket.h"

void token_bucket_init(struct token_bucket *bucket, uint64_t cost, uint64_t capacity, uint64_t now)
{
    bucket->cost = cost;
    bucket->capacity = capacity < cost ? cost : capacity;
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
