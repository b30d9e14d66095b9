/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The switch between a vCPU and PDs: the EL1 registers that are switched each time. Inline: it is
 * frequent. */

#include "cpu.h"

/*
 * Set the translation regime of the next thread. The writes follow each other with no access to
 * memory in between, because an emulator flushes its TLB at each.
 *
 * Some processors may execute the kernel's AT speculatively, here, and cache the translation
 * (errata 1165522, 1319367, 1319537, 1530923). With registers of two threads it translates nothing
 * if stage 2 is empty until all are set.
 */
static inline void set_regime(const struct cpu *cpu, uint64_t hcr, uint64_t sctlr, uint64_t vttbr)
{
    if (unlikely(cpu->vttbr_empty != 0)) {
        write_sysreg(vttbr_el2, cpu->vttbr_empty);
        isb();
        write_sysreg(hcr_el2, hcr);
        write_sysreg(sctlr_el1, sctlr);
        isb();
    }
    write_sysregs(hcr_el2, hcr, sctlr_el1, sctlr, vttbr_el2, vttbr);
}

/* Set EL1 up for this vCPU. */
static inline void vcpu_enter(struct cpu *cpu, struct thread *thread)
{
    const struct vcpu *vcpu = &thread->vcpu;

    if (unlikely(cpu->vcpu_ready != thread)) {
        vcpu_load(cpu, thread);
    }
    cpu->vcpu_ready = NULL;
    cpu->vcpu_active = true;

    uint64_t sctlr = vcpu->reg[seL4_VCPUReg_SCTLR];
    uint64_t cpacr = vcpu->reg[seL4_VCPUReg_CPACR];
    uint64_t cntkctl = vcpu->reg[seL4_VCPUReg_CNTKCTL_EL1];
    set_regime(cpu, vcpu->hcr, sctlr, thread->vttbr);
    write_sysreg(cpacr_el1, cpacr);
    write_sysreg(cntkctl_el1, cntkctl);
    write_sysreg(cnthctl_el2, CNTHCTL_VCPU);
    if (IS_BENCHMARK) {
        benchmark_close_pmu(true);
    }
}

/* Save the EL1 registers that are switched each time. */
static inline void vcpu_stop(struct cpu *cpu, struct vcpu *vcpu)
{
    vcpu->reg[seL4_VCPUReg_SCTLR] = read_sysreg(sctlr_el1);
    vcpu->reg[seL4_VCPUReg_CPACR] = read_sysreg(cpacr_el1);
    vcpu->reg[seL4_VCPUReg_CNTKCTL_EL1] = read_sysreg(cntkctl_el1);
    cpu->vcpu_active = false;
}

/* After a vCPU has run, set EL1 up for a PD whose VTTBR_EL2 and CNTKCTL_EL1 are these. */
static inline void vcpu_leave(struct cpu *cpu, uint64_t vttbr, uint64_t cntkctl)
{
    struct thread *thread = cpu->vcpu_loaded;

    vcpu_stop(cpu, &thread->vcpu);
    cpu->vcpu_ready = thread;
    set_regime(cpu, cpu->hcr_pd, cpu->sctlr_pd, vttbr);
    write_sysreg(cpacr_el1, CPACR_FPEN);
    write_sysreg(cntkctl_el1, cntkctl);
    write_sysreg(cnthctl_el2, CNTHCTL_PD);
    if (IS_BENCHMARK) {
        benchmark_close_pmu(false);
    }
}
