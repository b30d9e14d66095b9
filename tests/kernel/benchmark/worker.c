/* SPDX-License-Identifier: BSD-2-Clause */

/* Works when it is notified. */

#include "tests/kernel/common/check.h"

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
    spin_for(microkit_name[0] == 'w' ? 6000 : 2000);
}
