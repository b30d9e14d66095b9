/* SPDX-License-Identifier: BSD-2-Clause */

#include "lent.h"

/* Runs while nobody else does: says so, for the parent's next step. */
void init(void)
{
    for (unsigned i = 0; i < STEPS; i++) {
        spin_for(100);
        microkit_notify(PARENT);
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
}
