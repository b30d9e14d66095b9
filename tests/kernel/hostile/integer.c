/* SPDX-License-Identifier: BSD-2-Clause */

#include <microkit.h>

void init(void)
{
    __asm__ volatile("fmov d0, #1.0" : : : "v0");
    microkit_dbg_puts("not ok no_fpu: it has one\n");
}

void notified(microkit_channel ch)
{
    (void)ch;
}
