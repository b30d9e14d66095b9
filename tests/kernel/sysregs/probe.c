/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every encoding of a system register is read and written by a guest, one after the other. What
 * the guest reaches must be among the few dozen that a virtual machine is made of, and what one
 * vCPU has written another must not find.
 */

#include "tests/kernel/common/check.h"

#define INPUT_CAP  1
#define REPLY_CAP  4
#define USER_WORDS (sizeof(seL4_UserContext) / sizeof(seL4_Word))
#define GUEST_RAM  0x40000000ul
#define VECTORS    0x800u
#define SMC(n)     (0xd4000003u | (n) << 5)
#define HSR_SMC(n) (0x5e000000u | (n))
#define MRS_X1     0xd5200001u
#define MSR_X1     0xd5000001u
#define BAIT       0x5a5aa5a55a5aa5a5ul
#define SAID       20

#define REG(op0, op1, crn, crm, op2)                                                               \
    ((op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
#define IDS(crm) REG(3, 0, 0, crm, 0) /* all eight */

enum { OWN = 1, SHARED, DANGEROUS };

/* What a guest may reach, and whether what it writes stays its own. */
static const struct {
    uint32_t reg;
    uint8_t kind;
} known[] = {
    {REG(2, 0, 0, 2, 2), DANGEROUS},  /* MDSCR_EL1 */
    {REG(2, 0, 1, 1, 4), SHARED},     /* OSLSR_EL1, constant */
    {REG(3, 0, 0, 0, 0), SHARED},     /* MIDR_EL1 */
    {REG(3, 0, 0, 0, 5), SHARED},     /* MPIDR_EL1 */
    {REG(3, 0, 0, 0, 6), SHARED},     /* REVIDR_EL1 */
    {REG(3, 0, 1, 0, 0), DANGEROUS},  /* SCTLR_EL1 */
    {REG(3, 0, 1, 0, 2), OWN},        /* CPACR_EL1 */
    {REG(3, 0, 1, 2, 4), SHARED},     /* SMPRI_EL1: 0 where it cannot be closed */
    {REG(3, 0, 2, 0, 0), OWN},        /* TTBR0_EL1 */
    {REG(3, 0, 2, 0, 1), OWN},        /* TTBR1_EL1 */
    {REG(3, 0, 2, 0, 2), OWN},        /* TCR_EL1 */
    {REG(3, 0, 4, 0, 0), OWN},        /* SPSR_EL1 */
    {REG(3, 0, 4, 0, 1), OWN},        /* ELR_EL1 */
    {REG(3, 0, 4, 1, 0), OWN},        /* SP_EL0 */
    {REG(3, 0, 4, 2, 0), DANGEROUS},  /* SPSel */
    {REG(3, 0, 4, 2, 2), SHARED},     /* CurrentEL */
    {REG(3, 0, 4, 2, 3), OWN},        /* PAN */
    {REG(3, 0, 4, 2, 4), OWN},        /* UAO */
    {REG(3, 0, 4, 3, 0), OWN},        /* ALLINT */
    {REG(3, 0, 4, 6, 0), DANGEROUS},  /* ICC_PMR_EL1, where it is */
    {REG(3, 0, 5, 1, 0), OWN},        /* AFSR0_EL1 */
    {REG(3, 0, 5, 1, 1), OWN},        /* AFSR1_EL1 */
    {REG(3, 0, 5, 2, 0), OWN},        /* ESR_EL1 */
    {REG(3, 0, 6, 0, 0), OWN},        /* FAR_EL1 */
    {REG(3, 0, 7, 4, 0), OWN},        /* PAR_EL1 */
    {REG(3, 0, 10, 2, 0), OWN},       /* MAIR_EL1 */
    {REG(3, 0, 10, 3, 0), OWN},       /* AMAIR_EL1 */
    {REG(3, 0, 12, 0, 0), DANGEROUS}, /* VBAR_EL1 */
    {REG(3, 0, 12, 0, 1), SHARED},    /* RVBAR_EL1 */
    {REG(3, 0, 12, 1, 0), SHARED},    /* ISR_EL1 */
    {REG(3, 0, 12, 1, 1), OWN},       /* DISR_EL1 */
    {REG(3, 0, 13, 0, 1), OWN},       /* CONTEXTIDR_EL1 */
    {REG(3, 0, 13, 0, 4), OWN},       /* TPIDR_EL1 */
    {REG(3, 0, 14, 1, 0), OWN},       /* CNTKCTL_EL1 */
    {REG(3, 1, 0, 0, 0), SHARED},     /* CCSIDR_EL1 */
    {REG(3, 1, 0, 0, 1), SHARED},     /* CLIDR_EL1 */
    {REG(3, 1, 0, 0, 2), SHARED},     /* CCSIDR2_EL1 */
    {REG(3, 1, 0, 0, 6), SHARED},     /* SMIDR_EL1, constant */
    {REG(3, 1, 0, 0, 7), SHARED},     /* AIDR_EL1 */
    {REG(3, 1, 15, 3, 0), SHARED},   /* CBAR_EL1, which an emulator does not trap; it is constant */
    {REG(3, 2, 0, 0, 0), OWN},       /* CSSELR_EL1 */
    {REG(3, 3, 0, 0, 1), SHARED},    /* CTR_EL0 */
    {REG(3, 3, 0, 0, 7), SHARED},    /* DCZID_EL0 */
    {REG(3, 3, 2, 4, 0), SHARED},    /* RNDR */
    {REG(3, 3, 2, 4, 1), SHARED},    /* RNDRRS */
    {REG(3, 3, 4, 2, 0), OWN},       /* NZCV */
    {REG(3, 3, 4, 2, 1), DANGEROUS}, /* DAIF */
    {REG(3, 3, 4, 2, 5), OWN},       /* DIT */
    {REG(3, 3, 4, 2, 6), OWN},       /* SSBS */
    {REG(3, 3, 4, 2, 7), OWN},       /* TCO */
    {REG(3, 3, 4, 4, 0), OWN},       /* FPCR */
    {REG(3, 3, 4, 4, 1), OWN},       /* FPSR */
    {REG(3, 3, 4, 5, 0), DANGEROUS}, /* DSPSR_EL0, in debug state only */
    {REG(3, 3, 13, 0, 2), OWN},      /* TPIDR_EL0 */
    {REG(3, 3, 13, 0, 3), OWN},      /* TPIDRRO_EL0 */
    {REG(3, 3, 13, 0, 5), OWN},      /* TPIDR2_EL0, where nothing can close it */
    {REG(3, 3, 14, 0, 0), SHARED},   /* CNTFRQ_EL0 */
    {REG(3, 3, 14, 0, 1), SHARED},   /* CNTPCT_EL0 */
    {REG(3, 3, 14, 0, 2), SHARED},   /* CNTVCT_EL0 */
    {REG(3, 3, 14, 0, 5), SHARED},   /* CNTPCTSS_EL0 */
    {REG(3, 3, 14, 0, 6), SHARED},   /* CNTVCTSS_EL0 */
    {REG(3, 3, 14, 3, 0), DANGEROUS}, /* CNTV_TVAL_EL0 */
    {REG(3, 3, 14, 3, 1), DANGEROUS}, /* CNTV_CTL_EL0 */
    {REG(3, 3, 14, 3, 2), DANGEROUS}, /* CNTV_CVAL_EL0 */
#ifdef GICV3
    {REG(3, 0, 12, 8, 0), DANGEROUS},  /* ICC_IAR0_EL1 */
    {REG(3, 0, 12, 8, 1), DANGEROUS},  /* ICC_EOIR0_EL1 */
    {REG(3, 0, 12, 8, 2), SHARED},     /* ICC_HPPIR0_EL1 */
    {REG(3, 0, 12, 8, 3), OWN},        /* ICC_BPR0_EL1 */
    {REG(3, 0, 12, 8, 4), OWN},        /* ICC_AP0R0_EL1 */
    {REG(3, 0, 12, 9, 0), OWN},        /* ICC_AP1R0_EL1 */
    {REG(3, 0, 12, 11, 1), DANGEROUS}, /* ICC_DIR_EL1 */
    {REG(3, 0, 12, 11, 3), SHARED},    /* ICC_RPR_EL1 */
    {REG(3, 0, 12, 12, 0), DANGEROUS}, /* ICC_IAR1_EL1 */
    {REG(3, 0, 12, 12, 1), DANGEROUS}, /* ICC_EOIR1_EL1 */
    {REG(3, 0, 12, 12, 2), SHARED},    /* ICC_HPPIR1_EL1 */
    {REG(3, 0, 12, 12, 3), OWN},       /* ICC_BPR1_EL1 */
    {REG(3, 0, 12, 12, 4), OWN},       /* ICC_CTLR_EL1 */
    {REG(3, 0, 12, 12, 5), SHARED},    /* ICC_SRE_EL1, which an emulator does not trap; constant */
    {REG(3, 0, 12, 12, 6), OWN},       /* ICC_IGRPEN0_EL1 */
    {REG(3, 0, 12, 12, 7), OWN},       /* ICC_IGRPEN1_EL1 */
#endif
    {IDS(1), SHARED},
    {IDS(2), SHARED},
    {IDS(3), SHARED},
    {IDS(4), SHARED},
    {IDS(5), SHARED},
    {IDS(6), SHARED},
    {IDS(7), SHARED},
};

static volatile uint32_t *const ram = (volatile uint32_t *)GUEST_RAM;

/* Breakpoint and watchpoint registers, as many as there may be. */
static bool is_debug(uint32_t reg)
{
    return (reg & ~REG(0, 0, 0, 15, 3)) == REG(2, 0, 0, 0, 4);
}

static uint8_t kind_of(uint32_t reg)
{
    uint32_t any_op2 = reg & ~REG(0, 0, 0, 0, 7);

    if (is_debug(reg)) {
        return OWN;
    }
    if (any_op2 >= IDS(1) && any_op2 <= IDS(7)) {
        return SHARED;
    }
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].reg == reg) {
            return known[i].kind;
        }
    }
    return 0;
}

