/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The labels of fault messages, and a fault as a value of its own. */

#include <sel4/assert.h>
#include <sel4/functions.h>

typedef enum seL4_Fault_tag {
    seL4_Fault_NullFault = 0,
    seL4_Fault_CapFault = 1,
    seL4_Fault_UnknownSyscall = 2,
    seL4_Fault_UserException = 3,
    seL4_Fault_DebugException = 4, /* if there is CONFIG_HARDWARE_DEBUG_API */
    seL4_Fault_Timeout = 5,
    seL4_Fault_VMFault = 6,
    seL4_Fault_VGICMaintenance = 7,
    seL4_Fault_VCPUFault = 8,
    seL4_Fault_VPPIEvent = 9
} seL4_Fault_tag_t;

/* The words of a fault's message in their order, and behind them its label. */
typedef struct seL4_Fault {
    seL4_Uint64 words[14];
} seL4_Fault_t;

#define seL4_internal_fault_label 13

LIBSEL4_INLINE_FUNC seL4_Fault_t seL4_getFault(seL4_MessageInfo_t tag)
{
    seL4_Fault_t fault = {{0}};
    seL4_Word length = seL4_MessageInfo_get_length(tag);

    for (seL4_Word i = 0; i < length && i < seL4_internal_fault_label; i++) {
        fault.words[i] = seL4_GetMR((int)i);
    }
    fault.words[seL4_internal_fault_label] = seL4_MessageInfo_get_label(tag);
    return fault;
}

LIBSEL4_INLINE_FUNC seL4_Uint64 seL4_Fault_get_seL4_FaultType(seL4_Fault_t fault)
{
    return fault.words[seL4_internal_fault_label];
}

LIBSEL4_INLINE_FUNC seL4_Bool seL4_isTimeoutFault_tag(seL4_MessageInfo_t tag)
{
    return seL4_MessageInfo_get_label(tag) == seL4_Fault_Timeout;
}

#define seL4_internal_fault_field(kind, field, word)                                               \
    LIBSEL4_INLINE_FUNC seL4_Uint64 seL4_Fault_##kind##_get_##field(seL4_Fault_t fault)            \
    {                                                                                              \
        return fault.words[word];                                                                  \
    }

#define seL4_internal_fault_is(kind)                                                               \
    LIBSEL4_INLINE_FUNC seL4_Bool seL4_is##kind##_tag(seL4_MessageInfo_t tag)                      \
    {                                                                                              \
        return seL4_MessageInfo_get_label(tag) == seL4_Fault_##kind;                               \
    }

/* clang-format off */
seL4_internal_fault_field(VMFault, IP, seL4_VMFault_IP)
seL4_internal_fault_field(VMFault, Addr, seL4_VMFault_Addr)
seL4_internal_fault_field(VMFault, PrefetchFault, seL4_VMFault_PrefetchFault)
seL4_internal_fault_field(VMFault, FSR, seL4_VMFault_FSR)
seL4_internal_fault_field(UnknownSyscall, X0, seL4_UnknownSyscall_X0)
seL4_internal_fault_field(UnknownSyscall, X1, seL4_UnknownSyscall_X1)
seL4_internal_fault_field(UnknownSyscall, X2, seL4_UnknownSyscall_X2)
seL4_internal_fault_field(UnknownSyscall, X3, seL4_UnknownSyscall_X3)
seL4_internal_fault_field(UnknownSyscall, X4, seL4_UnknownSyscall_X4)
seL4_internal_fault_field(UnknownSyscall, X5, seL4_UnknownSyscall_X5)
seL4_internal_fault_field(UnknownSyscall, X6, seL4_UnknownSyscall_X6)
seL4_internal_fault_field(UnknownSyscall, X7, seL4_UnknownSyscall_X7)
seL4_internal_fault_field(UnknownSyscall, FaultIP, seL4_UnknownSyscall_FaultIP)
seL4_internal_fault_field(UnknownSyscall, SP, seL4_UnknownSyscall_SP)
seL4_internal_fault_field(UnknownSyscall, LR, seL4_UnknownSyscall_LR)
seL4_internal_fault_field(UnknownSyscall, SPSR, seL4_UnknownSyscall_SPSR)
seL4_internal_fault_field(UnknownSyscall, Syscall, seL4_UnknownSyscall_Syscall)
seL4_internal_fault_field(UserException, FaultIP, seL4_UserException_FaultIP)
seL4_internal_fault_field(UserException, Stack, seL4_UserException_SP)
seL4_internal_fault_field(UserException, SPSR, seL4_UserException_SPSR)
seL4_internal_fault_field(UserException, Number, seL4_UserException_Number)
seL4_internal_fault_field(UserException, Code, seL4_UserException_Code)
seL4_internal_fault_field(CapFault, IP, seL4_CapFault_IP)
seL4_internal_fault_field(CapFault, Addr, seL4_CapFault_Addr)
seL4_internal_fault_field(CapFault, InRecvPhase, seL4_CapFault_InRecvPhase)
seL4_internal_fault_field(CapFault, LookupFailureType, seL4_CapFault_LookupFailureType)
seL4_internal_fault_field(CapFault, MR4, seL4_CapFault_BitsLeft)
seL4_internal_fault_field(CapFault, MR5, seL4_CapFault_GuardMismatch_GuardFound)
seL4_internal_fault_field(CapFault, MR6, seL4_CapFault_GuardMismatch_BitsFound)
#if defined(CONFIG_HARDWARE_DEBUG_API)
seL4_internal_fault_field(DebugException, FaultIP, seL4_DebugException_FaultIP)
seL4_internal_fault_field(DebugException, ExceptionReason, seL4_DebugException_ExceptionReason)
seL4_internal_fault_field(DebugException, TriggerAddress, seL4_DebugException_TriggerAddress)
seL4_internal_fault_field(DebugException, BreakpointNumber, seL4_DebugException_BreakpointNumber)
seL4_internal_fault_is(DebugException)
#endif
seL4_internal_fault_field(Timeout, data, seL4_Timeout_Data)
seL4_internal_fault_field(Timeout, consumed, seL4_Timeout_Consumed)
seL4_internal_fault_field(VGICMaintenance, IDX, seL4_VGICMaintenance_IDX)
seL4_internal_fault_field(VCPUFault, HSR, seL4_VCPUFault_HSR)
seL4_internal_fault_field(VPPIEvent, irq, seL4_VPPIEvent_IRQ)

seL4_internal_fault_is(NullFault)
seL4_internal_fault_is(CapFault)
seL4_internal_fault_is(UnknownSyscall)
seL4_internal_fault_is(UserException)
seL4_internal_fault_is(VMFault)
