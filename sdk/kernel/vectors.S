/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ways into the kernel and out of it.
 *
 * While a thread runs, SP_EL2 points to its `regs` (thread.h), so that registers can be saved
 * before any is free. In the kernel SP_EL2 is the core's stack, which ends at struct cpu, whose
 * address TPIDR_EL2 holds. The kernel runs with interrupts masked and returns to its stack's top.
 *
 * A system call is a C function call: arguments and results are where both sides' compilers
 * expect them, and x19 to x29 survive by the procedure call standard. They are saved only if
 * another thread is to run. Everything else saves all registers first.
 */

#define __ASSEMBLER__ 1
#include "arch.h"
#include "cpu.h"

/* Offsets in seL4_UserContext. */
#define R_PC        0 /* and SP */
#define R_SPSR      16
#define R_X0        24
#define R_X1        32
#define R_X2        40
#define R_X3        48
#define R_X16       96
#define R_X18       112 /* and x29 */
#define R_X30       128 /* and x9 */
#define R_X10       144
#define R_X19       192

#ifdef CONFIG_BENCHMARK_TRACK_UTILISATION
#define SYSCALL_COUNT 23

/* The core has come into the kernel: benchmark.h. */
    .macro note_entry cpu, time
    mrs \cpu, tpidr_el2
    mrs \time, pmccntr_el0
    str \time, [\cpu, #CPU_ENTERED]
    .endm
#else
#define SYSCALL_COUNT 22

    .macro note_entry cpu, time
    .endm
#endif

#ifdef CONFIG_ENABLE_SMP_SUPPORT
/* The kernel's lock (smp.c), if it is free. x9 to x11 are changed. */
    .macro lock_kernel contended
    adr x9, kernel_lock
    ldaxr w10, [x9]
    cbnz w10, \contended
    mov w10, #1
    stxr w11, w10, [x9]
    cbnz w11, \contended
    .endm

    .macro unlock_kernel
    adr x9, kernel_lock
    stlr wzr, [x9]
    .endm
#else
    .macro lock_kernel contended
    .endm
    .macro unlock_kernel
    .endm
#endif

    .macro vector target
    .balign 0x80
    b \target
    .endm

    .section ".text.vectors", "ax"
    .balign 0x800
    .global vectors
vectors:
    .rept 4 /* with SP_EL0: never */
    vector kernel_fault
    .endr
    vector kernel_sync
    .rept 3
    vector kernel_fault
    .endr
    .rept 2 /* from below, AArch64 and AArch32 */
    vector lower_sync
    vector lower_irq
    vector lower_irq
    vector lower_serror
    .endr

/* Save or load what a call may change, but for x0 to x2, x16 and x17. */
    .macro changed op
    \op x3, x4, [sp, #R_X3]
    \op x5, x6, [sp, #R_X3 + 16]
    \op x7, x8, [sp, #R_X3 + 32]
    \op x30, x9, [sp, #R_X30]
    \op x10, x11, [sp, #R_X10]
    \op x12, x13, [sp, #R_X10 + 16]
    \op x14, x15, [sp, #R_X10 + 32]
    .endm

/* Save or load what survives a call, and x18. */
    .macro surviving op, regs
    \op x18, x29, [\regs, #R_X18]
    \op x19, x20, [\regs, #R_X19]
    \op x21, x22, [\regs, #R_X19 + 16]
    \op x23, x24, [\regs, #R_X19 + 32]
    \op x25, x26, [\regs, #R_X19 + 48]
    \op x27, x28, [\regs, #R_X19 + 64]
    .endm

/* The rest of the registers, x16 and x17 being saved; then the core's stack. */
    .macro save_all
    stp x1, x2, [sp, #R_X1]
    changed stp
    surviving stp, sp
    mrs x1, spsr_el2
    mrs x2, elr_el2
    mrs x3, sp_el0
    stp x1, x0, [sp, #R_SPSR]
    stp x2, x3, [sp, #R_PC]
    mrs x0, tpidr_el2
    mov sp, x0
    .endm

lower_sync:
    stp x16, x17, [sp, #R_X16]
    mrs x16, esr_el2
    lsr x17, x16, #26
    cmp x17, #EC_SVC64
    b.ne exception
    cmp x7, #SYSCALL_COUNT
    b.hs exception
    note_entry x16, x17
    adr x17, syscall_table
    ldr x17, [x17, x7, lsl #3]
    mrs x16, tpidr_el2
    mov sp, x16
    lock_kernel call_contended
call:
    blr x17

    mov x16, sp
    ldp x17, x2, [x16, #CPU_CURRENT]
    cmp x17, x2
    b.ne switch_from_call
#ifdef CONFIG_BENCHMARK_TRACK_UTILISATION
    stp x0, x1, [sp, #-16]!
    mov x0, x16
    bl benchmark_leave
    ldp x0, x1, [sp], #16
    mov x16, sp
    ldr x17, [x16, #CPU_CURRENT]
#endif
    unlock_kernel
    /* Return to the caller. Restore what may hold values of the kernel's. */
    mov sp, x17
    ldr x2, [sp, #R_X2]
    changed ldp
    ldp x16, x17, [sp, #R_X16]
    eret

#ifdef CONFIG_ENABLE_SMP_SUPPORT
call_contended: /* the core is to be found with all of its thread's registers saved */
    ldr x9, [x16, #CPU_CURRENT]
    mov sp, x9
    mov x9, xzr
    mov x10, xzr
    mov x11, xzr
    mov x16, x17
    save_all
    mov x19, x16
    mov x1, #1
    bl smp_enter
    cbz w0, leave
    mov x17, x19
    mov x16, sp
    ldr x16, [x16, #CPU_CURRENT]
    ldr x0, [x16, #R_X0]
    ldp x1, x2, [x16, #R_X1]
    ldp x3, x4, [x16, #R_X3]
    ldp x5, x6, [x16, #R_X3 + 16]
    ldr x7, [x16, #R_X3 + 32]
    ldr x19, [x16, #R_X19]
    b call
#endif

exception:
    mov x17, x16
    save_all
    note_entry x1, x2
    mov x1, x17
    bl trap_sync
    b leave

lower_irq:
    stp x16, x17, [sp, #R_X16]
    save_all
    note_entry x1, x2
    bl trap_irq
    b leave

lower_serror:
    stp x16, x17, [sp, #R_X16]
    ldr x17, [sp, #R_PC] /* where it was resumed */
    save_all
    note_entry x1, x2
    mov x1, x17
    bl trap_serror

leave:
    mov x16, sp
    ldp x0, x2, [x16, #CPU_CURRENT]
#ifdef CONFIG_ENABLE_SMP_SUPPORT
    cbz x0, switch /* another core has stopped the thread */
#endif
    cmp x0, x2
    b.ne switch
    b resume

switch_from_call:
    mrs x2, spsr_el2
    mrs x3, elr_el2
    mrs x4, sp_el0
    stp x2, x0, [x17, #R_SPSR]
    str x1, [x17, #R_X1]
    stp x3, x4, [x17, #R_PC]
    surviving stp, x17

    .global switch_first
switch_first: /* from boot: no thread has run */
switch:
    mov x0, sp
    bl cpu_switch

resume: /* x0: the current thread */
#ifdef CONFIG_BENCHMARK_TRACK_UTILISATION
    mov x0, sp
    bl benchmark_leave
    mov x16, sp
    ldr x0, [x16, #CPU_CURRENT]
#endif
    unlock_kernel
    mov sp, x0
    ldp x1, x2, [sp, #R_PC]
    ldp x3, x0, [sp, #R_SPSR]
    msr elr_el2, x1
    msr sp_el0, x2
    msr spsr_el2, x3
    ldp x1, x2, [sp, #R_X1]
    changed ldp
    ldp x16, x17, [sp, #R_X16]
    surviving ldp, sp
    eret

/* One of the kernel's two instructions that may fault: firmware may not implement SMC. */
    .global firmware_call
    .type firmware_call, %function
firmware_call: /* x0: eight words, in and out */
    stp x29, x30, [sp, #-48]!
    mrs x16, elr_el2 /* the thread's; a fault here overwrites them */
    mrs x17, spsr_el2
    stp x16, x17, [sp, #16]
    str x0, [sp, #32]
    mov x16, x0
    ldp x0, x1, [x16]
    ldp x2, x3, [x16, #16]
    ldp x4, x5, [x16, #32]
    ldp x6, x7, [x16, #48]
firmware_smc:
    smc #0
    ldr x16, [sp, #32]
    stp x0, x1, [x16]
    stp x2, x3, [x16, #16]
    stp x4, x5, [x16, #32]
    stp x6, x7, [x16, #48]
    ldp x16, x17, [sp, #16]
    msr elr_el2, x16
    msr spsr_el2, x17
    ldp x29, x30, [sp], #48
    ret

kernel_sync:
    mrs x16, elr_el2
    adr x17, firmware_smc
    cmp x16, x17
    b.eq 1f
    adr x17, translate_at /* the other: a guest's tables may point anywhere (trap.c) */
    cmp x16, x17
    b.ne kernel_fault
    add x16, x16, #8
1:  add x16, x16, #4
    msr elr_el2, x16
    mov x0, #-1 /* SMCCC: NOT_SUPPORTED; of PAR_EL1: failed */
    eret

kernel_fault:
    adr x0, panic_stack_end
    mov sp, x0
    mrs x0, esr_el2
    mrs x1, elr_el2
    mrs x2, far_el2
    b trap_kernel

    .balign 8
syscall_table: /* in the order of seL4_Syscall_ID */
    .quad sys_call
    .quad sys_reply_recv
    .quad sys_nbsend_recv
    .quad sys_send
    .quad sys_recv
    .quad sys_nbrecv
    .quad sys_yield
    .quad sys_debug_putchar
    .quad sys_irq_ack
    .quad sys_tcb_read
    .quad sys_tcb_write
    .quad sys_tcb_suspend
    .quad sys_tcb_resume
    .quad sys_vcpu_inject
    .quad sys_vcpu_read
    .quad sys_vcpu_write
    .quad sys_vcpu_ack_vppi
    .quad sys_smc
    .quad sys_tcb_set_priority
    .quad sys_debug_halt
    .quad sys_sched_context
    .quad sys_vspace
#ifdef CONFIG_BENCHMARK_TRACK_UTILISATION
    .quad sys_benchmark
#endif
syscall_table_end:
    .if (syscall_table_end - syscall_table) != 8 * SYSCALL_COUNT
    .error "syscall_table"
    .endif

    .bss
    .balign 16
    .skip 2048
panic_stack_end:
