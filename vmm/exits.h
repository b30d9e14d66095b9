/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Statistics of the guest's exits by cause: `make EXITS=1` defines VMM_COUNT_EXITS. Each time the
 * machine stops, the monitor prints what it has counted since the machine started. Without
 * VMM_COUNT_EXITS nothing of this is compiled.
 */

#include <stdint.h>

enum exit_cause {
    EXIT_MMIO,      /* an access to an emulated register, or to where nothing is */
    EXIT_FETCH,     /* an instruction fetched from where none is */
    EXIT_WFX,       /* WFI and WFE */
    EXIT_HYPERCALL, /* SMC and HVC */
    EXIT_SYSREG,    /* a system register */
    EXIT_TIMER,     /* the virtual timer's interrupt has come */
    EXIT_EOI,       /* an interrupt in a list register has ended */
    EXIT_OTHER,
    EXIT_CAUSES
};

#ifdef VMM_COUNT_EXITS

/* Count an exit of that cause. EXIT_MMIO is for exits_count_mmio. */
void exits_count(enum exit_cause cause);

/* Count an access at guest-physical `gpa`. The report lists the busiest addresses. */
void exits_count_mmio(uint64_t gpa);

/* Print the counts, and set them to zero. */
void exits_report(void);

#else

static inline void exits_count(enum exit_cause cause)
{
    (void)cause;
}

static inline void exits_count_mmio(uint64_t gpa)
{
    (void)gpa;
}

static inline void exits_report(void)
{
}

#endif
