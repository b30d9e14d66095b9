/* SPDX-License-Identifier: BSD-2-Clause */

#include "passive.h"

void init(void)
{
    shared->init_order = shared->init_order << 8 | 'i';
}

void notified(microkit_channel ch)
{
    (void)ch;
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo info)
{
    (void)info;
    shared->inner_calls++;
    microkit_mr_set(0, microkit_mr_get(0) + ch);
    return microkit_msginfo_new(0, 1);
}
