/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Invocations of capabilities, with seL4's names, arguments and errors. */

#include <sel4/syscalls.h>

#define seL4_internal_user_words  (sizeof(seL4_UserContext) / sizeof(seL4_Word))
#define seL4_internal_write_words 4 /* of them TCBWrite takes in registers */

LIBSEL4_INLINE seL4_Error seL4_TCB_ReadRegisters(seL4_TCB _service, seL4_Bool suspend_source,
                                                 seL4_Uint8 arch_flags, seL4_Word count,
                                                 seL4_UserContext *regs)
{
    seL4_Word *words = (seL4_Word *)regs;
    const seL4_IPCBuffer *buffer = seL4_GetIPCBuffer();
    seL4_Error error =
        (seL4_Error)seL4_internal_call3(seL4_SysTCBRead, _service, suspend_source & 1, count).x0;

    (void)arch_flags;
    if (error == seL4_NoError) {
        for (seL4_Word i = 0; i < count && i < seL4_internal_user_words; i++) {
            words[i] = buffer->msg[i];
        }
    }
    return error;
}

LIBSEL4_INLINE seL4_Error seL4_TCB_WriteRegisters(seL4_TCB _service, seL4_Bool resume_target,
                                                  seL4_Uint8 arch_flags, seL4_Word count,
                                                  seL4_UserContext *regs)
{
    const seL4_Word *words = (const seL4_Word *)regs;

    (void)arch_flags;
    if (count > seL4_internal_write_words) {
        seL4_IPCBuffer *buffer = seL4_GetIPCBuffer();

        for (seL4_Word i = seL4_internal_write_words; i < count && i < seL4_internal_user_words;
             i++) {
            buffer->msg[i] = words[i];
        }
    }
    return (seL4_Error)seL4_internal_call(seL4_SysTCBWrite, _service, resume_target & 1, count,
                                          regs->pc, count > 1 ? regs->sp : 0,
                                          count > 2 ? regs->spsr : 0, count > 3 ? regs->x0 : 0)
        .x0;
}

LIBSEL4_INLINE seL4_Error seL4_TCB_Suspend(seL4_TCB _service)
{
    return (seL4_Error)seL4_internal_call3(seL4_SysTCBSuspend, _service, 0, 0).x0;
}

LIBSEL4_INLINE seL4_Error seL4_TCB_Resume(seL4_TCB _service)
{
    return (seL4_Error)seL4_internal_call3(seL4_SysTCBResume, _service, 0, 0).x0;
}

/* The thread `authority` has to be allowed to give that priority: seL4_RangeError otherwise. */
LIBSEL4_INLINE seL4_Error seL4_TCB_SetPriority(seL4_TCB _service, seL4_TCB authority,
                                               seL4_Word priority)
{
    return (seL4_Error)seL4_internal_call(seL4_SysTCBSetPriority, _service, priority, authority, 0,
                                          0, 0, 0)
        .x0;
}

LIBSEL4_INLINE seL4_Error seL4_TCB_SetMCPriority(seL4_TCB _service, seL4_TCB authority,
                                                 seL4_Word mcp)
{
    return (seL4_Error)seL4_internal_call(seL4_SysTCBSetPriority, _service, mcp, authority, 1, 0, 0,
                                          0)
        .x0;
}

#if defined(CONFIG_HARDWARE_DEBUG_API)
/*
 * Breakpoints of a child, of which there is none (seL4_NumHWBreakpoints). So a child's capability
 * is answered by seL4_RangeError, and another as anywhere. To write no register asks which it is.
 */
LIBSEL4_INLINE_FUNC seL4_Error seL4_internal_no_breakpoint(seL4_TCB service)
{
    seL4_Error error =
        (seL4_Error)seL4_internal_call(seL4_SysTCBWrite, service, 0, 0, 0, 0, 0, 0).x0;

    /* A PD may not write its own, but name its breakpoints. */
    return error != seL4_NoError && error != seL4_IllegalOperation ? error : seL4_RangeError;
}

LIBSEL4_INLINE seL4_Error seL4_TCB_SetBreakpoint(seL4_TCB _service, seL4_Uint16 bp_num,
                                                 seL4_Word vaddr, seL4_Word type, seL4_Word size,
                                                 seL4_Word rw)
{
    (void)bp_num;
    (void)vaddr;
    (void)type;
    (void)size;
    (void)rw;
    return seL4_internal_no_breakpoint(_service);
}

typedef struct seL4_TCB_GetBreakpoint {
    int error;
    seL4_Word vaddr, type, size, rw;
    seL4_Bool is_enabled;
} seL4_TCB_GetBreakpoint_t;

LIBSEL4_INLINE seL4_TCB_GetBreakpoint_t seL4_TCB_GetBreakpoint(seL4_TCB _service,
                                                               seL4_Uint16 bp_num)
{
    (void)bp_num;
    return (seL4_TCB_GetBreakpoint_t){(int)seL4_internal_no_breakpoint(_service), 0, 0, 0, 0, 0};
}

