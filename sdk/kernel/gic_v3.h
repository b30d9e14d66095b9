/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The inline part of gic.h for a GICv3 (Arm IHI 0069): the interfaces are system registers. With
 * ICC_CTLR_EL1.EOImode set, ICC_EOIR1_EL1 drops the priority and ICC_DIR_EL1 deactivates. */

#include "lib/gicv3.h"

/* By encoding: the assembler does not know all of their names. GICH_x is ICH_x_EL2. */
#define ICC_IAR1_EL1  s3_0_c12_c12_0
#define ICC_EOIR1_EL1 s3_0_c12_c12_1
#define ICC_DIR_EL1   s3_0_c12_c11_1
#define ICC_SGI1R_EL1 s3_0_c12_c11_5
#define ICH_AP0R0_EL2 s3_4_c12_c8_0
#define ICH_AP1R0_EL2 s3_4_c12_c9_0
#define GICH_HCR      s3_4_c12_c11_0
#define GICH_VTR      s3_4_c12_c11_1
#define GICH_EISR     s3_4_c12_c11_3
#define GICH_VMCR     s3_4_c12_c11_7

#define gich_read(name)         read_sysreg(name)
#define gich_write(name, value) write_sysreg(name, value)

/* ICH_LR<n>_EL2. */
#define GICH_FOR_EACH_LR(X) X(0) X(1) X(2) X(3)

#define GICH_HCR_EN   1u
#define GICH_VTR_LAST 0x1fu

/* ICH_LR<n>_EL2 (12.4.6) */
typedef uint64_t gich_lr;
#define GICH_LR_INTID       0xfffffffful
#define GICH_LR_PENDING     (1ul << 62)
#define GICH_LR_ACTIVE      (2ul << 62)
#define GICH_LR_STATE       (3ul << 62)
#define GICH_LR_GROUP1      (1ul << 60)
#define GICH_LR_EOI         (1ul << 41)           /* its end raises the maintenance interrupt */
#define GICH_LR_PRIORITY(p) ((uint64_t)(p) << 51) /* the upper five of the field's eight bits */

/* Of the two groups, the second in the upper half. */
typedef uint64_t gich_apr;

static inline uint32_t gic_acknowledge(void)
{
    uint32_t iar = (uint32_t)read_sysreg(ICC_IAR1_EL1);

    dsb();
    if (iar < GIC_MAX_INTID) {
        write_sysreg(ICC_EOIR1_EL1, iar);
        isb();
    }
    return iar;
}

#define gic_intid(iar) (iar)

static inline void gic_deactivate(uint32_t intid)
{
    write_sysreg(ICC_DIR_EL1, intid);
    isb();
}

void gic_send_sgi(uint32_t intid, uint32_t core);

/* The distributor, or for private interrupts this core's second frame. */
uint64_t gic_registers_of(uint32_t intid);

static inline gich_lr gich_read_lr(uint64_t index)
{
    switch (index) {
#define READ_LR(n)                                                                                 \
    case n:                                                                                        \
        return read_sysreg(s3_4_c12_c12_##n);
        GICH_FOR_EACH_LR(READ_LR)
    }
    return 0;
}

static inline void gich_write_lr(uint64_t index, gich_lr lr)
{
    switch (index) {
#define WRITE_LR(n)                                                                                \
    case n:                                                                                        \
        write_sysreg(s3_4_c12_c12_##n, lr);                                                        \
        break;
        GICH_FOR_EACH_LR(WRITE_LR)
    }
}

static inline gich_apr gich_read_apr(void)
{
    return (uint32_t)read_sysreg(ICH_AP0R0_EL2) | read_sysreg(ICH_AP1R0_EL2) << 32;
}

static inline void gich_write_apr(gich_apr apr)
{
    write_sysreg(ICH_AP0R0_EL2, (uint32_t)apr);
    write_sysreg(ICH_AP1R0_EL2, apr >> 32);
}
