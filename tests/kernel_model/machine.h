/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The machine that the kernel runs on here: what sdk/kernel/arch.h is for a processor. A core's
 * registers are words. Time passes, interrupts come, and WFI and WFE end when the model says so.
 */

#include <stdbool.h>
#include <stdint.h>

struct cpu;

#define MACHINE_CORES 2
#define MACHINE_INTID 40u /* the first of the interrupts of devices */

/* Where a core is while it is not in the kernel. */
enum core_place {
    CORE_RUNS,  /* its current thread */
    CORE_IDLES, /* in WFI, in the kernel's loop */
    CORE_WAITS, /* for the kernel's lock, with an exception to handle */
};

struct machine_core {
    uint64_t tpidr_el2, tpidr_el0, tpidrro_el0;
    uint64_t cntpct_el0, cntfrq_el0, cnthp_cval_el2, cnthp_ctl_el2;
    uint64_t cntv_ctl_el0, cntp_ctl_el0, cntvoff_el2, cnthctl_el2, cntkctl_el1;
    uint64_t vttbr_el2, hcr_el2, sctlr_el1, cpacr_el1, cptr_el2;
    uint64_t elr_el2, sp_el0, esr_el2, far_el2, id_aa64pfr0_el1;
    uint8_t place;     /* enum core_place */
    bool sgi;          /* the interrupt from another core is pending */
    bool interrupted;  /* the next WFI ends at once */
    uint32_t arriving; /* what the next acknowledgement finds */
    uint64_t active;   /* of the devices' interrupts from MACHINE_INTID on: which are active */
};

extern struct machine_core machine_cores[MACHINE_CORES];
extern struct machine_core *machine_core; /* the one that executes */

#define read_sysreg(name)          (machine_core->name)
#define read_constant_sysreg(name) (machine_core->name)
#define write_sysreg(name, value)  ((void)(machine_core->name = (uint64_t)(value)))
#define write_sysregs(name1, value1, name2, value2, name3, value3)                                 \
    (write_sysreg(name1, value1), write_sysreg(name2, value2), write_sysreg(name3, value3))

static inline void isb(void)
{
}

static inline void dsb(void)
{
}

static inline void sev(void)
{
}

extern uint32_t kernel_lock; /* smp.c's */

/* Return if an interrupt is there. Otherwise leave the kernel: the core idles until one comes. */
void wfi(void);

/* Leave the kernel: the core waits for its lock. */
_Noreturn void wfe(void);

/* This core waits for a function that the other one is to execute: that one does. */
void spin(void);

static inline bool try_lock(uint32_t *lock)
{
    bool was_free = *lock == 0;

    *lock = 1;
    return was_free;
}

/* ---- For the model ---- */

/* Go back to the start: all registers are 0, no time has passed. */
void machine_reset(void);

/* This core executes from now on. */
void machine_enter(unsigned core);

/* Time passes on all cores. */
void machine_pass(uint64_t ticks);

/* Whether the kernel's timer interrupt is pending on this core. */
static inline bool machine_timer_due(const struct machine_core *core)
{
    return core->cnthp_ctl_el2 == 1 && core->cnthp_cval_el2 <= core->cntpct_el0;
}

/* When the timer interrupts, or UINT64_MAX. */
static inline uint64_t machine_timer(const struct machine_core *core)
{
    return core->cnthp_ctl_el2 == 1 ? core->cnthp_cval_el2 : UINT64_MAX;
}

/* Why the kernel was left: machine_run returns it. */
enum machine_end { END_DONE, END_IDLE, END_LOCKED };

/* Have this core execute `function` in the kernel until that returns, or until WFI or WFE. */
enum machine_end machine_run(void (*function)(struct cpu *cpu, void *argument), struct cpu *cpu,
                             void *argument);
