/* SPDX-License-Identifier: BSD-2-Clause */

#include "api.h"

#define TO_MIDDLE 61

void init(void)
{
    shared->after_init = shared->after_init << 8 | 'h';
}

void notified(microkit_channel ch)
{
    (void)ch;
    shared->high_notified++;
    /* To a lower PD: it runs only when this one waits. */
    microkit_notify(TO_MIDDLE);
    microkit_notify(TO_MIDDLE);
    microkit_notify(TO_MIDDLE);
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo info)
{
    (void)info;
    microkit_mr_set(0, 100 + ch);
    return microkit_msginfo_new(77, 1);
}
