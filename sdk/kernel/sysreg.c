/* SPDX-License-Identifier: BSD-2-Clause */

#include "sysreg.h"

#include "arch.h"
#include "board.h"
#include "cpu.h"
#include "debug.h"
#include "registers.h"

/* Registers of external debuggers, performance counters, implementation-defined ones, ACTLR_EL1. */
static bool is_withheld(uint64_t esr)
{
    unsigned op0 = ISS_OP0(esr);
    unsigned crn = ISS_CRN(esr);
    unsigned crm = ISS_CRM(esr);

    if (op0 == 2 || ((op0 == 3 || op0 == 1) && (crn == 11 || crn == 15))) {
        return true;
    }
    if (op0 == 3 && ISS_OP1(esr) == 0) {
        /* PMINTENSET_EL1 and PMINTENCLR_EL1; ACTLR_EL1, which is one of seL4_VCPUReg */
        return (crn == 9 && crm == 14) || (crn == 1 && crm == 0);
    }
    return op0 == 3 && ISS_OP1(esr) == 3 &&
           ((crn == 9 && crm >= 12 && crm <= 14) || (crn == 14 && crm >= 8));
}

/* The mask of a field of four bits, by its lowest bit. */
#define F(shift) (0xful << (shift))

/*
 * The ID registers: CRm, op2, and the fields that a guest sees. It sees features that need no
 * support in the kernel, or have it. All other fields read as 0: not implemented.
 */
#define ID_REGISTERS(X)                                                                            \
    X(1, 0, 0x0f0ffffful)                            /* ID_PFR0: no RAS, AMU */                    \
    X(1, 1, 0x0ffffffful)                            /* ID_PFR1: no GIC */                         \
    X(1, 2, F(0) | F(4))                             /* ID_DFR0: CopDbg, CopSDbg */                \
    X(2, 6, F(0) | F(4) | F(8) | F(12) | F(16))      /* ID_MMFR4: no EVT */                        \
    X(2, 7, 0x0ffffffful)                            /* ID_ISAR6 */                                \
    X(3, 4, F(0) | F(4))                             /* ID_PFR2: CSV3, SSBS */                     \
    X(4, 0, 0xfffffful | F(48) | F(56) | F(60))      /* PFR0: ELs, FP, DIT, CSV2, CSV3 */          \
    X(4, 1, F(0) | F(4))                             /* PFR1: BT, SSBS */                          \
    X(5, 0, F(12) | F(20) | F(28) | F(36))           /* DFR0: BRPs, WRPs, CTX_CMPs, DoubleLock */  \
    X(6, 0, ~(F(0) | F(24)))                         /* ISAR0: no TME */                           \
    X(6, 1, F(0) | 0xffful << 12 | 0xfffffful << 32) /* ISAR1: no pointer authentication, LS64 */  \
    X(6, 2, F(20) | F(28) | F(52))                   /* ISAR2: BC, CLRBHB, CSSC */                 \
    X(7, 0, 0xffful | 0xfffful << 16 | F(44))        /* MMFR0: no FGT, ECV */                      \
    X(7, 1, F(0) | F(12) | F(20) | F(24) | F(36) | F(60)) /* MMFR1: no LO, VH, HCX */              \
    X(7, 2, 0xffful | F(16) | F(20) | F(28) | F(32) | F(48) | F(52) | F(60)) /* MMFR2: no NV */

/* Those that a guest sees whole: ID_MMFR0 to 3, ID_ISAR0 to 5, MVFR0 to 2. */
#define WHOLE_REGISTERS(X)                                                                         \
    X(1, 4)                                                                                        \
    X(1, 5) X(1, 6) X(1, 7) X(2, 0) X(2, 1) X(2, 2) X(2, 3) X(2, 4) X(2, 5) X(3, 0) X(3, 1) X(3, 2)

#define DFR0_ARMV8_0 6ul /* ID_AA64DFR0_EL1.DebugVer */

static bool is_id(uint64_t esr)
{
    return ISS_OP0(esr) == 3 && ISS_OP1(esr) == 0 && ISS_CRN(esr) == 0 && (esr & ISS_READ);
}

static uint64_t id_register(unsigned crm, unsigned op2)
{
    uint64_t value = 0;

    switch (crm << 4 | op2) {
#define READ(crm, op2, shown)                                                                      \
    case (crm) << 4 | (op2):                                                                       \
        value = read_sysreg(s3_0_c0_c##crm##_##op2) & (shown);                                     \
        break;
#define READ_WHOLE(crm, op2) READ(crm, op2, ~0ul)
        ID_REGISTERS(READ)
        WHOLE_REGISTERS(READ_WHOLE)
    }
    if (crm == 4 && op2 == 0) {
#if BOARD_GIC_VERSION == 3
        value |= 1ul << 24; /* GIC: its interface is system registers */
#endif
        value = (value & ~F(4)) | 1ul << 4; /* EL1 is AArch64 */
        if ((value & F(56)) > 1ul << 56) {
            value = (value & ~F(56)) | 1ul << 56; /* CSV2: of more than 1, SCXTNUM_EL1 is part */
        }
    }
    return crm == 5 && op2 == 0 ? value | DFR0_ARMV8_0 : value;
}

/* DC ISW, CSW and CISW. */
static bool is_set_way(uint64_t esr)
{
    unsigned crm = ISS_CRM(esr);

    return ISS_OP0(esr) == 1 && ISS_OP1(esr) == 0 && ISS_CRN(esr) == 7 && ISS_OP2(esr) == 2 &&
           (crm == 6 || crm == 10 || crm == 14);
}

bool sysreg_emulate(struct cpu *cpu, uint64_t esr)
{
    struct thread *thread = cpu->current;
    uint64_t value = register_read(thread, ISS_RT(esr));

    if (is_id(esr)) {
        value = id_register(ISS_CRM(esr), ISS_OP2(esr));
    } else if (is_set_way(esr)) {
        /* Lines of other threads, too: so they are cleaned. It costs the guest a trap for each. */
        __asm__ volatile("dc cisw, %0" : : "r"(value) : "memory");
    } else if (!debug_access(cpu, esr, &value)) {
        if (!is_withheld(esr)) {
            return false;
        }
        value = 0;
    }
    if (esr & ISS_READ) {
        register_write(thread, ISS_RT(esr), value);
    }
    thread->regs.pc += 4;
    thread->regs.spsr &= ~SPSR_SS; /* it is a step */
    return true;
}
