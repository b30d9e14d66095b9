/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A core's state, all of it. TPIDR_EL2 points to it, and the core's stack ends where it begins. */

#define CPU_CURRENT    0
#define CPU_NEXT       8
#define CPU_ENTERED    16   /* in benchmark configs */
#define CPU_STACK_SIZE 8192 /* of which the lowest page is a guard */

#include <kernel/gen_config.h> /* CONFIG_ENABLE_SMP_SUPPORT, CONFIG_MAX_NUM_NODES */

#ifndef __ASSEMBLER__

#include "arch.h"
#include "thread.h"

#define CPU_PRIORITIES 256

/* A constant: what is for several cores is not in a kernel for one. */
#define IS_SMP (CONFIG_MAX_NUM_NODES > 1)

#define SCHEDULING_DOMAINS 0x100u /* of `scheduling`, in the place of `has_domains` */

#define OFF_GICH  1u /* the virtual CPU interface */
#define OFF_DEBUG 2u /* debug exceptions; the loaded vCPU has them (debug.h) */

/* What the threads of one priority have done on a core, while time was accounted. */
struct level {
    uint64_t used; /* ticks */
    uint64_t ends; /* budgets and time slices that were used up */
};

struct cpu {
    struct thread *current; /* whose registers are in the core; NULL when idle */
    struct thread *next;    /* runs when the kernel is left: the highest that can */
#ifdef CONFIG_BENCHMARK_TRACK_UTILISATION
    uint64_t entered_at; /* when the core came into the kernel, in cycles */
    struct benchmark_core benchmark;
#endif

    /* The scheduler's (sched.c). `next` is in no queue. */
    struct thread *ready_cache; /* in no queue either, or NULL: see sched.h */
    int ready_top;              /* the highest priority of which a thread is in a queue, or -1 */
    union {
        struct {
            bool accounting;  /* whether time is being charged */
            bool has_domains; /* constant: whether threads have to wait for turns (domain.h) */
        };
        uint16_t scheduling; /* both: not 0 if each switch takes time into account */
    };

    /* What is loaded into the core's registers (vcpu.c, fpu.c). */
    bool vcpu_active;           /* EL1 is set up for the loaded vCPU */
    uint8_t off;                /* what is switched off until a vCPU runs: OFF_... */
    bool vtimer_masked;         /* INTID 27 has been left active */
    struct thread *vcpu_loaded; /* whose EL1 registers these are, or NULL */
    struct thread *vcpu_ready;  /* it, if it can go on without vcpu_load, or NULL */
    struct thread *fpu_owner;
    uint64_t cptr;
    uint64_t hcr_pd, sctlr_pd; /* HCR_EL2 and SCTLR_EL1 while a PD runs */
    uint64_t vttbr_empty;      /* VTTBR_EL2 between two regimes (set_regime); 0: not needed */
    bool has_untrapped;        /* another vCPU takes more than load and save (switch_untrapped) */
    bool has_disr;             /* VDISR_EL2 */
    bool has_tpidr2;           /* TPIDR2_EL0 */
    uint64_t list_registers_used;

    struct sched_context *charged; /* time is charged to it from `charged_since` on */
    uint64_t charged_since;
    uint64_t timer_at;            /* when the kernel's timer interrupts, or TIMER_NEVER */
    struct thread *release_queue; /* threads that wait for a replenishment, soonest first */
    uint64_t ready_words;         /* which of ready_bits are not 0 */
    uint64_t ready_bits[CPU_PRIORITIES / 64]; /* which queues are not empty */
    struct queue ready[CPU_PRIORITIES];
    struct level levels[CPU_PRIORITIES];

    /* For other cores (smp.h). */
    uint32_t core;                                 /* its number */
    struct queue inbox;                            /* threads that other cores have made ready */
    void (*call)(struct cpu *cpu, void *argument); /* what another core waits for, or NULL */
    void *call_argument;
    bool in_call;   /* waits for the lock with an SVC or HVC of the current thread */
    bool withdrawn; /* the current thread has been taken off while the core waited */
};

/* The state of a core by its number, which is below CONFIG_MAX_NUM_NODES. */
struct cpu *cpu_of_core(uint32_t core);

_Static_assert(offsetof(struct cpu, current) == CPU_CURRENT, "vectors.S");
_Static_assert(offsetof(struct cpu, next) == CPU_NEXT, "vectors.S");
#ifdef CONFIG_BENCHMARK_TRACK_UTILISATION
_Static_assert(offsetof(struct cpu, entered_at) == CPU_ENTERED, "vectors.S");
#endif

static inline struct cpu *this_cpu(void)
{
    return (struct cpu *)read_constant_sysreg(tpidr_el2);
}

/*
 * Let `next` use the FP and SIMD registers if it owns them. Otherwise a vCPU gets them at once: its
 * guest's kernel uses them soon, and an emulator translates code anew for each setting of this
 * trap. A PD, which may well not use them while it runs, gets them at its first use, by a trap.
 */
static inline void fpu_switch(struct cpu *cpu, struct thread *next)
{
    uint64_t cptr = cpu->cptr & ~CPTR_TFP;

    if (cpu->fpu_owner != next) {
        if (next->is_vcpu && !(next->config->flags & SYSTEM_THREAD_NO_FPU)) {
            fpu_set_owner(cpu, next);
            return;
        }
        cptr |= CPTR_TFP;
    }
    if (cptr != cpu->cptr) {
        cpu->cptr = cptr;
        write_sysreg(cptr_el2, cptr);
    }
}

#endif