static void say_register(uint32_t reg)
{
    say("S");
    say_number(reg >> 19 & 3);
    say("_");
    say_number(reg >> 16 & 7);
    say("_C");
    say_number(reg >> 12 & 15);
    say("_C");
    say_number(reg >> 8 & 15);
    say("_");
    say_number(reg >> 5 & 7);
    say(" ");
}

/* A register that is as it should not be: the first ones are named. */
static void count_bad(unsigned *bad, const char *what, uint32_t reg, uint64_t value)
{
    if ((*bad)++ < SAID) {
        say_register(reg);
        say(what);
        say_hex(value);
        say("\n");
    }
}

/* Have a vCPU execute one instruction with *x1. Whether it has; anything else is an exception. */
static bool execute(microkit_child vcpu, uint32_t instruction, uint64_t *x1)
{
    seL4_UserContext context = {0};
    uint64_t badge;

    ram[0] = instruction;
    __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" : : "r"(ram) : "memory");
    context.pc = GUEST_RAM;
    context.spsr = 0x3c5; /* EL1h, interrupts masked */
    context.x1 = *x1;
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + vcpu, true, 0, USER_WORDS, &context);
    uint64_t label = seL4_MessageInfo_get_label(seL4_Recv(INPUT_CAP, &badge, REPLY_CAP));
    bool done = label == seL4_Fault_VCPUFault && (uint32_t)microkit_mr_get(0) == HSR_SMC(1);

    seL4_TCB_ReadRegisters(BASE_VM_TCB_CAP + vcpu, false, 0, USER_WORDS, &context);
    *x1 = context.x1;
    return done;
}

