/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The counter, and the kernel's own timer (CNTHP), which runs only while something waits for it. */

#include <stdint.h>
#include "arch.h"

#define TIMER_NEVER UINT64_MAX

/* Who may use which timer; the kernel's off. */
void timer_init(void);

/* Microseconds in ticks of the counter, at least 1. */
uint64_t timer_ticks(uint64_t microseconds);

static inline uint64_t timer_now(void)
{
    return read_sysreg(cntpct_el0);
}

/* Interrupt at `deadline` instead of when it was set to before. */
static inline void timer_set(uint64_t deadline)
{
    write_sysreg(cnthp_cval_el2, deadline);
    write_sysreg(cnthp_ctl_el2, 1);
}

static inline void timer_stop(void)
{
    write_sysreg(cnthp_ctl_el2, 0);
}
