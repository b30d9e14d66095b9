/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sel4/config.h>

/*
 * The kernel's calls. A PD puts the number into x7 and executes SVC; arguments are in x0 to x5,
 * results in x0 and x1, the words of messages in the IPC buffer. x0 to x18 and x30 are lost.
 *
 *   call            x0               x1              x2      x3       returns x0, x1
 *   Call            endpoint         message info                     0, message info
 *   ReplyRecv       source           message info    reply            badge, message info
 *   NBSendRecv      source           message info    reply   dest     badge, message info
 *   Send            dest             message info                     -
 *   Recv, NBRecv    source                           reply            badge, message info
 *   Yield                                                             -
 *   DebugPutChar    character                                         -
 *   IRQAck          handler                                           error
 *   TCBRead         thread           suspend         count            error; words in the buffer
 *   TCBWrite        thread           resume          count   words 0..3 in x3 to x6;
 *                                    words 4 and up in the buffer     error
 *   TCBSuspend      thread                                            error
 *   TCBResume       thread                                            error
 *   VCPUInject      vCPU             interrupt                        error
 *   VCPURead        vCPU             register                         error, value
 *   VCPUWrite       vCPU             register        value            error
 *   VCPUAckVPPI     vCPU             INTID                            error
 *   SMC             capability       x0 to x7 in the buffer           error; words in the buffer
 *   TCBSetPriority  thread           priority        authority x3     error
 *   DebugHalt                                                         -
 *   SchedContext    context          operation       thread           error, microseconds
 *   VSpace          address space    start           end     op. x3   error
 *   Benchmark       operation        thread                           0; words in the buffer
 *
 * A source, reply or dest is a capability's number, as microkit.h counts them. An interrupt to be
 * injected is INTID | priority << 16 | group << 24 | list register << 32. TCBSetPriority sets a
 * thread's own priority if x3 is 0, otherwise the highest that it can give. SchedContext and VSpace
 * are for the capabilities of <cspace>. Benchmark is there in benchmark configs. Their operations
 * are below.
 */
typedef enum {
    seL4_SysCall = 0,
    seL4_SysReplyRecv,
    seL4_SysNBSendRecv,
    seL4_SysSend,
    seL4_SysRecv,
    seL4_SysNBRecv,
    seL4_SysYield,
    seL4_SysDebugPutChar,
    seL4_SysIRQAck,
    seL4_SysTCBRead,
    seL4_SysTCBWrite,
    seL4_SysTCBSuspend,
    seL4_SysTCBResume,
    seL4_SysVCPUInject,
    seL4_SysVCPURead,
    seL4_SysVCPUWrite,
    seL4_SysVCPUAckVPPI,
    seL4_SysSMC,
    seL4_SysTCBSetPriority,
    seL4_SysDebugHalt,
    seL4_SysSchedContext,
    seL4_SysVSpace,
#if defined(CONFIG_BENCHMARK_TRACK_UTILISATION)
    seL4_SysBenchmark,
#endif
    seL4_SysCount
} seL4_Syscall_ID;

enum seL4_internal_sc_operation {
    seL4_internal_sc_consumed,
    seL4_internal_sc_bind,
    seL4_internal_sc_unbind,
    seL4_internal_sc_unbind_object,
    seL4_internal_sc_yield_to,
};

enum seL4_internal_vspace_operation {
    seL4_internal_vspace_clean,
    seL4_internal_vspace_clean_invalidate,
    seL4_internal_vspace_unify,
};

enum seL4_internal_benchmark_operation {
    seL4_internal_benchmark_null,
    seL4_internal_benchmark_reset_log,
    seL4_internal_benchmark_finalize_log,
    seL4_internal_benchmark_get,
    seL4_internal_benchmark_reset,
};
