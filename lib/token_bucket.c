/* SPDX-License-Identifier: BSD-2-Clause */

#include "token_bucket.h"

/* A debt is never deeper than this, so that no sum overflows. */
#define DEBT_MAX (1LL << 62)

void token_bucket_init(struct token_bucket *bucket, uint64_t rate, uint64_t burst,
                       uint64_t frequency, uint64_t now)
{
    bucket->rate = rate;
    bucket->frequency = frequency;
    bucket->capacity = (int64_t)((burst == 0 ? 1 : burst) * frequency);
    bucket->level = bucket->capacity;
    bucket->filled = now;
}

static void fill(struct token_bucket *bucket, uint64_t now)
{
    uint64_t missing = (uint64_t)(bucket->capacity - bucket->level);
    uint64_t gained;

    if (__builtin_mul_overflow(now - bucket->filled, bucket->rate, &gained) || gained > missing) {
        gained = missing;
    }
    bucket->level += (int64_t)gained;
    bucket->filled = now;
}

bool token_bucket_take(struct token_bucket *bucket, uint64_t now)
{
    if (bucket->rate == 0) {
        return true;
    }
    fill(bucket, now);
    if (bucket->level < (int64_t)bucket->frequency) {
        return false;
    }
    bucket->level -= (int64_t)bucket->frequency;
    return true;
}

bool token_bucket_is_open(struct token_bucket *bucket, uint64_t now)
{
    if (bucket->rate == 0) {
        return true;
    }
    fill(bucket, now);
    return bucket->level >= 0;
}

void token_bucket_spend(struct token_bucket *bucket, uint64_t units)
{
    int64_t tokens = (int64_t)(units * bucket->frequency);

    if (bucket->rate != 0) {
        bucket->level = bucket->level < tokens - DEBT_MAX ? -DEBT_MAX : bucket->level - tokens;
    }
}

uint64_t token_bucket_opens(const struct token_bucket *bucket)
{
    if (bucket->rate == 0 || bucket->level >= 0) {
        return bucket->filled;
    }
    uint64_t debt = (uint64_t)-bucket->level;

    return bucket->filled + debt / bucket->rate + (debt % bucket->rate != 0);
}
