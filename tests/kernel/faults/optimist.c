/* SPDX-License-Identifier: BSD-2-Clause */

#include <microkit.h>

void init(void)
{
    microkit_ppcall(5, microkit_msginfo_new(0, 0));
    microkit_dbg_puts("not ok missing_protected: it has answered\n");
}

void notified(microkit_channel ch)
{
    (void)ch;
}
