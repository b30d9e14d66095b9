/* SPDX-License-Identifier: BSD-2-Clause */

#include "faults.h"

struct shared *shared;

#define TO_PARENT 3

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
}

/* In the middle of the first call, parent stops the caller. */
microkit_msginfo protected(microkit_channel ch, microkit_msginfo info)
{
    (void)ch;
    (void)info;
    if (shared->calls++ == 0) {
        microkit_notify(TO_PARENT);
    }
    microkit_mr_set(0, microkit_mr_get(0) + shared->calls);
    return microkit_msginfo_new(0, 1);
}
