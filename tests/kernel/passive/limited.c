/* SPDX-License-Identifier: BSD-2-Clause */

#include "passive.h"

#define TO_SERVER 2

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
    microkit_mr_set(0, SERVE_WORK);
    microkit_ppcall(TO_SERVER, microkit_msginfo_new(0, 1));
}
