/* SPDX-License-Identifier: BSD-2-Clause */

/* Wakes its node again whenever nobody else on its core has anything to do. */

#include "storm.h"

void init(void)
{
}

void notified(microkit_channel ch)
{
    microkit_notify(ch);
}
