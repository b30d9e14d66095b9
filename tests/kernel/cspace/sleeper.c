/* SPDX-License-Identifier: BSD-2-Clause */

/* Suspends itself when it is notified. */

#include "cspace.h"

struct shared *shared;

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
    seL4_TCB_Suspend(microkit_cspace_root_slot_to_cptr(1));
    shared->suspended++;
}