/* The value, or 0 if it cannot be read. */
static uint64_t read_by(microkit_child vcpu, uint32_t reg, bool *readable)
{
    uint64_t value = 0;

    *readable = execute(vcpu, MRS_X1 | reg, &value);
    return *readable ? value : 0;
}

static bool write_by(microkit_child vcpu, uint32_t reg, uint64_t value)
{
    return execute(vcpu, MSR_X1 | reg, &value);
}

/* Debug, performance, implementation-defined registers, ACTLR_EL1: they may read as zero. */
static bool may_be_zero(uint32_t reg)
{
    unsigned crn = reg >> 12 & 15, crm = reg >> 8 & 15;

    return reg >> 19 == 2 || (crn == 9 && crm >= 12) || crn == 11 || crn == 15 ||
           (crn == 14 && crm >= 8) || reg == REG(3, 0, 1, 0, 1);
}

/* One that nobody knows: it is refused, or is one that reads as zero whatever has been written. */
static void try_unknown(uint32_t reg, unsigned *bad)
{
    bool readable;
    uint64_t value = read_by(0, reg, &readable);
    bool writable = write_by(0, reg, BAIT);

    if (readable || writable) {
        value |= read_by(0, reg, &readable);
        if (value != 0 || !may_be_zero(reg)) {
            count_bad(bad, "is open: ", reg, value);
        }
    }
}

