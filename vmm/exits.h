/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The guest's exits by cause (stats.h). With `make EXITS=1`, which defines VMM_COUNT_EXITS, the
 * monitor also prints them each time the machine stops, with the addresses that are accessed most.
 */

#include <stdint.h>
#include "stats.h"

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

/* Count it for the report; `gpa` is of interest if it is an EXIT_MMIO. */
void exits_trace(enum exit_cause cause, uint64_t gpa);

/* Print the counts, and set them to zero. */
void exits_report(void);

#else

static inline void exits_trace(enum exit_cause cause, uint64_t gpa)
{
    (void)cause;
    (void)gpa;
}

static inline void exits_report(void)
{
}

#endif

/* Count an exit of that cause, a constant. `gpa` is what an EXIT_MMIO accesses, guest-physical. */
static inline void exits_count(enum exit_cause cause, uint64_t gpa)
{
    static const size_t members[EXIT_CAUSES] = {
        [EXIT_MMIO] = offsetof(struct stats_machine, exits_mmio),
        [EXIT_FETCH] = offsetof(struct stats_machine, exits_fetch),
        [EXIT_WFX] = offsetof(struct stats_machine, exits_wfx),
        [EXIT_HYPERCALL] = offsetof(struct stats_machine, exits_hypercall),
        [EXIT_SYSREG] = offsetof(struct stats_machine, exits_sysreg),
        [EXIT_TIMER] = offsetof(struct stats_machine, exits_timer),
        [EXIT_EOI] = offsetof(struct stats_machine, exits_eoi),
        [EXIT_OTHER] = offsetof(struct stats_machine, exits_other),
    };

    stats_add((uint64_t *)((uintptr_t)vmm_config.stats + members[cause]), 1);
    exits_trace(cause, gpa);
}
