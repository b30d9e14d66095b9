/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the guests execute: position-independent routines, copied to guest-physical 0x4000_0000.
 * Each ends in SMC #1. An exception to EL1 ends in SMC #2, with its ESR and ELR in x0 and x1.
 */

#define MDSCR_SS  (1 << 0)
#define MDSCR_KDE (1 << 13)
#define MDSCR_MDE (1 << 15)
#define SPSR_SS   (1 << 21)
#define UNMAPPED  0x50000000

    .section ".rodata.guest", "a"
    .balign 0x1000
    .global guest_begin
guest_begin:
    .rept 16
    .balign 0x80
    mrs x0, esr_el1
    mrs x1, elr_el1
    msr mdscr_el1, xzr
    smc #2
    .endr
    .balign 0x800

    .macro enable
    mov x4, #MDSCR_MDE
    orr x4, x4, #MDSCR_KDE
    msr mdscr_el1, x4
    msr daifclr, #8
    isb
    .endm

/* Set breakpoint 0 and watchpoint 0: addresses in x0 and x2, control in x1 and x3. */
    .global guest_set
guest_set:
    msr dbgbvr0_el1, x0
    msr dbgbcr0_el1, x1
    msr dbgwvr0_el1, x2
    msr dbgwcr0_el1, x3
    enable
    smc #1

    .global guest_get
guest_get:
    mrs x0, dbgbvr0_el1
    mrs x1, dbgbcr0_el1
    mrs x2, dbgwvr0_el1
    mrs x3, dbgwcr0_el1
    mrs x4, mdscr_el1
    smc #1

    .global guest_disable
guest_disable:
    msr mdscr_el1, xzr
    smc #1

    .global guest_execute, guest_executed
guest_execute:
    msr daifclr, #8
guest_executed:
    nop
    smc #1

/* Write to x0. */
    .global guest_write, guest_written
guest_write:
    msr daifclr, #8
guest_written:
    str wzr, [x0]
    smc #1

    .global guest_last
guest_last: /* the highest numbers that ID_AA64DFR0_EL1 promises, on any processor of the tests */
    msr dbgbvr5_el1, x0
    msr dbgwvr3_el1, x2
    mrs x0, dbgbvr5_el1
    mrs x2, dbgwvr3_el1
    mrs x1, id_aa64dfr0_el1
    mrs x3, oslsr_el1
    smc #1

/* Step one instruction at EL0, at x0. */
    .global guest_step
guest_step:
    mov x1, #UNMAPPED
    msr elr_el1, x0
    mov x4, #SPSR_SS
    msr spsr_el1, x4
    mov x4, #MDSCR_SS
    msr mdscr_el1, x4
    isb
    eret

    .global guest_step_nop, guest_step_load
guest_step_nop:
    nop
    nop
    nop
guest_step_load:
    ldr w2, [x1]
    nop
    nop

/* Step an instruction that the kernel emulates, at EL1. */
    .global guest_step_id, guest_stepped_id
guest_step_id:
    adr x0, guest_stepped_id
    msr elr_el1, x0
    mov x4, #0x5 /* EL1h, debug exceptions not masked */
    orr x4, x4, #SPSR_SS
    msr spsr_el1, x4
    mov x4, #MDSCR_SS
    orr x4, x4, #MDSCR_KDE
    msr mdscr_el1, x4
    isb
    eret
guest_stepped_id:
    mrs x2, id_aa64pfr0_el1
    nop
    nop

    .global guest_end
guest_end:
