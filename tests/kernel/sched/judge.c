/* SPDX-License-Identifier: BSD-2-Clause */

#include "sched.h"

#define TIMER 60

static unsigned phase;

static void sleep_for(uint64_t us)
{
    uint64_t frequency;

    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(now() + us * (frequency / 1000) / 1000));
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(1ul));
}

/* Let these workers work for a while. */
static void begin(uint64_t us, unsigned workers, unsigned yielding)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        shared->count[i] = 0;
        shared->turns[i] = 0;
        shared->work[i] = workers >> i & 1;
        shared->yield[i] = yielding >> i & 1;
        shared->call[i] = 0;
        if (shared->work[i]) {
            microkit_notify(i);
        }
    }
    sleep_for(us);
}

/* Stop them, and leave them time to notice. */
static void end(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        shared->work[i] = 0;
    }
    sleep_for(30000);
}

/*
 * What of 200 ms a worker gets that calls a server now and then, beside an equal that computes. Its
 * turn may end anywhere: while it computes, within a call, or on the way between.
 */
static const struct {
    const char *name;
    unsigned worker;
    uint64_t call; /* microseconds */
    uint64_t low, high;
} shares[] = {
    {"share_of_calling_each_us", CALLING, 1, 96000, 104000},
    {"share_of_calling_each_3_us", CALLING, 3, 96000, 104000},
    {"share_of_calling_each_7_us", CALLING, 7, 96000, 104000},
    {"share_of_calling_each_29_us", CALLING, 29, 96000, 104000},
    {"share_of_calling_each_101_us", CALLING, 101, 96000, 104000},
    {"share_of_calling_each_997_us", CALLING, 997, 96000, 104000},
    /* Its turn is 9 of 10 ms long, and no call ends it. */
    {"share_of_calling_with_limit", CAPPED, 20, 140000, 180000},
};

#define SHARES (sizeof(shares) / sizeof(shares[0]))

/* Returns false when there are no more. */
static bool next_share(unsigned step)
{
    unsigned i = step / 2;

    if (i == SHARES) {
        return false;
    }
    if (step % 2 == 0) {
        begin(200000, 1u << shares[i].worker | 1 << COMPUTING, 0);
        shared->call[shares[i].worker] = shares[i].call;
    } else {
        check_range(shares[i].name, shared->count[shares[i].worker], shares[i].low, shares[i].high);
        end();
    }
    return true;
}

static void next_phase(void)
{
    switch (phase++) {
    case 0:
        begin(100000, 1 << LIMITED, 0);
        break;
    case 1:
        check_range("budget_is_kept_alone", shared->count[LIMITED], 19000, 22100);
        check_range("budget_periods", shared->turns[LIMITED], 9, 11);
        end();
        break;
    case 2:
        begin(100000, 1 << LIMITED | 1 << BELOW, 0);
        break;
    case 3:
        check_range("budget_is_kept", shared->count[LIMITED], 19000, 22100);
        check_range("budget_rest_is_others", shared->count[BELOW], 77000, 81000);
        end();
        break;
    case 4:
        begin(40000, 1 << SHORT | 1 << LONG | 1 << BELOW, 0);
        break;
    case 5:
        check_range("slices_short", shared->count[SHORT], 9000, 11000);
        check_range("slices_long", shared->count[LONG], 28500, 31500);
        check_range("slices_take_turns", shared->turns[SHORT], 17, 22);
        check_equal("lower_priority_starves", shared->count[BELOW], 0);
        end();
        break;
    case 6:
        begin(20000, 1 << SHORT | 1 << LONG, 1 << LONG);
        break;
    case 7:
        check_range("yield_leaves_the_rest", shared->count[SHORT], 18000, 20000);
        end();
        break;
    case 8:
        begin(100000, 1 << LIMITED, 1 << LIMITED);
        break;
    case 9:
        check_range("yield_waits_for_period", shared->turns[LIMITED], 8, 10);
        end();
        break;
    case 10:
        begin(20000, 1 << SHORT, 0);
        break;
    case 11:
        /* Nobody else is there: it is not interrupted. */
        check_range("alone_runs_on", shared->count[SHORT], 19800, 20000);
        check_equal("alone_uninterrupted", shared->turns[SHORT], 0);
        end();
        break;
    default:
        if (!next_share(phase - 13)) {
            done();
        }
    }
}

void init(void)
{
    sleep_for(1000);
}

void notified(microkit_channel ch)
{
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(0ul));
    next_phase();
    microkit_irq_ack(ch);
}
