/* SPDX-License-Identifier: BSD-2-Clause */

#include <microkit.h>

#define TO_METER 3

/* When everybody waits, the next measurement begins. */
void init(void)
{
    for (;;) {
        microkit_notify(TO_METER);
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
}
