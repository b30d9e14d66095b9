/* SPDX-License-Identifier: BSD-2-Clause */

#include "vcpu.h"

#include "cpu.h"
#include "fault.h"
#include "vcpu_switch.h"

#define VIRQ_MAX_INTID    1019u /* above are no interrupts (IHI 0048B, 2.2.1) */
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
    X(SP_EL1, sp_el1)                                                                              \
    X(ELR_EL1, elr_el1)                                                                            \
    X(SPSR_EL1, spsr_el1)                                                                          \
    X(CNTV_CVAL, cntv_cval_el0)                                                                    \
    X(CNTV_CTL, cntv_ctl_el0)

/* Those that no guest can write. struct vcpu has their values already, so they are not saved. */
#define EL2_REGISTERS(X)                                                                           \
    X(VMPIDR_EL2, vmpidr_el2)                                                                      \
    X(CNTVOFF, cntvoff_el2)

/* Newer registers, by encoding: the assembler does not know all of their names. */
#define VDISR_EL2  s3_4_c12_c1_1
#define TPIDR2_EL0 s3_3_c13_c0_5
#define MPAM2_EL2  s3_4_c10_c5_0
#define HCRX_EL2   s3_4_c1_c2_2

#define MPAM2_TRAPS (BIT(48) | BIT(49))

/* Two level-1 tables of a stage 2 that maps nothing, for VMID 0. */
static uint64_t empty_stage2[1024] __attribute__((aligned(8192)));

/* ---- Setting up ---- */

void vcpu_init(struct thread *thread)
{
    struct vcpu *vcpu = &thread->vcpu;

    vcpu->hcr = HCR_VCPU;
    vcpu->reg[seL4_VCPUReg_SCTLR] = SCTLR_EL1_RESET;
    vcpu->reg[seL4_VCPUReg_VMPIDR_EL2] = VMPIDR_RES1 | thread->config->child_id;
    thread->regs.spsr = thread_sanitize_spsr(thread, SPSR_EL1H | 0xful << 6);
}

static uint64_t id_field(uint64_t id, unsigned shift)
{
    return id >> shift & 0xf;
}

/*
 * Features newer than Armv8.0 are trapped unless sysreg.c offers them. HCR_EL2, MDCR_EL2 and
 * CPTR_EL2 trap most of them. The registers here trap the rest, by zeros. For two registers of a
 * guest there is no trap, or not on all processors: they are switched with the vCPU.
 */
static void trap_newer_features(struct cpu *cpu)
{
    uint64_t pfr0 = read_sysreg(id_aa64pfr0_el1);
    uint64_t pfr1 = read_sysreg(id_aa64pfr1_el1);
    uint64_t fine_grained = id_field(read_sysreg(id_aa64mmfr0_el1), 56);

    if (id_field(read_sysreg(id_aa64mmfr1_el1), 40) != 0) {
        write_sysreg(HCRX_EL2, 0);
    }
    if (fine_grained >= 1) { /* HFGRTR_EL2, HFGWTR_EL2, HFGITR_EL2, HDFGRTR_EL2, HDFGWTR_EL2 */
        write_sysreg(s3_4_c1_c1_4, 0);
        write_sysreg(s3_4_c1_c1_5, 0);
        write_sysreg(s3_4_c1_c1_6, 0);
        write_sysreg(s3_4_c3_c1_4, 0);
        write_sysreg(s3_4_c3_c1_5, 0);
    }
    if (fine_grained >= 2) { /* HFGRTR2_EL2, HFGWTR2_EL2, HFGITR2_EL2, HDFGRTR2_EL2, HDFGWTR2_EL2 */
        write_sysreg(s3_4_c3_c1_2, 0);
        write_sysreg(s3_4_c3_c1_3, 0);
        write_sysreg(s3_4_c3_c1_7, 0);
        write_sysreg(s3_4_c3_c1_0, 0);
        write_sysreg(s3_4_c3_c1_1, 0);
    }
    if (id_field(pfr0, 40) != 0 || id_field(pfr1, 16) != 0) {
        write_sysreg(MPAM2_EL2, MPAM2_TRAPS);
    }
    cpu->has_disr = id_field(pfr0, 28) != 0;
    cpu->has_tpidr2 = id_field(pfr1, 24) != 0 && fine_grained == 0;
    cpu->has_untrapped = cpu->has_disr || cpu->has_tpidr2;
}

/* Whether the processor executes AT speculatively (see set_regime): Cortex-A55, A57, A72, A76. */
static bool has_at_erratum(void)
{
    uint64_t part = read_sysreg(midr_el1) & 0xff00fff0ul;

    return part == 0x4100d050 || part == 0x4100d070 || part == 0x4100d080 || part == 0x4100d0b0;
}