LIBSEL4_INLINE seL4_Error seL4_TCB_UnsetBreakpoint(seL4_TCB _service, seL4_Uint16 bp_num)
{
    (void)bp_num;
    return seL4_internal_no_breakpoint(_service);
}

typedef struct seL4_TCB_ConfigureSingleStepping {
    int error;
    seL4_Bool bp_was_consumed;
} seL4_TCB_ConfigureSingleStepping_t;

LIBSEL4_INLINE seL4_TCB_ConfigureSingleStepping_t
seL4_TCB_ConfigureSingleStepping(seL4_TCB _service, seL4_Uint16 bp_num, seL4_Word num_instructions)
{
    (void)bp_num;
    (void)num_instructions;
    return (seL4_TCB_ConfigureSingleStepping_t){(int)seL4_internal_no_breakpoint(_service), 0};
}
#endif

/*
 * Scheduling contexts: cap_sc of <cspace>. Times are in microseconds. A context is bound to its own
 * PD or to nothing: Bind with another thread is seL4_IllegalOperation.
 */
LIBSEL4_INLINE_FUNC struct seL4_internal_result
seL4_internal_sc(seL4_SchedContext service, enum seL4_internal_sc_operation operation,
                 seL4_CPtr object)
{
    return seL4_internal_call3(seL4_SysSchedContext, service, operation, object);
}

typedef struct seL4_SchedContext_Consumed {
    int error;
    seL4_Time consumed;
} seL4_SchedContext_Consumed_t;

/* How much time the context has been used for since this was asked last. */
LIBSEL4_INLINE seL4_SchedContext_Consumed_t seL4_SchedContext_Consumed(seL4_SchedContext _service)
{
    struct seL4_internal_result result = seL4_internal_sc(_service, seL4_internal_sc_consumed, 0);

    return (seL4_SchedContext_Consumed_t){(int)result.x0, result.x1};
}

LIBSEL4_INLINE seL4_Error seL4_SchedContext_Bind(seL4_SchedContext _service, seL4_CPtr cap)
{
    return (seL4_Error)seL4_internal_sc(_service, seL4_internal_sc_bind, cap).x0;
}

LIBSEL4_INLINE seL4_Error seL4_SchedContext_Unbind(seL4_SchedContext _service)
{
    return (seL4_Error)seL4_internal_sc(_service, seL4_internal_sc_unbind, 0).x0;
}

LIBSEL4_INLINE seL4_Error seL4_SchedContext_UnbindObject(seL4_SchedContext _service, seL4_CPtr cap)
{
    return (seL4_Error)seL4_internal_sc(_service, seL4_internal_sc_unbind_object, cap).x0;
}

typedef struct seL4_SchedContext_YieldTo {
    int error;
    seL4_Time consumed;
} seL4_SchedContext_YieldTo_t;

/* `consumed` is asked for when the caller runs again. */
LIBSEL4_INLINE seL4_SchedContext_YieldTo_t seL4_SchedContext_YieldTo(seL4_SchedContext _service)
{
    int error = (int)seL4_internal_sc(_service, seL4_internal_sc_yield_to, 0).x0;

    return (seL4_SchedContext_YieldTo_t){
        error, error == seL4_NoError ? seL4_SchedContext_Consumed(_service).consumed : 0};
}

LIBSEL4_INLINE seL4_Error seL4_IRQHandler_Ack(seL4_IRQHandler _service)
{
    return (seL4_Error)seL4_internal_call3(seL4_SysIRQAck, _service, 0, 0).x0;
}

LIBSEL4_INLINE seL4_Error seL4_ARM_VCPU_InjectIRQ(seL4_ARM_VCPU _service, seL4_Uint16 virq,
                                                  seL4_Uint8 priority, seL4_Uint8 group,
                                                  seL4_Uint8 index)
{
    seL4_Word irq = (seL4_Word)virq | (seL4_Word)priority << 16 | (seL4_Word)group << 24 |
                    (seL4_Word)index << 32;

    return (seL4_Error)seL4_internal_call3(seL4_SysVCPUInject, _service, irq, 0).x0;
}

typedef struct seL4_ARM_VCPU_ReadRegs {
    int error;
    seL4_Word value;
} seL4_ARM_VCPU_ReadRegs_t;

LIBSEL4_INLINE seL4_ARM_VCPU_ReadRegs_t seL4_ARM_VCPU_ReadRegs(seL4_ARM_VCPU _service,
                                                               seL4_VCPUReg field)
{
    if (field == seL4_VCPUReg_ISR) {
        /* A register that is there: a bad capability has its error all the same. */
        return (seL4_ARM_VCPU_ReadRegs_t){
            (int)seL4_internal_call3(seL4_SysVCPURead, _service, seL4_VCPUReg_SCTLR, 0).x0, 0};
    }
    struct seL4_internal_result result = seL4_internal_call3(seL4_SysVCPURead, _service, field, 0);

    return (seL4_ARM_VCPU_ReadRegs_t){(int)result.x0, result.x1};
}

