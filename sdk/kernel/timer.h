/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The counter (CNTPCT), and the kernel's timer (CNTHP), which is enabled only while it is armed. */

#include <stdint.h>
#include "arch.h"

#define TIMER_NEVER UINT64_MAX

/* Set which exception level may use which timer. The kernel's timer is off. */
void timer_init(void);

/* Microseconds in ticks of the counter, at least 1. */
uint64_t timer_ticks(uint64_t microseconds);

/* Ticks of the counter in whole microseconds. */
uint64_t timer_microseconds(uint64_t ticks);

static inline uint64_t timer_now(void)
{
    return read_sysreg(cntpct_el0);
}

/* Interrupt at `deadline`, on the counter, and at no earlier deadline. */
static inline void timer_set(uint64_t deadline)
{
    write_sysreg(cnthp_cval_el2, deadline);
    write_sysreg(cnthp_ctl_el2, 1);
}

static inline void timer_stop(void)
{
    write_sysreg(cnthp_ctl_el2, 0);
}
