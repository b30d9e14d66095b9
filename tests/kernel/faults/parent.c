/* SPDX-License-Identifier: BSD-2-Clause */

#include "faults.h"

struct shared *shared;

#define CHILD  1
#define HASTY1 63
#define HASTY2 3

#define TO_CHILD    0
#define TO_HASTY1   1
#define TO_HASTY2   2
#define FROM_SERVER 3
#define TIMER       60

#define WORDS (sizeof(seL4_UserContext) / sizeof(seL4_Word))

static unsigned step;
static unsigned restarts; /* DO_RESTART */
static unsigned hasty;    /* how many of the hasty have faulted */

/* ---- What each fault must look like, and how it is answered ---- */

static uint64_t child_pc(void)
{
    seL4_UserContext context = {0};

    seL4_TCB_ReadRegisters(BASE_TCB_CAP + CHILD, false, 0, 1, &context);
    return context.pc;
}

/* A kernel that offers the debug registers tells breakpoints from other exceptions. */
static void check_breakpoint(microkit_msginfo info)
{
#ifdef CONFIG_HARDWARE_DEBUG_API
    uint64_t label = seL4_Fault_DebugException, wanted = seL4_SoftwareBreakRequest;
    uint64_t cause = microkit_mr_get(seL4_DebugException_ExceptionReason);
    uint64_t count = seL4_DebugException_ExceptionReason + 1;
    seL4_Fault_t fault = seL4_getFault(info);
    bool same = seL4_isDebugException_tag(info) &&
                seL4_Fault_DebugException_get_ExceptionReason(fault) == wanted &&
                seL4_Fault_DebugException_get_FaultIP(fault) == child_pc();
#else
    uint64_t label = seL4_Fault_VCPUFault, wanted = 0xf2000005;
    uint64_t cause = microkit_mr_get(seL4_VCPUFault_HSR);
    uint64_t count = seL4_VCPUFault_Length;
    bool same = seL4_Fault_VCPUFault_get_HSR(seL4_getFault(info)) == wanted;
#endif

    check_equal("breakpoint_label", microkit_msginfo_get_label(info), label);
    check_equal("breakpoint_cause", cause, wanted);
    check_equal("breakpoint_count", microkit_msginfo_get_count(info), count);
    check("breakpoint_as_a_value", same);
}

/* A kernel that has no debug registers for PDs says so. */
static bool breakpoints_are_as_many_as_said(void)
{
    bool good = true;
#if defined(CONFIG_HARDWARE_DEBUG_API) && seL4_NumHWBreakpoints == 0
    seL4_TCB tcb = BASE_TCB_CAP + CHILD;

    good = seL4_TCB_SetBreakpoint(tcb, 0, 0x200000, seL4_InstructionBreakpoint, 0,
                                  seL4_BreakOnRead) == seL4_RangeError &&
           seL4_TCB_GetBreakpoint(tcb, 0).error == seL4_RangeError &&
           seL4_TCB_UnsetBreakpoint(tcb, 0) == seL4_RangeError &&
           seL4_TCB_ConfigureSingleStepping(tcb, 0, 1).error == seL4_RangeError &&
           seL4_TCB_UnsetBreakpoint(tcb + 20, 0) == seL4_InvalidCapability;
#endif
    return good;
}

static void check_memory_fault(const char *name, microkit_msginfo info, uint64_t address,
                               uint64_t prefetch, bool write)
{
    uint64_t fsr = microkit_mr_get(seL4_VMFault_FSR);
    bool good = microkit_msginfo_get_label(info) == seL4_Fault_VMFault &&
                microkit_msginfo_get_count(info) == seL4_VMFault_Length &&
                microkit_mr_get(seL4_VMFault_Addr) == address &&
                microkit_mr_get(seL4_VMFault_PrefetchFault) == prefetch &&
                fsr >> 26 == (prefetch ? 0x20 : 0x24) &&
                (prefetch || ((fsr >> 6 & 1) != 0) == write) &&
                (!prefetch || microkit_mr_get(seL4_VMFault_IP) == address);

    check(name, good);
}

/* Let child go on behind the instruction that has faulted. */
static void skip_instruction(microkit_child child)
{
    seL4_UserContext context = {0};

    seL4_TCB_ReadRegisters(BASE_TCB_CAP + child, false, 0, 1, &context);
    context.pc += 4;
    seL4_TCB_WriteRegisters(BASE_TCB_CAP + child, false, 0, 1, &context);
}

