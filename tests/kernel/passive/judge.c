/* SPDX-License-Identifier: BSD-2-Clause */

#include "passive.h"

#define TO_LIMITED 4
#define TO_CLIENT  5
#define TO_SERVER  6
#define TIMER      60

static unsigned phase;

static void sleep_for(uint64_t us)
{
    uint64_t frequency;

    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(now() + us * (frequency / 1000) / 1000));
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(1ul));
}

void init(void)
{
}

void notified(microkit_channel ch)
{
    if (ch == TIMER) {
        __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(0ul));
        microkit_irq_ack(TIMER);
    }
    switch (phase++) {
    case 0: /* client has called */
        microkit_notify(TO_SERVER);
        sleep_for(1000);
        break;
    case 1:
        check_equal("passive_is_notified", shared->server_notified, 1);
        check_equal("passive_calls_on_its_own_time", shared->inner_calls, 2);
        shared->work = 1;
        microkit_notify(TO_LIMITED);
        sleep_for(100000);
        break;
    case 2:
        check_range("passive_runs_on_the_callers_budget", shared->work_time, 9000, 11100);
        microkit_notify(TO_SERVER);
        microkit_notify(TO_CLIENT);
        sleep_for(20000);
        break;
    case 3:
        check_equal("passive_notification_waits", shared->server_notified, 1);
        shared->work = 0;
        break;
    case 4: /* client has been served */
        check_equal("passive_notification_follows", shared->server_notified, 2);
        done();
        break;
    }
}
