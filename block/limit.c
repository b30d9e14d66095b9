/* SPDX-License-Identifier: BSD-2-Clause */

#include "limit.h"

#include "lib/cpu.h"

#define MICROSECONDS 1000000u

static void open_bucket(struct token_bucket *bucket, uint64_t rate, uint32_t burst_us)
{
    token_bucket_init(bucket, rate, rate * burst_us / MICROSECONDS, cpu_counter_frequency(),
                      cpu_counter());
}

void limit_init(struct limit *limit, const struct block_client_config *config)
{
    limit->exists = config->bytes_rate != 0 || config->operations_rate != 0;
    open_bucket(&limit->bytes, config->bytes_rate, config->burst_us);
    open_bucket(&limit->operations, config->operations_rate, config->burst_us);
}

bool limit_is_open(struct limit *limit)
{
    uint64_t now = cpu_counter();

    return token_bucket_is_open(&limit->bytes, now) &&
           token_bucket_is_open(&limit->operations, now);
}

void limit_spend(struct limit *limit, uint32_t bytes)
{
    token_bucket_spend(&limit->bytes, bytes);
    token_bucket_spend(&limit->operations, 1);
}

uint64_t limit_opens(const struct limit *limit)
{
    uint64_t bytes = token_bucket_opens(&limit->bytes);
    uint64_t operations = token_bucket_opens(&limit->operations);

    return bytes > operations ? bytes : operations;
}
