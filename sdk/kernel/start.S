/* SPDX-License-Identifier: BSD-2-Clause */

/* Where the boot loader enters, and firmware with a further core: EL2, MMU off. */

#define __ASSEMBLER__ 1
#include "board.h"
#include "cpu.h"
#include "mmu.h"

/* x0: this core's struct cpu. */
    .macro begin main
    msr tpidr_el2, x0
    mov sp, x0
    adr x1, vectors
    msr vbar_el2, x1
    bl \main
    b switch_first
    .endm

    .section ".text.start", "ax"
    .global _start
_start:
    mrs x0, CurrentEL
    cmp x0, #(2 << 2)
    b.ne wrong_level
    msr daifset, #0xf
    mov x0, #0x30c50000 /* SCTLR_EL2: its RES1 bits only */
    movk x0, #0x0830
    msr sctlr_el2, x0
    isb
    adrp x0, cores
    add x0, x0, #CPU_STACK_SIZE
    begin boot

#ifdef BOARD_RELEASE_ADDRESSES
    .global released_start, parked
#ifdef CONFIG_ENABLE_SMP_SUPPORT
released_start: /* wait for smp.c */
    mrs x1, mpidr_el1
    and x1, x1, #0xff
    adr x2, released_cpus
1:  ldr x0, [x2, x1, lsl #3]
    cbnz x0, secondary_start
    wfe
    b 1b
#else
released_start:
#endif
parked: /* an interrupt may end WFI, and is nobody's here */
    wfi
    b parked
#endif

#ifdef CONFIG_ENABLE_SMP_SUPPORT
/* x0: this core's struct cpu. What the boot core has written is in its caches: until the MMU is on
 * nothing is read. */
    .global secondary_start
secondary_start:
    msr daifset, #0xf
    ldr x1, =MAIR_EL2
    msr mair_el2, x1
    ldr x1, =TCR_EL2
    msr tcr_el2, x1
    adrp x1, mmu_l1
    msr ttbr0_el2, x1
    ic iallu
    tlbi alle2
    tlbi alle1
    dsb nsh
    isb
    ldr x1, =SCTLR_EL2_ON
    msr sctlr_el2, x1
    isb
    begin secondary_boot
    .ltorg
#endif

wrong_level: /* EL1 or EL3: say so, to whom it is no use to say more */
    adr x1, wrong_level_text
    ldr x2, =BOARD_UART + UART_DATA
1:  ldrb w3, [x1], #1
    cbz w3, 2f
    str w3, [x2]
    b 1b
2:  wfi
    b 2b
wrong_level_text:
    .asciz "kernel: not entered at EL2: QEMU needs virtualization=on for its -machine\r\n"
    .balign 8
    .ltorg
