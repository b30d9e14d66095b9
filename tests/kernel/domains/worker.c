/* SPDX-License-Identifier: BSD-2-Clause */

#include "domains.h"

void init(void)
{
}

void notified(microkit_channel ch)
{
    work(ch);
}
