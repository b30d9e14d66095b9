/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sel4/functions.h>
#include <sel4/syscall.h>

struct seL4_internal_result {
    seL4_Word x0;
    seL4_Word x1;
};

LIBSEL4_INLINE_FUNC struct seL4_internal_result
seL4_internal_call(seL4_Syscall_ID number, seL4_Word a0, seL4_Word a1, seL4_Word a2, seL4_Word a3,
                   seL4_Word a4, seL4_Word a5, seL4_Word a6)
{
    register seL4_Word x0 asm("x0") = a0;
    register seL4_Word x1 asm("x1") = a1;
    register seL4_Word x2 asm("x2") = a2;
    register seL4_Word x3 asm("x3") = a3;
    register seL4_Word x4 asm("x4") = a4;
    register seL4_Word x5 asm("x5") = a5;
    register seL4_Word x6 asm("x6") = a6;
    register seL4_Word x7 asm("x7") = number;

    asm volatile("svc #0"
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6), "+r"(x7)
                 :
                 : "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
                   "cc", "memory");
    return (struct seL4_internal_result){x0, x1};
}

/* The same for calls of up to three arguments: registers that carry nothing are not set. */
LIBSEL4_INLINE_FUNC struct seL4_internal_result
seL4_internal_call3(seL4_Syscall_ID number, seL4_Word a0, seL4_Word a1, seL4_Word a2)
{
    register seL4_Word x0 asm("x0") = a0;
    register seL4_Word x1 asm("x1") = a1;
    register seL4_Word x2 asm("x2") = a2;
    register seL4_Word x7 asm("x7") = number;

    asm volatile("svc #0"
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x7)
                 :
                 : "x3", "x4", "x5", "x6", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                   "x16", "x17", "x18", "x30", "cc", "memory");
    return (struct seL4_internal_result){x0, x1};
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_internal_received(struct seL4_internal_result result,
                                                              seL4_Word *sender)
{
    seL4_MessageInfo_t info = {{result.x1}};

    if (sender) {
        *sender = result.x0;
    }
    return info;
}

LIBSEL4_INLINE_FUNC void seL4_Send(seL4_CPtr dest, seL4_MessageInfo_t msgInfo)
{
    seL4_internal_call3(seL4_SysSend, dest, msgInfo.words[0], 0);
}

LIBSEL4_INLINE_FUNC void seL4_NBSend(seL4_CPtr dest, seL4_MessageInfo_t msgInfo)
{
    seL4_internal_call3(seL4_SysSend, dest, msgInfo.words[0], 0);
}

