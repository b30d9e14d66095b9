/* SPDX-License-Identifier: BSD-2-Clause */

#include <microkit.h>

/* Faults with known registers, for the report. */
void init(void)
{
    __asm__ volatile("mov x20, #0x2020\n"
                     "mov x21, #0x40000000\n"
                     "str x20, [x21, #16]" ::
                         : "x20", "x21");
}

void notified(microkit_channel ch)
{
    (void)ch;
}
