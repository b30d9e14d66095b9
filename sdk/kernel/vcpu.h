/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Virtual CPUs. A vCPU's EL1 registers stay in the core while PDs run, until another vCPU takes its
 * place; what a PD would feel of them is exchanged on every switch between the two.
 */

#include <sel4/constants.h>
#include <sel4/errors.h>
#include <stdbool.h>
#include <stdint.h>
#include "gic.h"

struct cpu;
struct thread;

struct vcpu {
    uint64_t reg[seL4_VCPUReg_Num];
    uint64_t hcr; /* HCR_EL2 */
    uint64_t csselr;
    uint64_t disr; /* VDISR_EL2, which a guest has as DISR_EL1, and TPIDR2_EL0: if there are any */
    uint64_t tpidr2;
    uint32_t vmcr; /* GICH_VMCR, GICH_APR, GICH_LR: the virtual CPU interface */
    uint32_t apr;
    uint32_t lr[GICH_LIST_REGISTERS];
    uint64_t lr_used;   /* which of `lr` may hold an interrupt */
    bool vtimer_masked; /* a VPPI event has not been acknowledged */
};

/* The state after power-on. */
void vcpu_init(struct thread *thread);

/* The core's own settings, once at boot. */
void vcpu_init_cpu(struct cpu *cpu);

/* Whatever must be exchanged before this vCPU can run: registers, interrupts, the timer's mask. */
void vcpu_load(struct cpu *cpu, struct thread *thread);

/* Before the core idles: a pending virtual interrupt would keep it awake. */
void vcpu_silence(struct cpu *cpu);

/* For the thread's monitor. Registers are those of seL4_VCPUReg; others are an error. */
seL4_Error vcpu_read_register(struct cpu *cpu, struct thread *thread, uint64_t reg,
                              uint64_t *value);
seL4_Error vcpu_write_register(struct cpu *cpu, struct thread *thread, uint64_t reg,
                               uint64_t value);

/*
 * Put an interrupt into a list register: INTID | priority << 16 | group << 24 | index << 32.
 * seL4_DeleteFirst if the guest is handling the one that is there; one that only waits is replaced.
 */
seL4_Error vcpu_inject(struct cpu *cpu, struct thread *thread, uint64_t interrupt);

/* Let the virtual timer's event come again. */
seL4_Error vcpu_ack_vppi(struct thread *thread, uint64_t intid);

/* Interrupts that a running vCPU causes. */
void vcpu_timer_interrupt(struct cpu *cpu);
void vcpu_maintenance_interrupt(struct cpu *cpu);
