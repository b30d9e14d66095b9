/* SPDX-License-Identifier: BSD-2-Clause */

#include "exits.h"

#ifdef VMM_COUNT_EXITS

#include <string.h>
#include "lib/log.h"

/* The first ADDRESSES addresses are counted apart. Fewer than this part of all is not printed. */
#define ADDRESSES      512u
#define RAREST_DIVISOR 100u

static struct {
    uint64_t by_cause[EXIT_CAUSES];
    struct {
        uint64_t gpa;
        uint64_t count;
    } at[ADDRESSES];
    uint32_t addresses;
} exits;

static const char *const names[EXIT_CAUSES] = {
    [EXIT_MMIO] = "accesses to registers",
    [EXIT_FETCH] = "fetches from where nothing is",
    [EXIT_WFX] = "WFI or WFE",
    [EXIT_HYPERCALL] = "SMC or HVC",
    [EXIT_SYSREG] = "system registers",
    [EXIT_TIMER] = "interrupts of the virtual timer",
    [EXIT_EOI] = "ends of interrupts",
    [EXIT_OTHER] = "others",
};

static void trace_address(uint64_t gpa)
{
    uint32_t i = 0;

    while (i < exits.addresses && exits.at[i].gpa != gpa) {
        i++;
    }
    if (i == ADDRESSES) {
        return;
    }
    if (i == exits.addresses) {
        exits.at[exits.addresses++].gpa = gpa;
    }
    exits.at[i].count++;
}

void exits_trace(enum exit_cause cause, uint64_t gpa)
{
    exits.by_cause[cause]++;
    if (cause == EXIT_MMIO) {
        trace_address(gpa);
    }
}

static void report_addresses(uint64_t all)
{
    for (uint32_t i = 0; i < exits.addresses; i++) {
        if (exits.at[i].count >= all / RAREST_DIVISOR) {
            log_printf("exits: %10llu   at 0x%llx", (unsigned long long)exits.at[i].count,
                       (unsigned long long)exits.at[i].gpa);
        }
    }
}

void exits_report(void)
{
    uint64_t all = 0;

    for (unsigned cause = 0; cause < EXIT_CAUSES; cause++) {
        all += exits.by_cause[cause];
    }
    log_printf("exits: %10llu in all", (unsigned long long)all);
    for (unsigned cause = 0; cause < EXIT_CAUSES; cause++) {
        if (exits.by_cause[cause] != 0) {
            log_printf("exits: %10llu %s", (unsigned long long)exits.by_cause[cause], names[cause]);
        }
        if (cause == EXIT_MMIO) {
            report_addresses(all);
        }
    }
    memset(&exits, 0, sizeof(exits));
}

#endif
