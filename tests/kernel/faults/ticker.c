/* SPDX-License-Identifier: BSD-2-Clause */

#include <microkit.h>

#define TO_PARENT 6

void init(void)
{
    for (;;) {
        microkit_notify(TO_PARENT);
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
}