/* Let it go on where it was to return to. */
static void return_from_call(microkit_child child)
{
    seL4_UserContext context = {0};

    seL4_TCB_ReadRegisters(BASE_TCB_CAP + child, false, 0, WORDS, &context);
    context.pc = context.x30;
    seL4_TCB_WriteRegisters(BASE_TCB_CAP + child, false, 0, 1, &context);
}

static void check_exception(microkit_msginfo info)
{
    check_equal("undefined_label", microkit_msginfo_get_label(info), seL4_Fault_UserException);
    check_equal("undefined_count", microkit_msginfo_get_count(info), seL4_UserException_Length);
    check_equal("undefined_number", microkit_mr_get(seL4_UserException_Number), 0x2000000);
    check_equal("undefined_code", microkit_mr_get(seL4_UserException_Code), 0);

    seL4_Fault_t fault = seL4_getFault(info);
    check("undefined_as_a_value",
          seL4_Fault_get_seL4_FaultType(fault) == seL4_Fault_UserException &&
              seL4_Fault_UserException_get_FaultIP(fault) == child_pc() &&
              seL4_Fault_UserException_get_Number(fault) == 0x2000000);
}

static void check_syscall(microkit_msginfo info)
{
    check_equal("syscall_label", microkit_msginfo_get_label(info), seL4_Fault_UnknownSyscall);
    check_equal("syscall_count", microkit_msginfo_get_count(info), seL4_UnknownSyscall_Length);
    check_equal("syscall_number", microkit_mr_get(seL4_UnknownSyscall_Syscall), 1000);
    check_equal("syscall_x0", microkit_mr_get(seL4_UnknownSyscall_X0), 11);
    check_equal("syscall_x1", microkit_mr_get(seL4_UnknownSyscall_X1), 22);
    check_equal("syscall_lr", microkit_mr_get(seL4_UnknownSyscall_LR),
                microkit_mr_get(seL4_UnknownSyscall_FaultIP) + 4);

    seL4_Fault_t fault = seL4_getFault(info);
    check("syscall_as_a_value", seL4_Fault_UnknownSyscall_get_X0(fault) == 11 &&
                                    seL4_Fault_UnknownSyscall_get_X1(fault) == 22 &&
                                    seL4_Fault_UnknownSyscall_get_X7(fault) == 1000 &&
                                    seL4_Fault_UnknownSyscall_get_FaultIP(fault) == child_pc() &&
                                    seL4_Fault_UnknownSyscall_get_LR(fault) == child_pc() + 4 &&
                                    seL4_Fault_UnknownSyscall_get_SP(fault) != 0 &&
                                    (seL4_Fault_UnknownSyscall_get_SPSR(fault) & 0x1f) == 0 &&
                                    seL4_Fault_UnknownSyscall_get_Syscall(fault) == 1000);
}

/* What was sent to was looked up nowhere: bits are left, and the rest says nothing. */
static void check_capability(microkit_msginfo info)
{
    seL4_Fault_t fault = seL4_getFault(info);

    check_equal("capability_lookup", seL4_Fault_CapFault_get_LookupFailureType(fault),
                microkit_mr_get(seL4_CapFault_LookupFailureType));
    check_equal("capability_bits_left", seL4_Fault_CapFault_get_MR4(fault),
                microkit_mr_get(seL4_CapFault_BitsLeft));
    check_equal("capability_as_a_value", seL4_Fault_CapFault_get_Addr(fault), 0x123456);
}

