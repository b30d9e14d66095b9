/* SPDX-License-Identifier: BSD-2-Clause */

#include "cpu.h"
#include "fault.h"
#include "vcpu.h"
#include "vcpu_switch.h"

#define VIRQ_MAX_INTID    1023u
#define VIRQ_MAX_PRIORITY 31u
#define VIRQ_MAX_GROUP    1u

#define VMPIDR_RES1 BIT(31)

/*
 * The registers that stay in the core while PDs run: seL4_VCPUReg's name and the hardware's. The
 * timer goes on, its control being the last to be loaded; should it interrupt a PD, that is left
 * active until its vCPU runs. To stop and start it each time is dear, on an emulator above all.
 */
#define RESIDENT_REGISTERS(X)                                                                      \
    X(TTBR0, ttbr0_el1)                                                                            \
    X(TTBR1, ttbr1_el1)                                                                            \
    X(TCR, tcr_el1)                                                                                \
    X(MAIR, mair_el1)                                                                              \
    X(AMAIR, amair_el1)                                                                            \
    X(CIDR, contextidr_el1)                                                                        \
    X(ACTLR, actlr_el1)                                                                            \
    X(AFSR0, afsr0_el1)                                                                            \
    X(AFSR1, afsr1_el1)                                                                            \
    X(ESR, esr_el1)                                                                                \
    X(FAR, far_el1)                                                                                \
    X(PAR, par_el1)                                                                                \
    X(VBAR, vbar_el1)                                                                              \
    X(TPIDR_EL1, tpidr_el1)                                                                        \
    X(VMPIDR_EL2, vmpidr_el2)                                                                      \
    X(SP_EL1, sp_el1)                                                                              \
    X(ELR_EL1, elr_el1)                                                                            \
    X(SPSR_EL1, spsr_el1)                                                                          \
    X(CNTV_CVAL, cntv_cval_el0)                                                                    \
    X(CNTVOFF, cntvoff_el2)                                                                        \
    X(CNTV_CTL, cntv_ctl_el0)

/* ---- Setting up ---- */

void vcpu_init(struct thread *thread)
{
    struct vcpu *vcpu = &thread->vcpu;

    vcpu->reg[seL4_VCPUReg_SCTLR] = SCTLR_EL1_RESET;
    vcpu->reg[seL4_VCPUReg_VMPIDR_EL2] = VMPIDR_RES1 | thread->config->child_id;
    thread->regs.spsr = thread_safe_spsr(thread, SPSR_EL1H | 0xful << 6);
}

void vcpu_init_cpu(struct cpu *cpu)
{
    uint64_t counters = read_sysreg(mdcr_el2) & MDCR_HPMN;

    write_sysreg(vtcr_el2, BIT(31) | 24ul | 1ul << 6 | 1ul << 8 | 1ul << 10 | 3ul << 12 |
                               2ul << 16); /* 40 bits from level 1, cached (D17.2.158) */
    write_sysreg(hcr_el2, HCR_PD);
    write_sysreg(sctlr_el1, SCTLR_EL1_PD);
    write_sysreg(cpacr_el1, CPACR_FPEN);
    write_sysreg(vpidr_el2, read_sysreg(midr_el1));
    write_sysreg(mdcr_el2, MDCR_TPM | MDCR_TPMCR | MDCR_TDA | MDCR_TDOSA | MDCR_TDRA | counters);
    write_sysreg(mdscr_el1, 0);
    write_sysreg(hstr_el2, 0);
    cpu->cptr = CPTR_RES1 | CPTR_TFP;
    write_sysreg(cptr_el2, cpu->cptr);
    isb();
    __asm__ volatile("tlbi alle1is\n dsb ish\n isb" ::: "memory");
}

/* ---- Between vCPUs ---- */

