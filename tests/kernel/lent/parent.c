/* SPDX-License-Identifier: BSD-2-Clause */

#include "lent.h"

#define CHILD 0

struct shared *shared;
static unsigned step;

void init(void)
{
}

/* Each step begins when the child waits for budget, or for somebody to resume it. */
void notified(microkit_channel ch)
{
    (void)ch;
    switch (step++) {
    case 0:
        check_equal("lent_call_has_begun", shared->calls, 1);
        microkit_pd_stop(CHILD);
        break;
    case 1:
        /* It calls again, and lends what it has not. */
        check_equal("lent_resumed_without_budget", seL4_TCB_Resume(BASE_TCB_CAP + CHILD),
                    seL4_NoError);
        break;
    case 2:
        check("lent_all_goes_on", true);
        done();
        break;
    }
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    (void)child;
    (void)msginfo;
    (void)reply_msginfo;
    check("fault_expected", false);
    return seL4_False;
}