static seL4_Bool child_fault(microkit_msginfo info, microkit_msginfo *reply)
{
    *reply = microkit_msginfo_new(0, 0);
    switch (shared->command) {
    case DO_WRITE:
        check_memory_fault("fault_write", info, NOTHING_ADDRESS + 8, 0, true);
        skip_instruction(CHILD);
        return true;
    case DO_READ:
        check_memory_fault("fault_read", info, NOTHING_ADDRESS, 0, false);
        skip_instruction(CHILD);
        return true;
    case DO_EXECUTE:
        check_memory_fault("fault_execute", info, NOTHING_ADDRESS, 1, false);
        return_from_call(CHILD);
        return true;
    case DO_EXECUTE_DATA:
        check_memory_fault("fault_execute_data", info, DATA_ADDRESS, 1, false);
        return_from_call(CHILD);
        return true;
    case DO_WRITE_READONLY:
        check_memory_fault("fault_write_readonly", info, READONLY_ADDRESS + 3, 0, true);
        skip_instruction(CHILD);
        return true;
    case DO_UNDEFINED:
        check_exception(info);
        microkit_mr_set(seL4_UserException_FaultIP,
                        microkit_mr_get(seL4_UserException_FaultIP) + 4);
        *reply = microkit_msginfo_new(0, 1);
        return true;
    case DO_BREAKPOINT:
        check_breakpoint(info);
        skip_instruction(CHILD);
        return true;
    case DO_SYSCALL:
        check_syscall(info);
        microkit_mr_set(seL4_UnknownSyscall_X0, 100);
        microkit_mr_set(seL4_UnknownSyscall_X1, 23);
        microkit_mr_set(seL4_UnknownSyscall_FaultIP,
                        microkit_mr_get(seL4_UnknownSyscall_FaultIP) + 4);
        *reply = microkit_msginfo_new(0, seL4_UnknownSyscall_Length);
        return true;
    case DO_CAPABILITY:
        check_equal("capability_invoked", shared->result, seL4_InvalidCapability);
        check_equal("capability_label", microkit_msginfo_get_label(info), seL4_Fault_CapFault);
        check_equal("capability_number", microkit_mr_get(seL4_CapFault_Addr), 0x123456);
        check_equal("capability_sent", microkit_mr_get(seL4_CapFault_InRecvPhase), 0);
        check_capability(info);
        skip_instruction(CHILD);
        return true;
    case DO_RECEIVE:
        check_equal("receive_label", microkit_msginfo_get_label(info), seL4_Fault_CapFault);
        check_equal("receive_phase", microkit_mr_get(seL4_CapFault_InRecvPhase), 1);
        skip_instruction(CHILD);
        return true;
    case DO_MISALIGNED_PC:
        check_equal("misaligned_pc_label", microkit_msginfo_get_label(info), seL4_Fault_VCPUFault);
        return_from_call(CHILD);
        return true;
    case DO_RESTART:
        restarts++;
        if (restarts == 1) {
            return false; /* and nothing else: it stays stopped; see notified() */
        }
        microkit_pd_restart(CHILD, 0x200000);
        return false;
    }
    check("fault_expected", false);
    return false;
}

static seL4_Bool hasty_fault(microkit_child child)
{
    hasty++;
    if (hasty == 1) {
        check_equal("faults_by_priority", child, HASTY2);
    } else {
        check_equal("faults_one_after_the_other", child, HASTY1);
    }
    microkit_pd_stop(child);
    return false;
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    return child == CHILD ? child_fault(msginfo, reply_msginfo) : hasty_fault(child);
}

static void resume(microkit_child child)
{
#ifdef MICROKIT_MAX_USER_CAPS
    microkit_pd_resume(child);
#else
    seL4_TCB_Resume(BASE_TCB_CAP + child); /* an SDK of before microkit_pd_resume */
#endif
}

/* ---- The steps: the next one begins when everybody waits, or when the timer says ---- */

static void command(uint64_t what)
{
    shared->command = what;
    shared->result = 0;
    microkit_notify(TO_CHILD);
}

/* For steps in which child never waits. */
static void sleep_for_a_while(void)
{
    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(now() + 62500));
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(1ul));
}

static bool timer_is_set(void)
{
    uint64_t control;

    __asm__ volatile("mrs %0, cntp_ctl_el0" : "=r"(control));
    return control & 1;
}

/* What child has got after its fault was answered. */
static void check_resumed(uint64_t what)
{
    if (what == DO_UNDEFINED) {
        check_equal("undefined_answered", shared->result, 7);
    } else if (what == DO_SYSCALL) {
        check_equal("syscall_answered", shared->result, 123);
    }
}

