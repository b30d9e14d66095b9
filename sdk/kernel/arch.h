/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* AArch64: system registers, barriers, and the bits in them that the kernel uses (Arm DDI 0487). */

#include "lib/esr.h"

#define BIT(n) (1ul << (n))

/* HCR_EL2 (D17.2.48) */
#define HCR_VM    BIT(0)  /* stage 2 translates */
#define HCR_SWIO  BIT(1)  /* invalidation by set/way cleans, too */
#define HCR_PTW   BIT(2)  /* no table walk in device memory */
#define HCR_FMO   BIT(3)  /* FIQs are taken to EL2 */
#define HCR_IMO   BIT(4)  /* IRQs are taken to EL2; virtual ones to EL1 */
#define HCR_AMO   BIT(5)  /* SErrors are taken to EL2 */
#define HCR_DC    BIT(12) /* stage 1 is off, memory cacheable */
#define HCR_TWI   BIT(13) /* WFI traps */
#define HCR_TWE   BIT(14) /* WFE traps */
#define HCR_TID3  BIT(18) /* ID registers trap */
#define HCR_TSC   BIT(19) /* SMC traps */
#define HCR_TIDCP BIT(20) /* implementation-defined registers trap */
#define HCR_TACR  BIT(21) /* ACTLR_EL1 traps */
#define HCR_TSW   BIT(22) /* cache maintenance by set/way traps */
#define HCR_TGE   BIT(27) /* EL0's exceptions are taken to EL2 */
#define HCR_RW    BIT(31) /* EL1 is AArch64 */
#define HCR_TLOR  BIT(35) /* limited ordering regions trap */
#define HCR_TERR  BIT(36) /* error records trap */

#define HCR_COMMON (HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_AMO | HCR_TSC | HCR_RW)
#define HCR_PD     (HCR_COMMON | HCR_DC | HCR_TGE)
#define HCR_VCPU                                                                                   \
    (HCR_COMMON | HCR_PTW | HCR_TWI | HCR_TWE | HCR_TID3 | HCR_TIDCP | HCR_TACR | HCR_TSW |        \
     HCR_TLOR | HCR_TERR)

/* SCTLR_EL1 (D17.2.118). Both have the MMU off; a PD may maintain caches. */
#define SCTLR_EL1_RES1 0x30d00800ul
#define SCTLR_EL1_PD                                                                               \
    (SCTLR_EL1_RES1 | BIT(2) | BIT(12) | BIT(14) | BIT(15) | BIT(16) | BIT(18) | BIT(26))
#define SCTLR_EL1_RESET (SCTLR_EL1_RES1 | BIT(15) | BIT(16) | BIT(18) | BIT(26))

/* CPACR_EL1 (D17.2.33): FP and SIMD do not trap to EL1. */
#define CPACR_FPEN (3ul << 20)

/* CPTR_EL2 (D17.2.34). What is RES1 traps SVE and SME where they exist. */
#define CPTR_RES1 0x33fful
#define CPTR_TFP  BIT(10) /* FP and SIMD trap to EL2 */
#define CPTR_TTA  BIT(20) /* trace registers */
#define CPTR_TAM  BIT(30) /* activity monitors */

/* CNTHCTL_EL2 and CNTKCTL_EL1 (D17.11): who may use which counter and timer. */
#define CNTHCTL_EL1PCTEN BIT(0) /* EL1 and EL0 read the physical counter */
#define CNTHCTL_EL1PCEN  BIT(1) /* ... and own the physical timer */
#define CNTKCTL_EL0PCTEN BIT(0)
#define CNTKCTL_EL0PTEN  BIT(9)

#define CNTHCTL_PD   (CNTHCTL_EL1PCTEN | CNTHCTL_EL1PCEN)
#define CNTHCTL_VCPU CNTHCTL_EL1PCTEN
#define CNTKCTL_PD   CNTKCTL_EL0PCTEN

/* MDCR_EL2 (D17.3.17): EL1 meets debug (but see debug.h), PMU, profiling and trace registers only
 * through traps. */
