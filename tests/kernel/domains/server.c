/* SPDX-License-Identifier: BSD-2-Clause */

/* Says what time it is when it is called, and notes it when it is notified. */

#include "domains.h"

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
    shared->woken = now();
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo info)
{
    (void)ch, (void)info;
    microkit_mr_set(0, now());
    return microkit_msginfo_new(0, 1);
}
