/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The hostile guest's first instructions: the header of an arm64 Image (Linux,
 * Documentation/arm64/booting.rst), a stack, vectors. It runs where it was loaded, with the MMU off.
 */

    .macro enter stack
    adrp    x1, \stack
    add     x1, x1, :lo12:\stack
    mov     sp, x1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    mov     x1, #(3 << 20)
    msr     cpacr_el1, x1
    isb
    .endm

    .section .text.start, "ax"
    .global _start
_start:
    b       1f
    .long   0
    .quad   0               /* text_offset: at a 2 MiB boundary */
    .quad   image_end - _start
    .quad   0xa             /* flags: little endian, 4 KiB pages, anywhere in memory */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0
1:
    enter   stack_top
    bl      hostile
2:  wfi
    b       2b

    /* Where CPU_ON may have the second vCPU begin: it calls the function that is the context. */
    .global second_start
second_start:
    enter   second_stack_top
    blr     x0
    b       2b

    /* Sixteen entries of 128 bytes; only those for the current EL with SP_EL1 are ever taken. */
    .balign 2048
vectors:
    .rept   4
    .balign 128
    b       .
    .endr
    .balign 128
    b       synchronous
    .balign 128
    b       interrupt
    .balign 128
    b       interrupt
    .balign 128
    b       synchronous     /* an SError counts as an abort too */
    .rept   8
    .balign 128
    b       .
    .endr

    .macro save
    sub     sp, sp, #176
    stp     x0, x1, [sp]
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x30, [sp, #144]
    mrs     x0, elr_el1
    mrs     x1, spsr_el1
    stp     x0, x1, [sp, #160]
    .endm

    .macro restore
    ldp     x0, x1, [sp, #160]
    msr     elr_el1, x0
    msr     spsr_el1, x1
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x30, [sp, #144]
    ldp     x0, x1, [sp]
    add     sp, sp, #176
    eret
    .endm

synchronous:
    save
    mov     x0, sp
    bl      on_abort
    restore

interrupt:
    save
    bl      on_interrupt
    restore

    .section .bss
    .balign 16
    .space  16384
stack_top:
    .space  16384
second_stack_top:
