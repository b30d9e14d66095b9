/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The guest. At its start: the vectors. Entry is at 0x800. Its data are at 0x2000: interrupts taken,
 * rounds. x28 always holds a pattern.
 */

#define GICV    0x8010000
#define PATTERN 0x5ca1ab1e
#define DATA    0x40002000

    .section .rodata
    .balign 16
    .global guest_start, guest_end
guest_start:
    .rept 5
    .balign 0x80
    b .
    .endr
    .balign 0x80 /* an interrupt, from EL1 with SP_EL1 */
    mov x10, #(GICV & 0xffff0000)
    ldr w11, [x10, #0xc]
    str w11, [x10, #0x10]
    mov x12, #(DATA & 0xffff0000)
    orr x12, x12, #(DATA & 0xffff)
    ldr x13, [x12]
    add x13, x13, #1
    str x13, [x12]
    eret

    .balign 0x800
    mov x10, #0x40000000
    msr vbar_el1, x10
    mov x10, #(GICV & 0xffff0000)
    mov w11, #0xf8
    str w11, [x10, #4]
    mov w11, #1
    str w11, [x10]
    movz x28, #(PATTERN >> 16), lsl #16
    movk x28, #(PATTERN & 0xffff)
    mov x12, #(DATA & 0xffff0000)
    orr x12, x12, #(DATA & 0xffff)
    isb
    msr daifclr, #2
1:  ldr x1, [x12, #8]
    add x1, x1, #1
    str x1, [x12, #8]
    tst x1, #0xff
    b.ne 1b
    tst x1, #0x700
    b.eq 2f
    smc #0
    b 1b
2:  wfi
    b 1b
guest_end:
