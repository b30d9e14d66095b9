/* SPDX-License-Identifier: BSD-2-Clause */

    .arch_extension fp
    .arch_extension simd
    .text

    .macro all_vectors op
    \op q0, q1, [x0, #0x000]
    \op q2, q3, [x0, #0x020]
    \op q4, q5, [x0, #0x040]
    \op q6, q7, [x0, #0x060]
    \op q8, q9, [x0, #0x080]
    \op q10, q11, [x0, #0x0a0]
    \op q12, q13, [x0, #0x0c0]
    \op q14, q15, [x0, #0x0e0]
    \op q16, q17, [x0, #0x100]
    \op q18, q19, [x0, #0x120]
    \op q20, q21, [x0, #0x140]
    \op q22, q23, [x0, #0x160]
    \op q24, q25, [x0, #0x180]
    \op q26, q27, [x0, #0x1a0]
    \op q28, q29, [x0, #0x1c0]
    \op q30, q31, [x0, #0x1e0]
    .endm

    .global fpu_save
    .type fpu_save, %function
fpu_save:
    all_vectors stp
    mrs x1, fpcr
    mrs x2, fpsr
    add x0, x0, #0x200
    stp x1, x2, [x0]
    ret

    .global fpu_restore
    .type fpu_restore, %function
fpu_restore:
    all_vectors ldp
    add x0, x0, #0x200
    ldp x1, x2, [x0]
    msr fpcr, x1
    msr fpsr, x2
    ret
