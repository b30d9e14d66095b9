/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Exception syndrome registers, ESR_EL1 and ESR_EL2 (Arm DDI 0487, D17.2.37). The kernel and the
 * monitors read in them what a trap was about; a monitor writes one to inject an exception.
 * Definitions only; assembly may include them.
 */

#define ESR_EC_SHIFT 26
#define ESR_EC(esr)  ((esr) >> ESR_EC_SHIFT & 0x3f)
#define ESR_IL       (1u << 25) /* the instruction is 32 bits long */
#define ESR_ISS_MASK 0x1ffffffu

/* EC, the exception class. */
#define EC_UNKNOWN          0x00u
#define EC_WFX              0x01u /* WFI or WFE */
#define EC_FP               0x07u /* FP or SIMD */
#define EC_ILLEGAL_STATE    0x0eu
#define EC_SVC64            0x15u
#define EC_HVC64            0x16u
#define EC_SMC64            0x17u
#define EC_SYS64            0x18u /* MSR, MRS or a system instruction */
#define EC_INST_ABORT_LOWER 0x20u /* from a lower exception level */
#define EC_DATA_ABORT_LOWER 0x24u
#define EC_ABORT_SAME       1u /* added to these two: from the same exception level */
#define EC_PC_ALIGNMENT     0x22u
#define EC_SP_ALIGNMENT     0x26u
#define EC_FP_EXCEPTION     0x2cu
#define EC_SERROR           0x2fu
#define EC_BREAKPOINT_LOWER 0x30u
#define EC_STEP_LOWER       0x32u
#define EC_WATCHPOINT_LOWER 0x34u
#define EC_BRK64            0x3cu

/* ISS of a trapped WFI or WFE, and of HVC and SMC. */
#define ISS_WFX_WFE    (1u << 0) /* TI */
#define ISS_IMM16_MASK 0xffffu

/* ISS of an instruction or data abort. */
#define ISS_ISV      (1u << 24) /* the fields of the access are valid */
#define ISS_SAS(iss) ((iss) >> 22 & 3)
#define ISS_SSE      (1u << 21) /* sign-extend */
#define ISS_SRT(iss) ((iss) >> 16 & 0x1f)
#define ISS_SF       (1u << 15) /* 64-bit register */
#define ISS_FNV      (1u << 10) /* FAR is not valid */
#define ISS_CM       (1u << 8)  /* cache maintenance */
#define ISS_S1PTW    (1u << 7)  /* on a stage 1 translation table walk */
#define ISS_WNR      (1u << 6)
#define ISS_FSC(iss) (0x3f & (iss))

/* The fault status code of an abort (IFSC, DFSC). */
#define FSC_TYPE(fsc)     (0x3c & (fsc)) /* without the level */
#define FSC_LEVEL(fsc)    ((int)(3 & (fsc)))
#define FSC_ADDRESS_SIZE  0x00u
#define FSC_TRANSLATION   0x04u
#define FSC_ACCESS_FLAG   0x08u
#define FSC_PERMISSION    0x0cu
#define FSC_EXTERNAL      0x10u
#define FSC_EXTERNAL_WALK 0x14u /* plus the level */
#define FSC_ALIGNMENT     0x21u

/* ISS of a trapped MSR, MRS or system instruction. */
#define ISS_OP0(iss) ((iss) >> 20 & 3)
#define ISS_OP2(iss) ((iss) >> 17 & 7)
#define ISS_OP1(iss) ((iss) >> 14 & 7)
#define ISS_CRN(iss) ((iss) >> 10 & 0xf)
#define ISS_RT(iss)  ((iss) >> 5 & 0x1f)
#define ISS_CRM(iss) ((iss) >> 1 & 0xf)
#define ISS_READ     (1u << 0) /* Direction */

/* The register alone: which one, without Rt and the direction. */
#define ISS_SYSREG_MASK 0x3ffc1eu
#define ISS_SYSREG(op0, op1, crn, crm, op2)                                                        \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
