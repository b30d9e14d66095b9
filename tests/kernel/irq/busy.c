/* SPDX-License-Identifier: BSD-2-Clause */

#include "tests/kernel/common/check.h"

/* For a while interrupts interrupt this; then they wake an idle core. */
void init(void)
{
    spin_for(2000);
}

void notified(microkit_channel ch)
{
    (void)ch;
}
