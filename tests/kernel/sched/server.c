/* SPDX-License-Identifier: BSD-2-Clause */

#include "tests/kernel/common/check.h"

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
    return microkit_msginfo_new(0, 0);
}
