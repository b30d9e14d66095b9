/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "tests/kernel/common/check.h"

enum { LIMITED, SHORT, LONG, BELOW, CALLING, COMPUTING, CAPPED, WORKERS };

#define SERVER 10 /* the channel to a server, of those that call */

/* What the judge lets a worker do, and what it has done. */
struct shared {
    volatile uint64_t work[WORKERS];  /* while not 0, a worker works */
    volatile uint64_t count[WORKERS]; /* microseconds that it has worked */
    volatile uint64_t turns[WORKERS]; /* how often it was without the core in between */
    volatile uint64_t yield[WORKERS]; /* it yields every microsecond */
    volatile uint64_t call[WORKERS];  /* if not 0, it calls a server after this many microseconds */
};

struct shared *shared;

/*
 * Work: count those microseconds that it has had the core. Two readings of the clock that are
 * further apart than a few microseconds mean that somebody else has had it.
 */
static inline void work(unsigned worker)
{
    uint64_t last = now();
    uint64_t called = last;
    uint64_t had = 0;

    while (shared->work[worker]) {
        uint64_t time = now();

        if (time - last > 62 * 5) {
            shared->turns[worker]++;
        } else {
            had += time - last;
        }
        last = time;
        shared->count[worker] = microseconds(had);
        if (shared->yield[worker]) {
            seL4_Yield();
        }
        if (shared->call[worker] && time - called >= ticks(shared->call[worker])) {
            microkit_ppcall(SERVER, microkit_msginfo_new(0, 0));
            called = now();
        }
    }
}