void vcpu_init_cpu(struct cpu *cpu)
{
    uint64_t counters = read_sysreg(mdcr_el2) & MDCR_HPMN;

    write_sysreg(vtcr_el2, BIT(31) | 24ul | 1ul << 6 | 1ul << 8 | 1ul << 10 | 3ul << 12 |
                               2ul << 16); /* 40 bits from level 1, cached (D17.2.158) */
    cpu->off = OFF_GICH;
    cpu->hcr_pd = HCR_PD;
    cpu->sctlr_pd = SCTLR_EL1_PD;
    cpu->vttbr_empty = has_at_erratum() ? (uint64_t)empty_stage2 : 0;
    write_sysreg(hcr_el2, HCR_PD);
    write_sysreg(sctlr_el1, SCTLR_EL1_PD);
    write_sysreg(cpacr_el1, CPACR_FPEN);
    write_sysreg(vpidr_el2, read_sysreg(midr_el1));
    write_sysreg(mdcr_el2, MDCR_TPM | MDCR_TPMCR | MDCR_TDA | MDCR_TDOSA | MDCR_TDRA | MDCR_TPMS |
                               MDCR_TTRF | MDCR_TDCC | counters);
    debug_init_cpu();
    write_sysreg(hstr_el2, 0);
    cpu->cptr = CPTR_RES1 | CPTR_TFP | CPTR_TTA | CPTR_TAM;
    write_sysreg(cptr_el2, cpu->cptr);
    trap_newer_features(cpu);
    isb();
    __asm__ volatile("tlbi alle1is\n dsb ish\n isb" ::: "memory");
}

/* ---- Between vCPUs ---- */

/* Either is NULL if there is none. */
static __attribute__((noinline)) void switch_untrapped(struct cpu *cpu, struct thread *from,
                                                       struct thread *to)
{
#define SWITCH(name, hardware)                                                                     \
    if (cpu->has_##name) {                                                                         \
        if (from != NULL) {                                                                        \
            from->vcpu.name = read_sysreg(hardware);                                               \
        }                                                                                          \
        write_sysreg(hardware, to != NULL ? to->vcpu.name : 0);                                    \
    }
    SWITCH(disr, VDISR_EL2)
    SWITCH(tpidr2, TPIDR2_EL0)
    debug_switch(cpu, from, to);
}

/* Inline in vcpu_load, which is frequent. */
static inline __attribute__((always_inline)) void save(struct cpu *cpu, struct vcpu *vcpu)
{
#define SAVE(name, hardware) vcpu->reg[seL4_VCPUReg_##name] = read_sysreg(hardware);
    RESIDENT_REGISTERS(SAVE)
    write_sysreg(cntv_ctl_el0, 0); /* not before its other registers are the next one's */
    vcpu->csselr = read_sysreg(csselr_el1);

    vcpu->vmcr = (uint32_t)gich_read(GICH_VMCR);
    vcpu->apr = gich_read_apr();
    vcpu->lr_used = cpu->list_registers_used;
    for (uint64_t used = vcpu->lr_used; used != 0; used &= used - 1) {
        unsigned i = (unsigned)__builtin_ctzl(used);

        vcpu->lr[i] = gich_read_lr(i);
    }
}

static void load(struct cpu *cpu, struct vcpu *vcpu)
{
#define LOAD(name, hardware) write_sysreg(hardware, vcpu->reg[seL4_VCPUReg_##name]);
    EL2_REGISTERS(LOAD)
    RESIDENT_REGISTERS(LOAD)
    write_sysreg(csselr_el1, vcpu->csselr);

    gich_write(GICH_VMCR, vcpu->vmcr);
    gich_write_apr(vcpu->apr);
    for (uint64_t used = vcpu->lr_used | cpu->list_registers_used; used != 0; used &= used - 1) {
        unsigned i = (unsigned)__builtin_ctzl(used);

        gich_write_lr(i, vcpu->lr_used & BIT(i) ? vcpu->lr[i] : 0);
    }
    cpu->list_registers_used = vcpu->lr_used;
}

/* ---- Between a vCPU and PDs ---- */

/* Make the virtual timer's interrupt active, which masks it, or not, as this vCPU has it. */
static void sync_vtimer_mask(struct cpu *cpu, const struct vcpu *vcpu)
{
    if (vcpu->vtimer_masked) {
        gic_set_active(INTID_VIRTUAL_TIMER);
    } else {
        gic_deactivate(INTID_VIRTUAL_TIMER);
    }
    cpu->vtimer_masked = vcpu->vtimer_masked;
}

static inline void switch_on(struct cpu *cpu)
{
    if (cpu->off & OFF_GICH) {
        gich_enable(true);
    }
    if (cpu->off & OFF_DEBUG) {
        debug_resume(cpu);
    }
    cpu->off = 0;
}

