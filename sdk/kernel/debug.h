/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The debug registers of vCPUs: breakpoints, watchpoints, single step (Arm DDI 0487, D2).
 *
 * Few guests use them at a time. Until a guest enables debug exceptions in MDSCR_EL1, its accesses
 * trap, and the registers are in memory. From then on they are in the core's registers while the
 * vCPU is loaded there, and do not trap. When it is not loaded they are in memory. If it
 * had disabled debug exceptions by then, its accesses trap again.
 *
 * While a PD runs, they stay in the core, so that exits cost no more. Then a guest's breakpoint may
 * hit the PD. That is an exception to the kernel, which switches debug exceptions off until the
 * vCPU goes on.
 */

#include <stdbool.h>
#include <stdint.h>

#define DEBUG_MAX 16u /* of either kind, at most (ID_AA64DFR0_EL1) */

struct cpu;
struct thread;

enum debug_kind { DEBUG_BVR, DEBUG_BCR, DEBUG_WVR, DEBUG_WCR, DEBUG_KINDS };

struct debug {
    bool active; /* in the core's registers when loaded: then `reg` and `mdscr` may be old */
    uint64_t mdscr;
    uint64_t reg[DEBUG_MAX][DEBUG_KINDS];
    uint64_t exit_pc; /* the vCPU's, when debug exceptions were switched off for it */
};

/* The core's own settings, once at boot. */
void debug_init_cpu(void);

/*
 * The running vCPU has accessed a register that is trapped, by the syndrome `esr`. *value is what
 * it writes, or becomes what it reads. Returns false if it is none of these registers.
 */
bool debug_access(struct cpu *cpu, uint64_t esr, uint64_t *value);

/* Switch debug exceptions off until the loaded vCPU goes on. Returns false if
 * they are, or if it has none. */
bool debug_suspend(struct cpu *cpu);

/* Switch them on again: the loaded vCPU goes on. */
void debug_resume(struct cpu *cpu);

/* Another vCPU is loaded. Either is NULL if there is none. */
void debug_switch(struct cpu *cpu, struct thread *from, struct thread *to);
