/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the guests execute: position-independent routines, copied to guest-physical 0x4000_0000. The
 * page at 0x4000_f000 is theirs to write results to.
 */

#define RESULTS 0x4000f000

/*
 * The virtual CPU interface: of a GICv2 a page, of a GICv3 system registers. The interrupts are of
 * group 0, which a GICv3 signals as FIQs.
 */
#ifdef GICV3
#define ICC_PMR_EL1     s3_0_c4_c6_0
#define ICC_IAR0_EL1    s3_0_c12_c8_0
#define ICC_EOIR0_EL1   s3_0_c12_c8_1
#define ICC_IGRPEN0_EL1 s3_0_c12_c12_6

    .macro gic_on
    mov x0, #0xf0
    msr ICC_PMR_EL1, x0
    mov x0, #1
    msr ICC_IGRPEN0_EL1, x0
    isb
    .endm
    .macro gic_acknowledge register
    mrs x\register, ICC_IAR0_EL1
    .endm
    .macro gic_end register
    msr ICC_EOIR0_EL1, x\register
    isb
    .endm
#else
#define GICV 0x08010000

    .macro gic_on
    mov x9, #GICV
    mov w0, #0xf0
    str w0, [x9, #4] /* GICC_PMR */
    mov w0, #1
    str w0, [x9] /* GICC_CTLR */
    .endm
    .macro gic_acknowledge register
    ldr w\register, [x9, #0x0c] /* GICC_IAR */
    .endm
    .macro gic_end register
    str w\register, [x9, #0x10] /* GICC_EOIR */
    isb
    .endm
#endif

    .section ".rodata.guest", "a"
    .balign 0x1000
    .global guest_begin
guest_begin:
    .balign 0x800
guest_vectors:
    .rept 5
    .balign 0x80
    mrs x0, esr_el1
    smc #0xbad
    .endr
    .balign 0x80
    b interrupt /* from EL1, on its own stack */
    .balign 0x80
    b interrupt /* an FIQ likewise */
    .balign 0x800

/* One exit of each kind. */
    .global guest_exits
guest_exits:
    mov x0, #0x10
    mov x1, #0x21
    mov x7, #1000
    hvc #0
    smc #0x12
    wfi
    mov x1, #0x50000000
    ldr w2, [x1, #4]
    strh w3, [x1, #6]
    ldrsb x30, [x1, #9]
    br x1

    .global guest_wfe
guest_wfe:
    wfe
    smc #0x12

/* Registers that must not exit, nor have an effect. */
    .global guest_quiet
guest_quiet:
    mrs x0, midr_el1
    mrs x1, mpidr_el1
    mrs x2, cntpct_el0
    mrs x3, cntvct_el0
    mrs x4, pmcr_el0
    msr pmuserenr_el0, x4
    mrs x4, mdscr_el1
    msr oslar_el1, xzr
    mrs x4, dbgbcr0_el1
    mrs x4, actlr_el1
    mov x5, #-1
    msr dbgbvr0_el1, x5
    msr cntkctl_el1, x5
    tlbi vmalle1
    dsb sy
    ic ialluis
    mov x5, #0
    dc isw, x5
    isb
    smc #0x13

/* The physical timer is not a guest's. */
    .global guest_physical_timer
guest_physical_timer:
    mrs x0, cntp_ctl_el0
    smc #0x14

/* Leave EL1 in a state that a PD must not feel. */
    .global guest_poison
guest_poison:
    msr cpacr_el1, xzr
    msr cntkctl_el1, xzr
    mrs x0, sctlr_el1
    orr x0, x0, #(1 << 24) /* E0E: EL0 is big-endian */
    bic x0, x0, #(1 << 26) /* UCI: EL0 may not maintain caches */
    msr sctlr_el1, x0
    msr tpidr_el0, x0
    msr tpidrro_el0, x0
    isb
    smc #0x15
    mrs x1, sctlr_el1
    mrs x2, cpacr_el1
    mrs x3, tpidr_el0
    smc #0x16

/* Vectors, the virtual CPU interface, interrupts on; x9 and x10 stay as here. */
    .macro set_up_interrupts
    adr x0, guest_vectors
    msr vbar_el1, x0
    msr spsel, #1
    mov x0, #0x4000e000 & 0xffff
    movk x0, #0x4000, lsl #16
    mov sp, x0
    gic_on
    mov x10, #RESULTS & 0xffff
    movk x10, #RESULTS >> 16, lsl #16
    msr daifclr, #3
    isb
    .endm

/* Appends the INTID to the results: their number, then they. Arms the timer anew if x22 says so. */
interrupt:
    stp x0, x1, [sp, #-16]!
    gic_acknowledge 0
    ldr x1, [x10]
    add x1, x1, #1
    str x1, [x10]
    str x0, [x10, x1, lsl #3]
    cmp w0, #27
    b.ne 1f
    msr cntv_ctl_el0, xzr
    cbz x22, 1f
    msr cntv_tval_el0, x22
    mov x0, #1
    msr cntv_ctl_el0, x0
    mov x0, #27
1:  isb
    gic_end 0
    ldp x0, x1, [sp], #16
    eret

/* The virtual timer in x0 ticks; spin until an interrupt has come. */
    .global guest_timer
guest_timer:
    mov x20, x0
    set_up_interrupts
    ldr x21, [x10]
    msr cntv_tval_el0, x20
    mov x0, #1
    msr cntv_ctl_el0, x0
    isb
1:  ldr x0, [x10]
    cmp x0, x21
    b.eq 1b
    smc #0x17

/* The virtual timer each x0 ticks, for ever. x22: see `interrupt`. */
    .global guest_ticks
guest_ticks:
    mov x22, x0
    set_up_interrupts
    msr cntv_tval_el0, x22
    mov x0, #1
    msr cntv_ctl_el0, x0
1:  b 1b

/* The virtual timer, due at once, interrupts off; two exits with the timer's time in between. */
    .global guest_timer_masked
guest_timer_masked:
    msr daifset, #3
    msr cntv_tval_el0, xzr
    mov x0, #1
    msr cntv_ctl_el0, x0
    isb
    mov x0, #2000
1:  sub x0, x0, #1
    cbnz x0, 1b
    smc #0x18
    mov x0, #2000
1:  sub x0, x0, #1
    cbnz x0, 1b
    smc #0x19
    msr cntv_ctl_el0, xzr
    smc #0x1a

/* The virtual timer in x0 ticks, and sleep. */
    .global guest_sleep
guest_sleep:
    msr daifset, #3
    msr cntv_tval_el0, x0
    mov x0, #1
    msr cntv_ctl_el0, x0
    isb
    wfi
    mov x0, #2000
1:  sub x0, x0, #1
    cbnz x0, 1b
    msr cntv_ctl_el0, xzr
    smc #0x1b

/* Take interrupts until x0 of them have come. */
    .global guest_interrupts
guest_interrupts:
    mov x20, x0
    set_up_interrupts
1:  ldr x0, [x10]
    cmp x0, x20
    b.lo 1b
    smc #0x1c

/* Take an interrupt, exit with its INTID in x1 while it is active, and end it. */
    .global guest_acknowledge
guest_acknowledge:
    msr daifset, #3
    gic_on
    gic_acknowledge 1
    smc #0x30
    gic_end 1
    smc #0x31

/* Write EL1's registers to the results, and 1 more than that into them. */
    .macro dump register, at
    mrs x1, \register
    str x1, [x0, #(8 * \at)]
    add x1, x1, #1
    msr \register, x1
    .endm
    .global guest_registers
guest_registers:
    mov x0, #RESULTS & 0xffff
    movk x0, #RESULTS >> 16, lsl #16
    dump ttbr0_el1, 0
    dump ttbr1_el1, 1
    dump tcr_el1, 2
    dump mair_el1, 3
    dump contextidr_el1, 4
    dump esr_el1, 5
    dump far_el1, 6
    dump vbar_el1, 7
    dump tpidr_el1, 8
    dump elr_el1, 9
    dump spsr_el1, 10
    dump cntv_cval_el0, 11
    dump cntkctl_el1, 12
    mrs x1, mpidr_el1
    str x1, [x0, #(8 * 13)]
    mov x1, sp
    str x1, [x0, #(8 * 14)]
    add x1, x1, #1
    mov sp, x1
    dump csselr_el1, 15
    smc #0x1d

/* v0 to v31 and FPCR hold x0; exit; report whether they still do, in x0. */
    .global guest_fpu
guest_fpu:
    mov x1, #(3 << 20)
    msr cpacr_el1, x1
    isb
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    add x1, x0, #\n
    dup v\n\().2d, x1
    .endr
    and x1, x0, #1
    lsl x1, x1, #22
    msr fpcr, x1
    mov x20, x0
1:  smc #0x1e
    mov x0, #1
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    add x1, x20, #\n
    umov x2, v\n\().d[0]
    umov x3, v\n\().d[1]
    cmp x1, x2
    ccmp x1, x3, #0, eq
    csel x0, x0, xzr, eq
    .endr
    and x1, x20, #1
    mrs x2, fpcr
    cmp x1, x2, lsr #22
    csel x0, x0, xzr, eq
    b 1b

/* Write to x0; then exit. */
    .global guest_write
guest_write:
    str w1, [x0]
    smc #0x1f

/* Say what there is; then exit, again and again. */
    .global guest_pstate
guest_pstate:
    mrs x0, id_aa64mmfr1_el1
    mrs x1, s3_0_c0_c7_2 /* ID_AA64MMFR2_EL1 */
    mrs x2, id_aa64pfr0_el1
    mrs x3, id_aa64pfr1_el1
1:  smc #0x32
    b 1b

/* As A32 an endless loop; as A64 something harmless, and an exit. */
    .global guest_user32
guest_user32:
    .word 0xeafffffe
    smc #0x33

/* Stage 1 on, with x0 as TTBR1 (its tables translate from level 1); read from x1, up there. */
    .global guest_walk
guest_walk:
    msr ttbr1_el1, x0
    isb
    ldr x2, [x1]
    smc #0x34

/* Count, for ever. */
    .global guest_count
guest_count:
    mov x0, #RESULTS & 0xffff
    movk x0, #RESULTS >> 16, lsl #16
1:  ldr x1, [x0]
    add x1, x1, #1
    str x1, [x0]
    b 1b

    .global guest_end
guest_end:
