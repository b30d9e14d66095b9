/* SPDX-License-Identifier: BSD-2-Clause */

#include <microkit.h>

#define TO_KEEPER 1

void init(void)
{
    for (;;) {
        microkit_notify(TO_KEEPER);
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
}
