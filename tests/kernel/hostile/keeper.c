/* SPDX-License-Identifier: BSD-2-Clause */

#include "hostile.h"

#define ROGUE    7
#define TO_ROGUE 2
#define TICKER   1

struct shared *shared;

void init(void)
{
}

/* Everybody waits: rogue in a receive, or for an answer that does not come. */
void notified(microkit_channel ch)
{
    static uint64_t calls_before;

    (void)ch;
    if (shared->returns == CALLS) {
        check("hostile_calls_fault", shared->faults > CALLS / 50);
        check("hostile_calls_return", shared->faults < CALLS * 9 / 10);
        done();
        return;
    }
    microkit_notify(TO_ROGUE);
    if (shared->calls == calls_before) {
        /* It has not helped the last time: take it out of its call. */
        seL4_UserContext context = {0};

        seL4_TCB_ReadRegisters(BASE_TCB_CAP + ROGUE, true, 0, 1, &context);
        microkit_pd_restart(ROGUE, context.pc);
    }
    calls_before = shared->calls;
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    seL4_UserContext context = {0};

    (void)msginfo;
    (void)reply_msginfo;
    shared->faults++;
    seL4_TCB_ReadRegisters(BASE_TCB_CAP + child, false, 0, 1, &context);
    microkit_pd_restart(child, context.pc + 4); /* behind the call */
    return false;
}
