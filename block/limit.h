/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a client may read and write: bytes and requests per second, each by a token bucket. A
 * request that has been sent is paid for, and while one of the buckets is in debt none goes. A
 * flush does not count, and waits for no bucket: what was written is to be safe soon.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "lib/token_bucket.h"

struct limit {
    bool exists;
    struct token_bucket bytes;
    struct token_bucket operations;
};

/* As the client's configuration says. */
void limit_init(struct limit *limit, const struct block_client_config *config);

/* Whether a request may go now. */
bool limit_is_open(struct limit *limit);

/* A request that moves so many bytes has gone. */
void limit_spend(struct limit *limit, uint32_t bytes);

/* When the next request may go, in ticks of CNTPCT_EL0; not in the future if that is now. */
uint64_t limit_opens(const struct limit *limit);