static void save(struct cpu *cpu, struct vcpu *vcpu)
{
#define SAVE(name, hardware) vcpu->reg[seL4_VCPUReg_##name] = read_sysreg(hardware);
    RESIDENT_REGISTERS(SAVE)
    write_sysreg(cntv_ctl_el0, 0); /* not before its other registers are the next one's */
    vcpu->csselr = read_sysreg(csselr_el1);

    vcpu->vmcr = gich_read(GICH_VMCR);
    vcpu->apr = gich_read(GICH_APR);
    vcpu->lr_used = cpu->list_registers_used;
    for (uint64_t used = vcpu->lr_used; used != 0; used &= used - 1) {
        unsigned i = (unsigned)__builtin_ctzl(used);

        vcpu->lr[i] = gich_read(GICH_LR(i));
    }
}

static void load(struct cpu *cpu, struct vcpu *vcpu)
{
#define LOAD(name, hardware) write_sysreg(hardware, vcpu->reg[seL4_VCPUReg_##name]);
    RESIDENT_REGISTERS(LOAD)
    write_sysreg(csselr_el1, vcpu->csselr);

    gich_write(GICH_VMCR, vcpu->vmcr);
    gich_write(GICH_APR, vcpu->apr);
    for (uint64_t used = vcpu->lr_used | cpu->list_registers_used; used != 0; used &= used - 1) {
        unsigned i = (unsigned)__builtin_ctzl(used);

        gich_write(GICH_LR(i), vcpu->lr_used & BIT(i) ? vcpu->lr[i] : 0);
    }
    cpu->list_registers_used = vcpu->lr_used;
}

/* ---- Between a vCPU and PDs ---- */

/* Let the virtual timer's interrupt come, or not, as is due to this vCPU. */
static void sync_vtimer_mask(struct cpu *cpu, const struct vcpu *vcpu)
{
    if (vcpu->vtimer_masked) {
        gic_set_active(INTID_VIRTUAL_TIMER);
    } else {
        gic_deactivate(INTID_VIRTUAL_TIMER);
    }
    cpu->vtimer_masked = vcpu->vtimer_masked;
}

void vcpu_load(struct cpu *cpu, struct thread *thread)
{
    struct vcpu *vcpu = &thread->vcpu;

    if (cpu->vcpu_active) {
        vcpu_stop(cpu, &cpu->vcpu_loaded->vcpu);
    }
    if (cpu->vcpu_loaded != thread) {
        if (cpu->vcpu_loaded != NULL) {
            save(cpu, &cpu->vcpu_loaded->vcpu);
        }
        load(cpu, vcpu);
        cpu->vcpu_loaded = thread;
    }
    if (!cpu->gich_enabled) {
        gich_write(GICH_HCR, GICH_HCR_EN);
        cpu->gich_enabled = true;
    }
    if (cpu->vtimer_masked != vcpu->vtimer_masked) {
        sync_vtimer_mask(cpu, vcpu);
    }
}

void vcpu_silence(struct cpu *cpu)
{
    if (cpu->gich_enabled) {
        gich_write(GICH_HCR, 0);
        cpu->gich_enabled = false;
        cpu->vcpu_ready = NULL;
    }
}

/* ---- For monitors; they are PDs, so no vCPU is active ---- */

/* Whether a register is in `reg` although the vCPU is loaded: vcpu_leave has put it there. */
static bool is_exchanged(uint64_t reg)
{
    return reg == seL4_VCPUReg_SCTLR || reg == seL4_VCPUReg_CPACR ||
           reg == seL4_VCPUReg_CNTKCTL_EL1;
}

static uint64_t read_resident(uint64_t reg)
{
    switch (reg) {
#define READ(name, hardware)                                                                       \
    case seL4_VCPUReg_##name:                                                                      \
        return read_sysreg(hardware);
        RESIDENT_REGISTERS(READ)
    }
    return 0;
}

static void write_resident(uint64_t reg, uint64_t value)
{
    switch (reg) {
#define WRITE(name, hardware)                                                                      \
    case seL4_VCPUReg_##name:                                                                      \
        write_sysreg(hardware, value);                                                             \
        break;
        RESIDENT_REGISTERS(WRITE)
    }
}

