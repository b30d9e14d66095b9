/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The physical timer of this core (Arm DDI 0487, D11.2). */

#include <stdint.h>

#define CNTP_CTL_ENABLE 1u

#if defined(__aarch64__)

/* Interrupt once CNTPCT_EL0 has reached `deadline`. */
static inline void cntp_arm(uint64_t deadline)
{
    __asm__ volatile("msr cntp_cval_el0, %0\n\t"
                     "msr cntp_ctl_el0, %1\n\t"
                     "isb" ::"r"(deadline),
                     "r"((uint64_t)CNTP_CTL_ENABLE)
                     : "memory");
}

static inline void cntp_disarm(void)
{
    __asm__ volatile("msr cntp_ctl_el0, xzr\n\t"
                     "isb" ::
                         : "memory");
}

#else

/* Supplied by the unit test. */
void cntp_arm(uint64_t deadline);
void cntp_disarm(void);

#endif
