/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Virtual CPUs. EL1 registers are switched lazily: a vCPU's stay in the core while PDs run, until
 * another vCPU is loaded. Those that affect a PD are switched each time (vcpu_switch.h).
 */

#include <sel4/constants.h>
#include <sel4/errors.h>
#include <stdbool.h>
#include <stdint.h>
#include "debug.h"
#include "gic.h"

struct cpu;
struct thread;

struct vcpu {
    uint64_t reg[seL4_VCPUReg_Num];
    uint64_t hcr; /* HCR_EL2 */
    uint64_t csselr;
    uint64_t disr;   /* VDISR_EL2, which a guest sees as DISR_EL1, if the processor has it */
    uint64_t tpidr2; /* TPIDR2_EL0, if the processor has it */
    uint32_t vmcr;   /* the virtual CPU interface, see gic.h */
    gich_apr apr;
    gich_lr lr[GICH_LIST_REGISTERS];
    uint64_t lr_used;   /* which of `lr` may hold an interrupt */
    bool vtimer_masked; /* a VPPI event has not been acknowledged */
    struct debug debug;
};

/* The state after power-on. */
void vcpu_init(struct thread *thread);

/* The core's own settings, once at boot. */
void vcpu_init_cpu(struct cpu *cpu);

/* Load this vCPU before it runs: registers, list registers, the virtual timer's mask. */
void vcpu_load(struct cpu *cpu, struct thread *thread);

/*
 * Put the loaded vCPU's registers into memory: it does not run for now, and its monitor is on
 * another core, which would have to call this one for each of them. No vCPU is loaded then.
 */
void vcpu_unload(struct cpu *cpu);

/* Switch the virtual CPU interface off until a vCPU runs (GICH_HCR.En). An idle core would not
 * sleep in WFI with a virtual interrupt pending. */
void vcpu_disable_gich(struct cpu *cpu);

/*
 * For the thread's monitor, on the core of the thread if it is loaded there, and not while it runs
 * (smp.h). `cpu` is the thread's core. Registers are those of seL4_VCPUReg; others are an error.
 */
seL4_Error vcpu_read_register(struct cpu *cpu, struct thread *thread, uint64_t reg,
                              uint64_t *value);
seL4_Error vcpu_write_register(struct cpu *cpu, struct thread *thread, uint64_t reg,
                               uint64_t value);

/*
 * Put an interrupt into a list register: INTID | priority << 16 | group << 24 | index << 32.
 * It replaces an interrupt that is pending there. seL4_DeleteFirst if that one is active, or if
 * another list register has this INTID.
 */
seL4_Error vcpu_inject(struct cpu *cpu, struct thread *thread, uint64_t interrupt);

/* Unmask the virtual timer's event. `intid` is INTID_VIRTUAL_TIMER; others are an error. */
seL4_Error vcpu_ack_vppi(struct thread *thread, uint64_t intid);

/* Interrupts that a running vCPU causes. */
void vcpu_timer_interrupt(struct cpu *cpu);
void vcpu_maintenance_interrupt(struct cpu *cpu);
