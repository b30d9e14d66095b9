/* SPDX-License-Identifier: BSD-2-Clause */

#include <microkit.h>

/* Whoever waits for the physical timer would wait for ever. */
void init(void)
{
    __asm__ volatile("msr cntp_ctl_el0, xzr" : : : "memory");
    microkit_dbg_puts("not ok timer_is_not_its: it has stopped it\n");
}

void notified(microkit_channel ch)
{
    (void)ch;
}
