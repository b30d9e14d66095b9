/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The guest's exits by cause, for those who want to know where they come from: `make EXITS=1`. Each
 * time the machine stops, what has been counted since it started is printed. Without
 * VMM_COUNT_EXITS nothing of this is compiled.
 */

#include <stdint.h>

enum exit_cause {
    EXIT_MMIO,          /* an access to an emulated register, or to where nothing is */
    EXIT_FETCH,         /* an instruction fetched from where none is */
    EXIT_IDLE,          /* WFI and WFE */
    EXIT_CALL,          /* SMC and HVC */
    EXIT_REGISTER,      /* a system register */
    EXIT_TIMER,         /* the virtual timer's interrupt has come */
    EXIT_INTERRUPT_END, /* an interrupt in a list register has ended */
    EXIT_OTHER,
    EXIT_CAUSES
};

#ifdef VMM_COUNT_EXITS

/* Count one of that cause; EXIT_MMIO is for exits_count_mmio. */
void exits_count(enum exit_cause cause);

/* Count an access at guest-physical `gpa`; the busiest addresses are told one by one. */
void exits_count_mmio(uint64_t gpa);

/* Print what has been counted, and begin anew. */
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
