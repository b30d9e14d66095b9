/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "tests/kernel/common/check.h"

/* The workers, which are also the channels to them. */
enum { HERE, THERE, LIMITED, LONG, WORKERS };

#define TIMER   60
#define SERVER  10 /* the channel to a server of the other domain, */
#define PASSIVE 11 /* to a passive one, */
#define SLEEPER 12 /* and to one that notes when it is notified */

#define TURN_HERE  2000 /* microseconds, as in domains.system */
#define TURN_THERE 3000
#define TURN_EMPTY 1000
#define CYCLE      (TURN_HERE + TURN_THERE + TURN_EMPTY)

/* Longer without the core than this is the end of a run: microseconds. */
#define GAP 15

#define RUNS 60

struct run {
    uint64_t begin, end;             /* on the counter */
    uint64_t guest_begin, guest_end; /* what the guest had counted then */
};

struct shared {
    volatile uint64_t guest; /* counted by a guest while it runs */
    volatile uint64_t work[WORKERS];
    volatile uint64_t count[WORKERS];
    struct run runs[WORKERS][RUNS];
    volatile uint64_t woken; /* when the sleeper was */
    volatile uint64_t last;  /* when the child has run */
    volatile uint64_t lost;  /* FP registers that did not hold what was put into them */
};

struct shared *shared;

static inline void note_run(unsigned worker, const struct run *run)
{
    uint64_t i = shared->count[worker];

    if (i < RUNS) {
        shared->runs[worker][i] = *run;
        shared->count[worker] = i + 1;
    }
}

/*
 * Compute, and note from when to when the core was there. A turn may end between any two
 * instructions, so what the guest had counted at the end of a run is what was read before its last
 * reading of the clock.
 */
static inline void work(unsigned worker)
{
    const uint64_t gap = ticks(GAP), begin = now();
    uint64_t last = begin;
    uint64_t guest = shared->guest;
    struct run run = {last, last, guest, guest};

    __asm__ volatile("fmov d8, %0" : : "r"(begin + worker));
    while (shared->work[worker]) {
        uint64_t time = now();

        if (time - last > gap) {
            run.end = last;
            note_run(worker, &run);
            guest = shared->guest;
            run = (struct run){time, time, guest, guest};
        }
        run.guest_end = guest;
        guest = shared->guest;
        last = time;
    }
    run.end = last;
    note_run(worker, &run);

    uint64_t kept;
    __asm__ volatile("fmov %0, d8" : "=r"(kept));
    shared->lost += kept != begin + worker;
}