LIBSEL4_INLINE seL4_Error seL4_ARM_VCPU_WriteRegs(seL4_ARM_VCPU _service, seL4_VCPUReg field,
                                                  seL4_Word value)
{
    if (field == seL4_VCPUReg_ISR) { /* is only read */
        return (seL4_Error)seL4_ARM_VCPU_ReadRegs(_service, field).error;
    }
    return (seL4_Error)seL4_internal_call3(seL4_SysVCPUWrite, _service, field, value).x0;
}

LIBSEL4_INLINE seL4_Error seL4_ARM_VCPU_AckVPPI(seL4_ARM_VCPU _service, seL4_Word irq)
{
    return (seL4_Error)seL4_internal_call3(seL4_SysVCPUAckVPPI, _service, irq, 0).x0;
}

LIBSEL4_INLINE seL4_Error seL4_ARM_SMC_Call(seL4_ARM_SMC _service, seL4_ARM_SMCContext *smc_args,
                                            seL4_ARM_SMCContext *smc_response)
{
    const seL4_Word *args = (const seL4_Word *)smc_args;
    seL4_Word *response = (seL4_Word *)smc_response;
    seL4_IPCBuffer *buffer = seL4_GetIPCBuffer();

    for (int i = 0; i < 8; i++) {
        buffer->msg[i] = args[i];
    }
    seL4_Error error = (seL4_Error)seL4_internal_call3(seL4_SysSMC, _service, 0, 0).x0;
    if (error == seL4_NoError) {
        for (int i = 0; i < 8; i++) {
            response[i] = buffer->msg[i];
        }
    }
    return error;
}

/*
 * Cache maintenance of memory from `start` to `end`. Invalidation cleans as well, as it does on any
 * Arm hypervisor. `_service` is the PD's capability for its own address space: then the PD does it
 * by itself. Or it is cap_vspace of <cspace>, for an address space that may be another's: the
 * kernel does it then, and the range lies in one page.
 */
#define seL4_internal_cap_vspace 3

LIBSEL4_INLINE_FUNC seL4_Error seL4_internal_check_range(seL4_Word start, seL4_Word end)
{
    if (start >= end) {
        return seL4_InvalidArgument;
    }
    return end > seL4_UserTop ? seL4_IllegalOperation : seL4_NoError;
}

LIBSEL4_INLINE_FUNC seL4_Error seL4_internal_vspace(seL4_ARM_VSpace service, seL4_Word start,
                                                    seL4_Word end,
                                                    enum seL4_internal_vspace_operation operation)
{
    return (seL4_Error)seL4_internal_call(seL4_SysVSpace, service, start, end, operation, 0, 0, 0)
        .x0;
}

/* Each line of a range that has been checked. */
#define seL4_internal_for_lines(instruction, start, end)                                           \
    for (seL4_Word line = (start) & ~(LIBSEL4_BIT(CONFIG_L1_CACHE_LINE_SIZE_BITS) - 1);            \
         line < (end); line += LIBSEL4_BIT(CONFIG_L1_CACHE_LINE_SIZE_BITS)) {                      \
        asm volatile(instruction ", %0" : : "r"(line) : "memory");                                 \
    }

LIBSEL4_INLINE seL4_Error seL4_ARM_VSpace_CleanInvalidate_Data(seL4_ARM_VSpace _service,
                                                               seL4_Word start, seL4_Word end)
{
    if (_service != seL4_internal_cap_vspace) {
        return seL4_internal_vspace(_service, start, end, seL4_internal_vspace_clean_invalidate);
    }
    seL4_Error error = seL4_internal_check_range(start, end);

    if (error == seL4_NoError) {
        seL4_internal_for_lines("dc civac", start, end);
        asm volatile("dsb sy" ::: "memory");
    }
    return error;
}

LIBSEL4_INLINE seL4_Error seL4_ARM_VSpace_Invalidate_Data(seL4_ARM_VSpace _service, seL4_Word start,
                                                          seL4_Word end)
{
    return seL4_ARM_VSpace_CleanInvalidate_Data(_service, start, end);
}

LIBSEL4_INLINE seL4_Error seL4_ARM_VSpace_Clean_Data(seL4_ARM_VSpace _service, seL4_Word start,
                                                     seL4_Word end)
{
    if (_service != seL4_internal_cap_vspace) {
        return seL4_internal_vspace(_service, start, end, seL4_internal_vspace_clean);
    }
    seL4_Error error = seL4_internal_check_range(start, end);

    if (error == seL4_NoError) {
        seL4_internal_for_lines("dc cvac", start, end);
        asm volatile("dsb sy" ::: "memory");
    }
    return error;
}

LIBSEL4_INLINE seL4_Error seL4_ARM_VSpace_Unify_Instruction(seL4_ARM_VSpace _service,
                                                            seL4_Word start, seL4_Word end)
{
    if (_service != seL4_internal_cap_vspace) {
        return seL4_internal_vspace(_service, start, end, seL4_internal_vspace_unify);
    }
    seL4_Error error = seL4_internal_check_range(start, end);

    if (error == seL4_NoError) {
        seL4_internal_for_lines("dc cvau", start, end);
        asm volatile("dsb ish" ::: "memory");
        seL4_internal_for_lines("ic ivau", start, end);
        asm volatile("dsb ish\n isb" ::: "memory");
    }
    return error;
}
