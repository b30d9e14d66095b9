/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A guest that looks at its processors' registers when they start, says which are not as after
 * power-on, fills them all, and starts again: its second processor three times, by CPU_OFF and CPU_ON,
 * then everything, by SYSTEM_RESET. Each start is a line, "left by cpu N: MASK", a bit for each
 * register in the order below; 0 is as it should be.
 */

#define PL011         0x09000000
#define GICC          0x08010000
#define CPU_OFF       0x84000002
#define CPU_ON        0xc4000003
#define AFFINITY_INFO 0xc4000004
#define SYSTEM_RESET  0x84000009

    .section .text.start, "ax"
    .global _start
_start:
    b       first
    .long   0
    .quad   0
    .quad   image_end - _start
    .quad   0xa
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

    .macro look register, bit
    mrs     x1, \register
    cmp     x1, #0
    cset    x1, ne
    orr     x19, x19, x1, lsl #\bit
    .endm

    .macro fill register, value=0x5a50
    mov     x1, #\value
    msr     \register, x1
    .endm

    .macro has_gicv3 register
    mrs     \register, id_aa64pfr0_el1
    ubfx    \register, \register, #24, #4
    .endm

look_at_all: /* x19: what is not 0; x18 is kept */
    mov     x19, #0
    mrs     x2, cpacr_el1
    mov     x1, #(3 << 20)
    msr     cpacr_el1, x1
    isb
    mov     x1, #0
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    umov    x3, v\n\().d[0]
    umov    x4, v\n\().d[1]
    orr     x1, x1, x3
    orr     x1, x1, x4
    .endr
    cmp     x1, #0
    cset    x19, ne
    cmp     x2, #0
    cset    x1, ne
    orr     x19, x19, x1, lsl #1
    look    fpcr, 2
    look    fpsr, 3
    look    par_el1, 4
    look    csselr_el1, 5
    look    mdscr_el1, 6
    look    tpidr_el0, 7
    look    tpidrro_el0, 8
    look    tpidr_el1, 9
    look    contextidr_el1, 10
    look    ttbr0_el1, 11
    look    ttbr1_el1, 12
    look    tcr_el1, 13
    look    mair_el1, 14
    look    vbar_el1, 15
    look    esr_el1, 16
    look    far_el1, 17
    look    elr_el1, 18
    look    spsr_el1, 19
    look    sp_el0, 20
    look    cntv_ctl_el0, 21
    look    cntkctl_el1, 22
    look    s3_0_c5_c1_0, 23 /* AFSR0_EL1 */
    mov     x0, sp
    orr     x19, x19, x0, lsl #24
    has_gicv3 x0
    cbnz    x0, 1f
    mov     x0, #GICC
    ldr     w1, [x0, #0x4] /* PMR */
    ldr     w2, [x0, #0x8] /* BPR */
    b       2f
1:  mrs     x1, s3_0_c4_c6_0 /* ICC_PMR_EL1 */
    mrs     x2, s3_0_c12_c8_3 /* ICC_BPR0_EL1 */
2:  cmp     w1, #0
    cset    x1, ne
    orr     x19, x19, x1, lsl #60
    cmp     w2, #3 /* BPR: not above the least there can be */
    cset    x1, hi
    orr     x19, x19, x1, lsl #61
    look    dbgbvr0_el1, 62
    look    dbgwcr0_el1, 63
    ret

fill_all:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    movi    v\n\().16b, #0xa5
    .endr
    fill    fpcr, 0xc00000
    fill    fpsr, 0x1f
    adr     x0, _start
    at      s1e1r, x0
    fill    csselr_el1, 2
    fill    tpidr_el0
    fill    tpidrro_el0
    fill    tpidr_el1
    fill    contextidr_el1
    fill    ttbr0_el1
    fill    ttbr1_el1
    fill    mair_el1
    fill    vbar_el1, 0x5800
    fill    esr_el1
    fill    far_el1
    fill    elr_el1
    fill    spsr_el1, 0x3c4
    fill    sp_el0
    fill    cntkctl_el1, 3
    mov     x1, #0x5000
    mov     sp, x1
    mov     x1, #0xf0
    mov     x2, #7
    has_gicv3 x0
    cbnz    x0, 1f
    mov     x0, #GICC
    str     w1, [x0, #0x4]
    str     w2, [x0, #0x8]
    b       2f
1:  msr     s3_0_c4_c6_0, x1
    msr     s3_0_c12_c8_3, x2
2:  fill    dbgbvr0_el1
    fill    dbgwcr0_el1, 0x1e4
    fill    mdscr_el1, 0x8000 /* MDE */
    isb
    ret

say: /* "left by cpu" w18, x19 */
    mov     x2, #PL011
    adr     x3, text
1:  ldrb    w1, [x3], #1
    cbz     w1, 2f
    str     w1, [x2]
    b       1b
2:  add     w1, w18, #'0'
    str     w1, [x2]
    mov     w1, #':'
    str     w1, [x2]
    mov     w1, #' '
    str     w1, [x2]
    mov     w4, #60
3:  lsr     x1, x19, x4
    and     w1, w1, #0xf
    cmp     w1, #10
    add     w5, w1, #'0'
    add     w1, w1, #('a' - 10)
    csel    w1, w5, w1, lo
    str     w1, [x2]
    subs    w4, w4, #4
    b.ge    3b
    mov     w1, #'\n'
    str     w1, [x2]
    ret
text:
    .asciz "left by cpu "
    .balign 4

first:
    bl      look_at_all
    mov     w18, #0
    bl      say
    mov     w20, #3
another:
    movz    x0, #(CPU_ON & 0xffff)
    movk    x0, #(CPU_ON >> 16), lsl #16
    mov     x1, #1
    adr     x2, second
    mov     x3, #0
    smc     #0
    cbnz    x0, failed
1:  movz    x0, #(AFFINITY_INFO & 0xffff)
    movk    x0, #(AFFINITY_INFO >> 16), lsl #16
    mov     x1, #1
    mov     x2, #0
    smc     #0
    cmp     x0, #1 /* off */
    b.ne    1b
    subs    w20, w20, #1
    b.ne    another
    bl      fill_all
    movz    x0, #(SYSTEM_RESET & 0xffff)
    movk    x0, #(SYSTEM_RESET >> 16), lsl #16
    smc     #0
failed:
    mov     x19, #-1
    bl      say
    b       .

second:
    bl      look_at_all
    mov     w18, #1
    bl      say
    bl      fill_all
    movz    x0, #(CPU_OFF & 0xffff)
    movk    x0, #(CPU_OFF >> 16), lsl #16
    smc     #0
    b       .