/* One of a vCPU's own: the other one sees nothing of what is written. */
static void try_own(uint32_t reg, unsigned *bad)
{
    bool readable, writable;
    uint64_t before = read_by(1, reg, &readable);

    if (!readable) {
        return; /* not on this processor */
    }
    uint64_t first = read_by(0, reg, &readable);
    writable = write_by(0, reg, ~first);
    uint64_t after = read_by(1, reg, &readable);
    uint64_t kept = read_by(0, reg, &readable);
    if (after != before || (writable && kept != first && kept == after)) {
        count_bad(bad, "is shared: ", reg, after);
    }
    write_by(0, reg, first);
}

static void try_all(void)
{
    unsigned unknown = 0, shared = 0, open = 0;

    for (uint32_t reg = REG(2, 0, 0, 0, 0); reg < REG(4, 0, 0, 0, 0); reg += REG(0, 0, 0, 0, 1)) {
        uint8_t kind = kind_of(reg);

        if ((reg >> 16 & 7) > 3) {
            continue; /* those are other levels' */
        }
        open += kind != 0;
        if (kind == 0) {
            try_unknown(reg, &unknown);
        } else if (kind == OWN) {
            try_own(reg, &shared);
        }
    }
    check_equal("known_registers", open, sizeof known / sizeof known[0] - 7 + 7 * 8 + 16 * 4);
    check_equal("unknown_registers_are_closed", unknown, 0);
    check_equal("own_registers_are_own", shared, 0);
}

static uint64_t id(unsigned crm, unsigned op2)
{
    bool readable;

    return read_by(0, REG(3, 0, 0, crm, op2), &readable);
}

static uint64_t id_field(unsigned crm, unsigned op2, unsigned shift)
{
    return id(crm, op2) >> shift & 0xf;
}

/* What a guest is told that it has is what it can use. */
static void check_ids(void)
{
    check("id_no_sve", id_field(4, 0, 32) == 0 && id(4, 4) == 0);
    check("id_no_sme", id_field(4, 1, 24) == 0 && id(4, 5) == 0);
    check_equal("id_no_32_bit_el1", id_field(4, 0, 4), 1);
    check("id_no_ras", id_field(4, 0, 28) == 0 && id_field(4, 1, 12) == 0);
    check("id_no_amu_mpam", id_field(4, 0, 40) == 0 && id_field(4, 0, 44) == 0);
#ifdef GICV3
    check("id_gic_registers", id_field(4, 0, 24) == 1);
#else
    check("id_no_gic_registers", id_field(4, 0, 24) == 0);
#endif
    check("id_no_mte", id_field(4, 1, 8) == 0);
    check("id_no_pauth", (id(6, 1) & 0xff000ff0) == 0 && (id(6, 2) & 0xff00) == 0);
    check("id_no_pmu_spe_trace", (id(5, 0) & 0xffff0f000ff0) == 0 && id(5, 1) == 0);
    check("id_no_lor", id_field(7, 1, 16) == 0);
    check("id_no_vhe_nv", id_field(7, 1, 8) == 0 && id_field(7, 2, 24) == 0);
    check("id_no_fgt", id_field(7, 0, 56) == 0);
    check("id_reserved", id(4, 2) == 0 && id(4, 7) == 0 && id(7, 3) == 0 && id(7, 4) == 0);
    check_equal("id_debug_of_armv8_0", id_field(5, 0, 0), 6);
    check("id_fp_and_simd", id_field(4, 0, 16) < 2 && id_field(4, 0, 20) < 2);
    check("id_parange", id_field(7, 0, 0) >= 2);
}

void init(void)
{
    ram[1] = SMC(1);
    for (unsigned i = 0; i < 0x800 / 4; i++) {
        ram[VECTORS / 4 + i] = SMC(2);
    }
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_VBAR, GUEST_RAM + VECTORS);
    microkit_vcpu_arm_write_reg(1, seL4_VCPUReg_VBAR, GUEST_RAM + VECTORS);
    check_ids();
    try_all();
    done();
}

void notified(microkit_channel ch)
{
    (void)ch;
}