void vcpu_load(struct cpu *cpu, struct thread *thread)
{
    struct vcpu *vcpu = &thread->vcpu;

    if (cpu->vcpu_active) {
        vcpu_stop(cpu, &cpu->vcpu_loaded->vcpu);
        if (cpu->vttbr_empty != 0) {
            write_sysreg(vttbr_el2, cpu->vttbr_empty); /* see set_regime */
            isb();
        }
    }
    if (cpu->vcpu_loaded != thread) {
        if (cpu->vcpu_loaded != NULL) {
            save(cpu, &cpu->vcpu_loaded->vcpu);
        }
        load(cpu, vcpu);
        if (cpu->has_untrapped) {
            switch_untrapped(cpu, cpu->vcpu_loaded, thread);
        }
        cpu->vcpu_loaded = thread;
    }
    if (cpu->off != 0) {
        switch_on(cpu);
    }
    if (cpu->vtimer_masked != vcpu->vtimer_masked) {
        sync_vtimer_mask(cpu, vcpu);
    }
}

void vcpu_unload(struct cpu *cpu)
{
    struct thread *thread = cpu->vcpu_loaded;

    if (cpu->vcpu_active) {
        vcpu_leave(cpu, cpu->vttbr_empty, CNTKCTL_PD);
    }
    save(cpu, &thread->vcpu);
    if (cpu->has_untrapped) {
        switch_untrapped(cpu, thread, NULL);
    }
    cpu->vcpu_loaded = NULL;
    cpu->vcpu_ready = NULL;
}

void vcpu_disable_gich(struct cpu *cpu)
{
    if (!(cpu->off & OFF_GICH)) {
        gich_enable(false);
        cpu->off |= OFF_GICH;
        cpu->vcpu_ready = NULL;
    }
}

/* ---- For monitors; they are PDs, so no vCPU is active ---- */

/* Of a loaded vCPU. vcpu_leave has saved all other registers. */
static uint64_t read_resident(const struct vcpu *vcpu, uint64_t reg)
{
    switch (reg) {
#define READ(name, hardware)                                                                       \
    case seL4_VCPUReg_##name:                                                                      \
        return read_sysreg(hardware);
        RESIDENT_REGISTERS(READ)
        EL2_REGISTERS(READ)
    }
    return vcpu->reg[reg];
}

static void write_resident(uint64_t reg, uint64_t value)
{
    switch (reg) {
#define WRITE(name, hardware)                                                                      \
    case seL4_VCPUReg_##name:                                                                      \
        write_sysreg(hardware, value);                                                             \
        break;
        RESIDENT_REGISTERS(WRITE)
        EL2_REGISTERS(WRITE)
    }
}

seL4_Error vcpu_read_register(struct cpu *cpu, struct thread *thread, uint64_t reg, uint64_t *value)
{
    if (reg >= seL4_VCPUReg_Num) {
        return seL4_InvalidArgument;
    }
    *value = cpu->vcpu_loaded == thread ? read_resident(&thread->vcpu, reg) : thread->vcpu.reg[reg];
    return seL4_NoError;
}

seL4_Error vcpu_write_register(struct cpu *cpu, struct thread *thread, uint64_t reg, uint64_t value)
{
    if (reg >= seL4_VCPUReg_Num) {
        return seL4_InvalidArgument;
    }
    thread->vcpu.reg[reg] = value;
    if (cpu->vcpu_loaded == thread) {
        write_resident(reg, value);
    }
    return seL4_NoError;
}

static gich_lr list_register(const struct vcpu *vcpu, bool loaded, uint64_t index)
{
    return loaded ? gich_read_lr(index) : vcpu->lr[index];
}

/*
 * Refuses what seL4 refuses. It also refuses what the architecture leaves unpredictable and seL4
 * lets pass: INTIDs that are none, and one INTID in two list registers (IHI 0048B, 5.2.2).
 */
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
    for (uint64_t left = *used; left != 0; left &= left - 1) {
        uint64_t i = (uint64_t)__builtin_ctzl(left);
        gich_lr old = list_register(vcpu, loaded, i);
        gich_lr state = old & GICH_LR_STATE;

        if (i == index ? state == GICH_LR_ACTIVE : state != 0 && (old & GICH_LR_INTID) == intid) {
            return seL4_DeleteFirst;
        }
    }

    gich_lr lr = gich_pending(intid, priority, group);
    *used |= BIT(index);
    if (loaded) {
        gich_write_lr(index, lr);
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
        thread->cpu->vcpu_ready = NULL; /* it is loaded again before it runs */
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
        vcpu_disable_gich(cpu); /* it comes again when its vCPU runs */
        gic_deactivate(INTID_GIC_MAINTENANCE);
        return;
    }

    uint32_t ended = (uint32_t)gich_read(GICH_EISR);
    if (ended != 0) {
        unsigned index = (unsigned)__builtin_ctz(ended);

        gich_write_lr(index, 0);
        cpu->list_registers_used &= ~BIT(index);
        gic_deactivate(INTID_GIC_MAINTENANCE);
        fault_raise(cpu, seL4_Fault_VGICMaintenance, seL4_VGICMaintenance_Length, index, 0, 0, 0);
        return;
    }
    gic_deactivate(INTID_GIC_MAINTENANCE);
}