static void test_registers(void)
{
    seL4_TCB tcb = BASE_TCB_CAP + CHILD;
    seL4_UserContext context = {0};

    check_equal("read_registers_none", seL4_TCB_ReadRegisters(tcb, false, 0, 0, &context),
                seL4_RangeError);
    check_equal("read_registers_too_many",
                seL4_TCB_ReadRegisters(tcb, false, 0, WORDS + 1, &context), seL4_RangeError);
    check_equal("write_registers_too_many",
                seL4_TCB_WriteRegisters(tcb, false, 0, WORDS + 1, &context), seL4_TruncatedMessage);
    check_equal("read_registers", seL4_TCB_ReadRegisters(tcb, true, 0, WORDS, &context),
                seL4_NoError);
    check("read_registers_values", context.x19 == 0x1919 && context.x28 == 0x2828 &&
                                       context.x9 == 0x99 && context.pc >= 0x200000 &&
                                       context.sp != 0);
    check_equal("read_registers_spsr", context.spsr & 0x1f, 0);
    context.x0 = 0x77;
    context.spsr = 0x3c5; /* EL1h, everything masked: not for a PD */
    check_equal("write_registers", seL4_TCB_WriteRegisters(tcb, true, 0, WORDS, &context),
                seL4_NoError);
    seL4_TCB_ReadRegisters(tcb, false, 0, 3, &context);
    check_equal("write_registers_spsr", context.spsr & 0x1f, 0);
    shared->go = 1;
}

static const uint8_t simple[] = {DO_WRITE,          DO_READ,      DO_EXECUTE,      DO_EXECUTE_DATA,
                                 DO_WRITE_READONLY, DO_UNDEFINED, DO_BREAKPOINT,   DO_SYSCALL,
                                 DO_CAPABILITY,     DO_RECEIVE,   DO_MISALIGNED_PC};

/* Steps that are about stopping and going on. */
static void stop_and_go(unsigned number)
{
    static uint64_t before;

    switch (number) {
    case 0:
        command(DO_RESTART);
        break;
    case 1:
        check_equal("fault_not_answered_stays_stopped", restarts, 1);
        resume(CHILD); /* into the same fault, which is answered by a restart */
        break;
    case 2:
        check_equal("resume_tries_again", restarts, 2);
        check_equal("restart_begins_anew", shared->starts, 2);
        before = shared->received;
        command(DO_NOTHING);
        break;
    case 3:
        check_equal("restart_handles_events", shared->received, before + 1);
        microkit_pd_stop(CHILD);
        command(DO_NOTHING);
        break;
    case 4:
        check_equal("stopped_receives_nothing", shared->received, before + 1);
        resume(CHILD);
        break;
    case 5:
        check_equal("resumed_receives_what_waited", shared->received, before + 2);
        command(DO_COUNT);
        sleep_for_a_while();
        break;
    case 6:
        microkit_pd_stop(CHILD);
        before = shared->count;
        check("running_child_counts", before > 0);
        sleep_for_a_while();
        break;
    case 7:
        check_equal("stopped_child_does_not_run", shared->count, before);
        resume(CHILD);
        resume(CHILD); /* it runs already: no harm */
        sleep_for_a_while();
        break;
    case 8:
        check("resumed_child_runs", shared->count > before);
        microkit_pd_restart(CHILD, 0x200000);
        break;
    case 9:
        check_equal("restart_of_a_running_child", shared->starts, 3);
        command(DO_REGISTERS);
        sleep_for_a_while();
        break;
    case 10:
        check("breakpoints_are_as_many_as_said", breakpoints_are_as_many_as_said());
        test_registers();
        break;
    case 11:
        check_equal("write_registers_result", shared->result, 0x77);
        command(DO_CALL);
        break;
    case 12: /* server has stopped it in the middle, see notified() */
        check_equal("stopped_in_a_call", shared->calls, 1);
        resume(CHILD);
        break;
    case 13:
        check_equal("resumed_calls_again", shared->calls, 2);
        check_equal("resumed_call_is_answered", shared->result, 7);
        microkit_notify(TO_HASTY1);
        microkit_notify(TO_HASTY2);
        check_equal("faults_wait", hasty, 0);
        break;
    case 14:
        check_equal("faults_all_arrive", hasty, 2);
        done();
        break;
    }
}

void init(void)
{
#ifdef CONFIG_DEBUG_BUILD
    seL4_DebugNameThread(BASE_TCB_CAP + CHILD, "child");
#endif
}

void notified(microkit_channel ch)
{
    static bool asleep;

    if (ch == FROM_SERVER) {
        microkit_pd_stop(CHILD);
        return;
    }
    if (ch == TIMER) {
        __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(0ul));
        microkit_irq_ack(TIMER);
        asleep = false;
    }
    if (asleep) {
        return;
    }
    if (step > 0 && step <= sizeof simple) {
        check_resumed(simple[step - 1]);
    }
    if (step < sizeof simple) {
        command(simple[step]);
    } else {
        stop_and_go(step - sizeof simple);
        asleep = timer_is_set();
    }
    step++;
}