LIBSEL4_INLINE_FUNC void seL4_Signal(seL4_CPtr dest)
{
    seL4_internal_call3(seL4_SysSend, dest, 0, 0);
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_Call(seL4_CPtr dest, seL4_MessageInfo_t msgInfo)
{
    return seL4_internal_received(seL4_internal_call3(seL4_SysCall, dest, msgInfo.words[0], 0), 0);
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_Recv(seL4_CPtr src, seL4_Word *sender, seL4_CPtr reply)
{
    return seL4_internal_received(seL4_internal_call3(seL4_SysRecv, src, 0, reply), sender);
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_NBRecv(seL4_CPtr src, seL4_Word *sender,
                                                   seL4_CPtr reply)
{
    return seL4_internal_received(seL4_internal_call3(seL4_SysNBRecv, src, 0, reply), sender);
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_ReplyRecv(seL4_CPtr src, seL4_MessageInfo_t msgInfo,
                                                      seL4_Word *sender, seL4_CPtr reply)
{
    return seL4_internal_received(
        seL4_internal_call3(seL4_SysReplyRecv, src, msgInfo.words[0], reply), sender);
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_NBSendRecv(seL4_CPtr dest, seL4_MessageInfo_t msgInfo,
                                                       seL4_CPtr src, seL4_Word *sender,
                                                       seL4_CPtr reply)
{
    return seL4_internal_received(
        seL4_internal_call(seL4_SysNBSendRecv, src, msgInfo.words[0], reply, dest, 0, 0, 0),
        sender);
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_NBSendWait(seL4_CPtr dest, seL4_MessageInfo_t msgInfo,
                                                       seL4_CPtr src, seL4_Word *sender)
{
    return seL4_NBSendRecv(dest, msgInfo, src, sender, seL4_CapNull);
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_Wait(seL4_CPtr src, seL4_Word *sender)
{
    return seL4_Recv(src, sender, seL4_CapNull);
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_NBWait(seL4_CPtr src, seL4_Word *sender)
{
    return seL4_NBRecv(src, sender, seL4_CapNull);
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_Poll(seL4_CPtr src, seL4_Word *sender)
{
    return seL4_NBRecv(src, sender, seL4_CapNull);
}

LIBSEL4_INLINE_FUNC void seL4_Yield(void)
{
    seL4_internal_call3(seL4_SysYield, 0, 0, 0);
}

/* The forms that carry the first four words in variables instead of the IPC buffer. */

LIBSEL4_INLINE_FUNC void seL4_internal_set_mrs(const seL4_Word *mr0, const seL4_Word *mr1,
                                               const seL4_Word *mr2, const seL4_Word *mr3)
{
    const seL4_Word *mr[seL4_FastMessageRegisters] = {mr0, mr1, mr2, mr3};

    for (int i = 0; i < seL4_FastMessageRegisters; i++) {
        if (mr[i]) {
            seL4_SetMR(i, *mr[i]);
        }
    }
}

LIBSEL4_INLINE_FUNC void seL4_internal_get_mrs(seL4_Word *mr0, seL4_Word *mr1, seL4_Word *mr2,
                                               seL4_Word *mr3)
{
    seL4_Word *mr[seL4_FastMessageRegisters] = {mr0, mr1, mr2, mr3};

    for (int i = 0; i < seL4_FastMessageRegisters; i++) {
        if (mr[i]) {
            *mr[i] = seL4_GetMR(i);
        }
    }
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_CallWithMRs(seL4_CPtr dest, seL4_MessageInfo_t msgInfo,
                                                        seL4_Word *mr0, seL4_Word *mr1,
                                                        seL4_Word *mr2, seL4_Word *mr3)
{
    seL4_internal_set_mrs(mr0, mr1, mr2, mr3);
    seL4_MessageInfo_t info = seL4_Call(dest, msgInfo);
    seL4_internal_get_mrs(mr0, mr1, mr2, mr3);
    return info;
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_RecvWithMRs(seL4_CPtr src, seL4_Word *sender,
                                                        seL4_Word *mr0, seL4_Word *mr1,
                                                        seL4_Word *mr2, seL4_Word *mr3,
                                                        seL4_CPtr reply)
{
    seL4_MessageInfo_t info = seL4_Recv(src, sender, reply);
    seL4_internal_get_mrs(mr0, mr1, mr2, mr3);
    return info;
}

LIBSEL4_INLINE_FUNC seL4_MessageInfo_t seL4_ReplyRecvWithMRs(seL4_CPtr src,
                                                             seL4_MessageInfo_t msgInfo,
                                                             seL4_Word *sender, seL4_Word *mr0,
                                                             seL4_Word *mr1, seL4_Word *mr2,
                                                             seL4_Word *mr3, seL4_CPtr reply)
{
    seL4_internal_set_mrs(mr0, mr1, mr2, mr3);
    seL4_MessageInfo_t info = seL4_ReplyRecv(src, msgInfo, sender, reply);
    seL4_internal_get_mrs(mr0, mr1, mr2, mr3);
    return info;
}

#if defined(CONFIG_ENABLE_BENCHMARKS)
LIBSEL4_INLINE_FUNC void seL4_internal_benchmark(enum seL4_internal_benchmark_operation operation,
                                                 seL4_CPtr tcb)
{
    seL4_internal_call3(seL4_SysBenchmark, operation, tcb, 0);
}

/* Count on this core from now on. Idling begins at zero; threads have what they had. */
LIBSEL4_INLINE_FUNC seL4_Error seL4_BenchmarkResetLog(void)
{
    seL4_internal_benchmark(seL4_internal_benchmark_reset_log, 0);
    return seL4_NoError;
}

/* Count no more. There is no log, so its length is 0. */
LIBSEL4_INLINE_FUNC seL4_Word seL4_BenchmarkFinalizeLog(void)
{
    seL4_internal_benchmark(seL4_internal_benchmark_finalize_log, 0);
    return 0;
}

LIBSEL4_INLINE_FUNC void seL4_BenchmarkNullSyscall(void)
{
    seL4_internal_benchmark(seL4_internal_benchmark_null, 0);
}

/* Into the IPC buffer (sel4/benchmark_utilisation_types.h). It stays as it is if `tcb_cptr` is no
 * thread's capability. */
LIBSEL4_INLINE_FUNC void seL4_BenchmarkGetThreadUtilisation(seL4_Word tcb_cptr)
{
    seL4_internal_benchmark(seL4_internal_benchmark_get, tcb_cptr);
}

LIBSEL4_INLINE_FUNC void seL4_BenchmarkResetThreadUtilisation(seL4_Word tcb_cptr)
{
    seL4_internal_benchmark(seL4_internal_benchmark_reset, tcb_cptr);
}
#endif

#if defined(CONFIG_DEBUG_BUILD)
/* Stop the board, for good. */
LIBSEL4_INLINE_FUNC void seL4_DebugHalt(void)
{
    seL4_internal_call3(seL4_SysDebugHalt, 0, 0, 0);
}

/* Nothing here shows such a name: messages have those of the system description. */
LIBSEL4_INLINE_FUNC void seL4_DebugNameThread(seL4_CPtr tcb, const char *name)
{
    (void)tcb;
    (void)name;
}
#endif

#if defined(CONFIG_PRINTING)
LIBSEL4_INLINE_FUNC void seL4_DebugPutChar(char c)
{
    seL4_internal_call3(seL4_SysDebugPutChar, (seL4_Uint8)c, 0, 0);
}

LIBSEL4_INLINE_FUNC void seL4_DebugPutString(char *str)
{
    for (char *s = str; *s; s++) {
        seL4_DebugPutChar(*s);
    }
    seL4_DebugPutChar('\n');
}
#endif
