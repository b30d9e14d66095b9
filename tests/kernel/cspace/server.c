/* SPDX-License-Identifier: BSD-2-Clause */

/* Counts its notifications and answers calls. */

#include "cspace.h"

struct shared *shared;

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
    shared->notified++;
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    (void)ch;
    /* The caller asks for that many microseconds. */
    spin_for(microkit_msginfo_get_label(msginfo));
    return microkit_msginfo_new(7, 0);
}