#define MDCR_TPMCR BIT(5)
#define MDCR_TPM   BIT(6)
#define MDCR_TDA   BIT(9)
#define MDCR_TDOSA BIT(10)
#define MDCR_TDRA  BIT(11)
#define MDCR_TPMS  BIT(14)
#define MDCR_TTRF  BIT(19)
#define MDCR_TDCC  BIT(27)
#define MDCR_HPMN  0x1ful

/* SPSR_EL2 (C5.2.19). Bits of features that a processor does not have do nothing. */
#define SPSR_EL0T    0x0ul
#define SPSR_EL1T    0x4ul
#define SPSR_EL1H    0x5ul
#define SPSR_MODE    0xful
#define SPSR_AARCH32 BIT(4)
#define SPSR_F       BIT(6)
#define SPSR_SS      BIT(21) /* the next instruction is a step's */
#define SPSR_NZCV    0xf0000000ul
/* The bits that a thread may set, by its exception level: all but the mode, and SS. */
#define SPSR_OF_EL0    (SPSR_NZCV | 0x03001c00ul)                /* TCO, DIT, SSBS, BTYPE */
#define SPSR_OF_EL1    (SPSR_OF_EL0 | 0x00d02000ul | 0xful << 6) /* UAO, PAN, IL, ALLINT, DAIF */
#define SPSR_OF_USER32 0xffdfffe0ul

/* PAR_EL1 (D17.2.116) */
#define PAR_F  BIT(0) /* the translation has failed */
#define PAR_PA (((1ul << 40) - 1) & ~0xffful)

/* ID_AA64PFR0_EL1.EL0 (D17.2.65) */
#define PFR0_EL0_AARCH32 2u

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

#if defined(__aarch64__)

#define TEXT_(name) #name
#define TEXT(name)  TEXT_(name)

#define read_sysreg(name)                                                                          \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("mrs %0, " TEXT(name) : "=r"(value_));                                    \
        value_;                                                                                    \
    })

/* Of a register that does not change: to read it once is enough. */
#define read_constant_sysreg(name)                                                                 \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__("mrs %0, " TEXT(name) : "=r"(value_));                                             \
        value_;                                                                                    \
    })

#define write_sysreg(name, value)                                                                  \
    __asm__ volatile("msr " TEXT(name) ", %x0" : : "rZ"((uint64_t)(value)))

/* Three, with no access to memory in between. */
#define write_sysregs(name1, value1, name2, value2, name3, value3)                                 \
    __asm__ volatile("msr " TEXT(name1) ", %0\n"                                                   \
                                        "msr " TEXT(name2) ", %1\n"                                \
                                                           "msr " TEXT(name3) ", %2"               \
                     :                                                                             \
                     : "r"(value1), "r"(value2), "r"(value3)                                       \
                     : "memory")

static inline void isb(void)
{
    __asm__ volatile("isb" : : : "memory");
}

static inline void dsb(void)
{
    __asm__ volatile("dsb sy" : : : "memory");
}

static inline void wfi(void)
{
    __asm__ volatile("wfi" : : : "memory");
}

static inline void wfe(void)
{
    __asm__ volatile("wfe" : : : "memory");
}

static inline void sev(void)
{
    __asm__ volatile("sev");
}

/* The core spins: others may have more use of what it shares with them. */
static inline void spin(void)
{
    __asm__ volatile("yield");
}

/*
 * Whether it has got the lock. If not, its monitor watches the lock, and to free that ends this
 * core's next WFE. A store-exclusive may fail for no reason, and then no monitor watches.
 */
static inline bool try_lock(uint32_t *lock) /* NOLINT(readability-non-const-parameter): STXR */
{
    uint32_t held, failed;

    do {
        __asm__ volatile("ldaxr %w0, %1" : "=r"(held) : "Q"(*lock) : "memory");
        if (held) {
            return false;
        }
        __asm__ volatile("stxr %w0, %w2, %1" : "=&r"(failed), "=Q"(*lock) : "r"(1) : "memory");
    } while (failed);
    return true;
}

#else
#include "machine.h" /* the test's: the same on a machine that is made up */
#endif

#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#endif