seL4_Error vcpu_read_register(struct cpu *cpu, struct thread *thread, uint64_t reg, uint64_t *value)
{
    if (reg >= seL4_VCPUReg_Num) {
        return seL4_InvalidArgument;
    }
    *value = cpu->vcpu_loaded == thread && !is_exchanged(reg) ? read_resident(reg)
                                                              : thread->vcpu.reg[reg];
    return seL4_NoError;
}

seL4_Error vcpu_write_register(struct cpu *cpu, struct thread *thread, uint64_t reg, uint64_t value)
{
    if (reg >= seL4_VCPUReg_Num) {
        return seL4_InvalidArgument;
    }
    if (cpu->vcpu_loaded == thread && !is_exchanged(reg)) {
        write_resident(reg, value);
    } else {
        thread->vcpu.reg[reg] = value;
    }
    return seL4_NoError;
}

seL4_Error vcpu_inject(struct cpu *cpu, struct thread *thread, uint64_t interrupt)
{
    struct vcpu *vcpu = &thread->vcpu;
    bool loaded = cpu->vcpu_loaded == thread;
    uint32_t intid = interrupt & 0xffff;
    uint32_t priority = interrupt >> 16 & 0xff;
    uint32_t group = interrupt >> 24 & 0xff;
    uint64_t index = interrupt >> 32;

    if (intid > VIRQ_MAX_INTID || priority > VIRQ_MAX_PRIORITY || group > VIRQ_MAX_GROUP ||
        index >= GICH_LIST_REGISTERS) {
        return seL4_RangeError;
    }

    uint64_t *used = loaded ? &cpu->list_registers_used : &vcpu->lr_used;
    if (*used & BIT(index)) {
        uint32_t old = loaded ? gich_read(GICH_LR(index)) : vcpu->lr[index];

        if ((old & GICH_LR_STATE) == GICH_LR_ACTIVE) {
            return seL4_DeleteFirst;
        }
    }

    uint32_t lr = GICH_LR_PENDING | GICH_LR_EOI | GICH_LR_PRIORITY(priority) |
                  (group ? GICH_LR_GROUP1 : 0) | intid;
    *used |= BIT(index);
    if (loaded) {
        gich_write(GICH_LR(index), lr);
    } else {
        vcpu->lr[index] = lr;
    }
    return seL4_NoError;
}

seL4_Error vcpu_ack_vppi(struct thread *thread, uint64_t intid)
{
    if (intid >= GIC_MAX_INTID) {
        return seL4_RangeError;
    }
    if (intid != INTID_VIRTUAL_TIMER) {
        return seL4_InvalidArgument;
    }
    if (thread->vcpu.vtimer_masked) {
        thread->vcpu.vtimer_masked = false;
        thread->cpu->vcpu_ready = NULL;
    }
    return seL4_NoError;
}

/* ---- Interrupts ---- */

void vcpu_timer_interrupt(struct cpu *cpu)
{
    cpu->vtimer_masked = true; /* it is active now */
    if (!cpu->vcpu_active) {
        cpu->vcpu_ready = NULL;
        return; /* it comes again when its vCPU runs */
    }
    cpu->vcpu_loaded->vcpu.vtimer_masked = true;
    fault_raise(cpu, seL4_Fault_VPPIEvent, seL4_VPPIEvent_Length, INTID_VIRTUAL_TIMER, 0, 0, 0);
}

void vcpu_maintenance_interrupt(struct cpu *cpu)
{
    if (!cpu->vcpu_active) {
        vcpu_silence(cpu); /* it comes again when its vCPU runs */
        gic_deactivate(INTID_GIC_MAINTENANCE);
        return;
    }

    uint32_t ended = gich_read(GICH_EISR0);
    if (ended != 0) {
        unsigned index = (unsigned)__builtin_ctz(ended);

        gich_write(GICH_LR(index), 0);
        cpu->list_registers_used &= ~BIT(index);
        gic_deactivate(INTID_GIC_MAINTENANCE);
        fault_raise(cpu, seL4_Fault_VGICMaintenance, seL4_VGICMaintenance_Length, index, 0, 0, 0);
        return;
    }
    gic_deactivate(INTID_GIC_MAINTENANCE);
}
