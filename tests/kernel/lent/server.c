/* SPDX-License-Identifier: BSD-2-Clause */

#include "lent.h"

struct shared *shared;

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo info)
{
    (void)ch;
    shared->calls++;
    spin_for(3 * BUDGET);
    return info;
}
