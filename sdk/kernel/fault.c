/* SPDX-License-Identifier: BSD-2-Clause */

#include "fault.h"

#include "ipc.h"
#include "registers.h"
#include "uart.h"

/* ---- Reports ---- */

static const char *abort_cause(uint64_t esr)
{
    static const char *const causes[64] = {
        [FSC_ADDRESS_SIZE] = "address size fault", [FSC_TRANSLATION] = "nothing is mapped there",
        [FSC_ACCESS_FLAG] = "access flag fault",   [FSC_PERMISSION] = "no permission",
        [FSC_EXTERNAL] = "external abort",         [FSC_EXTERNAL_WALK] = "external abort",
        [FSC_TYPE(FSC_ALIGNMENT)] = "misaligned",
    };
    const char *cause = causes[FSC_TYPE(ISS_FSC(esr))];

    return cause != NULL ? cause : "abort";
}

static const char *exception_cause(uint64_t esr)
{
    static const char *const causes[64] = {
        [EC_UNKNOWN] = "undefined instruction",
        [EC_WFX] = "WFI or WFE",
        [EC_FP] = "FP or SIMD instruction, which it may not use",
        [EC_SVC64] = "unknown system call",
        [EC_SYS64] = "access to a system register",
        [EC_ILLEGAL_STATE] = "illegal execution state",
        [EC_PC_ALIGNMENT] = "misaligned program counter",
        [EC_SP_ALIGNMENT] = "misaligned stack pointer",
        [EC_FP_EXCEPTION] = "floating-point exception",
        [EC_SERROR] = "asynchronous external abort",
        [EC_BRK64] = "BRK instruction",
    };
    const char *cause = causes[ESR_EC(esr)];

    return cause != NULL ? cause : "exception";
}

static void report_registers(const struct thread *thread)
{
    for (uint64_t i = 0; i < 31; i++) {
        kprint(i < 10 ? " x%u  %p" : " x%u %p", i, register_read(thread, (unsigned)i));
        if (i % 4 == 3 || i == 30) {
            kprint("\n");
        }
    }
}

/* The first lines: which PD, as Microkit's monitor says it for debugging, and what it has done. */
static void report_cause(const struct thread *thread)
{
    const struct message *message = &thread->message;
    const uint64_t *word = message->fault;

#ifdef CONFIG_PRINTING
    kprint("\nMON|ERROR: faulting PD: %s", thread->config->name);
#endif
    kprint("\nkernel: PD '%s' has faulted and is stopped: ", thread->config->name);
    switch (message->info >> 12) {
    case seL4_Fault_VMFault:
        kprint("%s 0x%x: %s\n",
               word[seL4_VMFault_PrefetchFault]          ? "executing at"
               : (word[seL4_VMFault_FSR] & ISS_WNR) != 0 ? "writing to"
                                                         : "reading from",
               word[seL4_VMFault_Addr], abort_cause(word[seL4_VMFault_FSR]));
        break;
    case seL4_Fault_CapFault:
        kprint("capability %u, which it does not have\n", word[seL4_CapFault_Addr]);
        break;
    case seL4_Fault_UnknownSyscall:
        kprint("unknown system call %u\n", thread->regs.x7);
        break;
    default:
        kprint("%s\n", exception_cause(read_sysreg(esr_el2)));
        break;
    }
}

static void report(const struct thread *thread)
{
    report_cause(thread);
    if (thread->message.info >> 12 == seL4_Fault_CapFault) {
        kprint(" pc  %p sp  %p\n", thread->regs.pc, thread->regs.sp);
        return; /* the others are not saved in a call */
    }
    kprint(" pc  %p sp  %p spsr %x esr %x far %x\n", thread->regs.pc, thread->regs.sp,
           thread->regs.spsr, read_sysreg(esr_el2), read_sysreg(far_el2));
    report_registers(thread);
}

/* ---- Sending ---- */

static void send(struct cpu *cpu, struct thread *thread)
{
    if (thread->parent != NULL) {
        thread->is_faulted = true;
        ipc_send(cpu, thread, thread->parent);
        return;
    }
    report(thread);
    thread_suspend(thread);
}

void fault_raise_slowpath(struct cpu *cpu, uint64_t info, uint64_t word0, uint64_t word1,
                          uint64_t word2, uint64_t word3)
{
    struct thread *thread = cpu->current;

    thread->message = (struct message){thread->fault_badge, info, {word0, word1, word2, word3}};
    send(cpu, thread);
}

void fault_raise_syscall(struct cpu *cpu)
{
    struct thread *thread = cpu->current;

    thread->regs.pc -= 4; /* at the instruction, like any fault's */
    thread->message.badge = thread->fault_badge;
    thread->message.info = (uint64_t)seL4_Fault_UnknownSyscall << 12 | seL4_UnknownSyscall_Length;
    send(cpu, thread);
}

/* ---- The message's words, and the answer's ---- */

void fault_write(const struct thread *thread, seL4_Word *words)
{
    const struct message *message = &thread->message;
    const uint64_t *fault = message->fault;

    switch (message->info >> 12) {
    case seL4_Fault_UnknownSyscall:
        for (unsigned i = 0; i < 8; i++) {
            words[seL4_UnknownSyscall_X0 + i] = register_read(thread, i);
        }
        words[seL4_UnknownSyscall_FaultIP] = thread->regs.pc;
        words[seL4_UnknownSyscall_SP] = thread->regs.sp;
        words[seL4_UnknownSyscall_LR] = thread->regs.pc + 4;
        words[seL4_UnknownSyscall_SPSR] = thread->regs.spsr;
        words[seL4_UnknownSyscall_Syscall] = thread->regs.x7;
        break;
    case seL4_Fault_UserException:
        words[seL4_UserException_Code] = 0;
        /* fall through */
    default:
        words[0] = fault[0];
        words[1] = fault[1];
        words[2] = fault[2];
        words[3] = fault[3];
        break;
    }
}

bool fault_reply(struct thread *thread, const seL4_Word *words, uint64_t info)
{
    /* Where in a thread's registers the words of such an answer go. */
    static const uint8_t exception_at[] = {0, 1, 2};
    static const uint8_t syscall_at[] = {3, 4, 5, 6, 7, 8, 9, 10, 0, 1, UINT8_MAX, 2};
    uint64_t label = thread->message.info >> 12;
    bool is_syscall = label == seL4_Fault_UnknownSyscall;
    const uint8_t *at = is_syscall ? syscall_at : exception_at;
    uint64_t count = is_syscall ? sizeof syscall_at : sizeof exception_at;

    if (!is_syscall && label != seL4_Fault_UserException) {
        return label != seL4_Fault_DebugException || info >> 12 == 0;
    }
    for (uint64_t i = 0; i < (info & 0x7f) && i < count; i++) {
        if (at[i] != UINT8_MAX) {
            ((uint64_t *)&thread->regs)[at[i]] = words[i];
        }
    }
    thread->regs.spsr = thread_sanitize_spsr(thread, thread->regs.spsr);
    return info >> 12 == 0;
}
