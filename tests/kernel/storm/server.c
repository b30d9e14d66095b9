/* SPDX-License-Identifier: BSD-2-Clause */

#include "storm.h"

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo info)
{
    (void)ch;
    (void)info;
    shared->node[number_in_name()].served++;
    microkit_mr_set(0, answer_to(microkit_mr_get(0)));
    return microkit_msginfo_new(0, 1);
}
