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
        done();
        break;
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
