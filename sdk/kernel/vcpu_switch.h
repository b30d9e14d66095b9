/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The switch between a vCPU and PDs: what is exchanged of EL1 each time. Inline: it is frequent. */

#include "cpu.h"

/* Set EL1 up for this vCPU. */
static inline void vcpu_enter(struct cpu *cpu, struct thread *thread)
{
    const struct vcpu *vcpu = &thread->vcpu;

    if (unlikely(cpu->vcpu_ready != thread)) {
        vcpu_load(cpu, thread);
    }
    cpu->vcpu_ready = NULL;
    write_sysreg(hcr_el2, HCR_VCPU);
    write_sysreg(sctlr_el1, vcpu->reg[seL4_VCPUReg_SCTLR]);
    write_sysreg(cpacr_el1, vcpu->reg[seL4_VCPUReg_CPACR]);
    write_sysreg(cntkctl_el1, vcpu->reg[seL4_VCPUReg_CNTKCTL_EL1]);
    write_sysreg(cnthctl_el2, CNTHCTL_VCPU);
    write_sysreg(cntv_ctl_el0, vcpu->reg[seL4_VCPUReg_CNTV_CTL]);
    cpu->vcpu_active = true;
}

/* Set EL1 up for PDs, after a vCPU has run. A vCPU that does not run has no timer. */
static inline void vcpu_leave(struct cpu *cpu)
{
    struct thread *thread = cpu->vcpu_loaded;
    struct vcpu *vcpu = &thread->vcpu;

    vcpu->reg[seL4_VCPUReg_SCTLR] = read_sysreg(sctlr_el1);
    vcpu->reg[seL4_VCPUReg_CPACR] = read_sysreg(cpacr_el1);
    vcpu->reg[seL4_VCPUReg_CNTKCTL_EL1] = read_sysreg(cntkctl_el1);
    vcpu->reg[seL4_VCPUReg_CNTV_CTL] = read_sysreg(cntv_ctl_el0);
    write_sysreg(cntv_ctl_el0, 0);
    write_sysreg(hcr_el2, HCR_PD);
    write_sysreg(sctlr_el1, SCTLR_EL1_PD);
    write_sysreg(cpacr_el1, CPACR_FPEN);
    write_sysreg(cntkctl_el1, CNTKCTL_PD);
    write_sysreg(cnthctl_el2, CNTHCTL_PD);
    cpu->vcpu_active = false;
    cpu->vcpu_ready = thread;
}
