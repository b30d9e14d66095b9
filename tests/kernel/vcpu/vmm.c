/* SPDX-License-Identifier: BSD-2-Clause */

#include "vcpu.h"

#define TO_OTHER  1
#define TIMER     60
#define SECOND    5 /* the second vCPU's id */
#define VTIMER    27
#define TIMER_CTL 1

static uint64_t fault_word(unsigned word)
{
    return microkit_mr_get((uint8_t)word);
}

/* ---- Exits ---- */

static void test_unknown_call(void)
{
    start(0, guest_exits);
    wait_event();
    check_equal("hvc_badge", event_badge, BADGE_FAULT | 0);
    check_equal("hvc_label", event_label, seL4_Fault_UnknownSyscall);
    check_equal("hvc_number", fault_word(seL4_UnknownSyscall_Syscall), 1000);
    check_equal("hvc_x0", fault_word(seL4_UnknownSyscall_X0), 0x10);
    check_equal("hvc_x1", fault_word(seL4_UnknownSyscall_X1), 0x21);

    /* Answered with new registers, behind the call. */
    microkit_mr_set(seL4_UnknownSyscall_X0, 0x11);
    microkit_mr_set(seL4_UnknownSyscall_FaultIP, fault_word(seL4_UnknownSyscall_FaultIP) + 4);
    event_label = seL4_MessageInfo_get_label(
        seL4_ReplyRecv(INPUT_CAP, seL4_MessageInfo_new(0, 0, 0, seL4_UnknownSyscall_Length),
                       &event_badge, REPLY_CAP));
    check("smc_exits", is_smc(0, 0x12));
    check_equal("hvc_answer", registers(0).x0, 0x11);
}

static void test_sleep_exits(void)
{
    next(0);
    wait_event();
    check_equal("wfi_label", event_label, seL4_Fault_VCPUFault);
    check_equal("wfi_cause", fault_word(seL4_VCPUFault_HSR) >> 26, 1);
    check_equal("wfi_not_wfe", fault_word(seL4_VCPUFault_HSR) & 1, 0);
    next(0);
}

static void check_abort(const char *name, uint64_t address, uint64_t iss)
{
    /* ISV, SAS, SSE, SRT, SF, AR, WnR: what an access is emulated from. */
    const uint64_t mask = 0x1ffc040;

    check(name, event_label == seL4_Fault_VMFault && fault_word(seL4_VMFault_Addr) == address &&
                    fault_word(seL4_VMFault_IP) == guest_pc(0) &&
                    fault_word(seL4_VMFault_PrefetchFault) == 0 &&
                    fault_word(seL4_VMFault_FSR) >> 26 == 0x24 &&
                    (fault_word(seL4_VMFault_FSR) & mask) == iss);
}

static void test_aborts(void)
{
    wait_event();
    check_abort("abort_load", 0x50000004, 1 << 24 | 2 << 22 | 2 << 16);
    next(0);
    wait_event();
    check_abort("abort_store", 0x50000006, 1 << 24 | 1 << 22 | 3 << 16 | 1 << 6);

    /* As some monitors do: registers first, then an answer. */
    seL4_UserContext context = registers(0);
    context.pc += 4;
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP, false, 0, USER_WORDS, &context);
    event_label = seL4_MessageInfo_get_label(
        seL4_ReplyRecv(INPUT_CAP, seL4_MessageInfo_new(0, 0, 0, 0), &event_badge, REPLY_CAP));
    check_abort("abort_signed_load", 0x50000009, 1 << 24 | 0 << 22 | 1 << 21 | 30 << 16 | 1 << 15);
    next(0);
    wait_event();
    check("abort_fetch", event_label == seL4_Fault_VMFault &&
                             fault_word(seL4_VMFault_PrefetchFault) == 1 &&
                             fault_word(seL4_VMFault_Addr) == 0x50000000);
}

/* WFE may go on at once, when an event is there already; an emulator may make it so always. */
static void test_wfe(void)
{
    start(0, guest_wfe);
    wait_event();
    check("wfe_exits_or_goes_on",
          event_label == seL4_Fault_VCPUFault &&
              (is_smc(0, 0x12) || fault_word(seL4_VCPUFault_HSR) >> 25 == (1 << 1 | 1)));
}

static void test_quiet_registers(void)
{
    seL4_UserContext context;

    start(0, guest_quiet);
    wait_event();
    check("quiet_registers_do_not_exit", is_smc(0, 0x13));
    context = registers(0);
    check_equal("guest_mpidr", context.x1 & 0xff00ffffff, 0);
    check("guest_counters",
          context.x2 != 0 && context.x3 >= context.x2 && context.x3 - context.x2 < 100);

    start(SECOND, guest_quiet);
    wait_event();
    check("second_vcpu_exits", is_smc(SECOND, 0x13));
    check_equal("second_vcpu_mpidr", registers(SECOND).x1 & 0xff00ffffff, SECOND);
}

static void test_physical_timer(void)
{
    start(0, guest_physical_timer);
    wait_event();
    check_equal("physical_timer_exits", fault_word(seL4_VCPUFault_HSR) >> 26, 0x18);
}

/* ---- What a guest leaves behind ---- */

static void use_everything(void)
{
    static volatile uint64_t memory = 0x0123456789abcdef;
    uint64_t value;

    check_equal("pd_little_endian", *(volatile uint8_t *)&memory, 0xef);
    __asm__ volatile("dc civac, %0" : : "r"(&memory) : "memory");
    __asm__ volatile("fmov d0, #1.0\n fadd d0, d0, d0\n fmov %0, d0" : "=r"(value) : : "v0");
    check_equal("pd_may_use_fpu", value, 0x4000000000000000);
    __asm__ volatile("mrs %0, cntp_ctl_el0" : "=r"(value));
    check("pd_may_use_its_timer", (value & 1) == 0);
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(value));
    check_equal("pd_thread_pointer", value, 0);
    __asm__ volatile("mrs %0, tpidrro_el0" : "=r"(value));
    check_equal("pd_readonly_thread_pointer", value, 0);
}

static void test_poison(void)
{
    seL4_UserContext context;

    start(0, guest_poison);
    wait_event();
    check("poison_exits", is_smc(0, 0x15));
    use_everything();
    next(0);
    wait_event();
    check("poison_returns", is_smc(0, 0x16));
    context = registers(0);
    check_equal("guest_keeps_its_sctlr", context.x1 >> 24 & 5, 1);
    check_equal("guest_keeps_its_cpacr", context.x2, 0);
    check_equal("guest_keeps_its_thread_pointer", context.x3, context.x1);
    check_equal("thread_pointer_is_a_register", context.tpidr_el0, context.x1);
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_SCTLR, 0x30d00800);
}

/* ---- The virtual timer ---- */

static void test_timer(void)
{
    clear_results();
    start_with(0, guest_timer, ticks(100), 0);
    uint64_t begin = now();
    wait_event();
    check_equal("vppi_label", event_label, seL4_Fault_VPPIEvent);
    check_equal("vppi_interrupt", fault_word(seL4_VPPIEvent_IRQ), VTIMER);
    check_range("vppi_in_time", microseconds(now() - begin), 100, 120);

    microkit_vcpu_arm_inject_irq(0, VTIMER, 0, 0, 0);
    microkit_vcpu_restart(0, guest_pc(0));
    wait_event();
    check_equal("maintenance_label", event_label, seL4_Fault_VGICMaintenance);
    check_equal("maintenance_index", fault_word(seL4_VGICMaintenance_IDX), 0);
    check_equal("interrupt_was_taken", results[1], VTIMER);
    microkit_vcpu_arm_ack_vppi(0, VTIMER);
    microkit_vcpu_restart(0, guest_pc(0));
    wait_event();
    check("timer_guest_goes_on", is_smc(0, 0x17));
}

static void test_timer_mask(void)
{
    start(0, guest_timer_masked);
    wait_event();
    check_equal("vppi_though_interrupts_are_off", event_label, seL4_Fault_VPPIEvent);
    microkit_vcpu_restart(0, guest_pc(0));
    wait_event();
    check("vppi_not_again_until_acknowledged", is_smc(0, 0x18));

    /* Another vCPU's timer does not care. */
    start(SECOND, guest_timer_masked);
    wait_event();
    check_equal("vppi_of_second_vcpu", event_badge, BADGE_FAULT | SECOND);
    check_equal("vppi_of_second_vcpu_label", event_label, seL4_Fault_VPPIEvent);
    microkit_vcpu_stop(SECOND);

    next(0);
    wait_event();
    check("vppi_mask_is_the_vcpus", is_smc(0, 0x19));
    microkit_vcpu_arm_ack_vppi(0, VTIMER);
    microkit_vcpu_restart(0, guest_pc(0));
    wait_event();
    check("vppi_again_when_acknowledged", event_label == seL4_Fault_VPPIEvent);
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_CNTV_CTL, 0);
    microkit_vcpu_arm_write_reg(SECOND, seL4_VCPUReg_CNTV_CTL, 0);
    microkit_vcpu_arm_ack_vppi(0, VTIMER);
    microkit_vcpu_arm_ack_vppi(SECOND, VTIMER);
    check_equal("ack_of_another_interrupt", seL4_ARM_VCPU_AckVPPI(BASE_VCPU_CAP, 30),
                seL4_InvalidArgument);
    check("ack_of_no_interrupt", seL4_ARM_VCPU_AckVPPI(BASE_VCPU_CAP, 5000) != seL4_NoError);
}

/* A vCPU that does not run has no timer. */
static void test_parked_timer(void)
{
    start_with(0, guest_sleep, ticks(50), 0);
    wait_event();
    check_equal("sleep_exits", fault_word(seL4_VCPUFault_HSR) >> 26, 1);
    check_equal("parked_timer_is_on", microkit_vcpu_arm_read_reg(0, seL4_VCPUReg_CNTV_CTL) & 1, 1);
    uint64_t due = microkit_vcpu_arm_read_reg(0, seL4_VCPUReg_CNTV_CVAL);
    check_range("parked_timer_is_due", microseconds(due - now()), 1, 50);

    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(due + ticks(200)));
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"((uint64_t)TIMER_CTL));
    wait_event();
    check_equal("parked_timer_does_not_fire", event_badge, 1ull << TIMER);
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(0ul));
    microkit_irq_ack(TIMER);

    next(0);
    wait_event();
    check_equal("restarted_timer_fires", event_label, seL4_Fault_VPPIEvent);
    microkit_vcpu_arm_ack_vppi(0, VTIMER);
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_CNTV_CTL, 0);
    microkit_vcpu_restart(0, guest_pc(0));
    wait_event();
    check("timer_register_is_written", is_smc(0, 0x1b));
}

/* ---- Injection ---- */

static seL4_Error inject(microkit_child vcpu, uint16_t intid, uint8_t priority, uint8_t group,
                         uint8_t index)
{
    return seL4_ARM_VCPU_InjectIRQ(BASE_VCPU_CAP + vcpu, intid, priority, group, index);
}

static void take_interrupts(microkit_child vcpu, const char *name)
{
    uint64_t ended = 0;
    uint64_t taken = 0;

    clear_results();
    start_with(vcpu, guest_interrupts, 4, 0);
    for (unsigned i = 0; i < 4; i++) {
        wait_event();
        if (event_label == seL4_Fault_VGICMaintenance) {
            ended |= 1ull << fault_word(seL4_VGICMaintenance_IDX);
        }
        microkit_vcpu_restart(vcpu, guest_pc(vcpu));
    }
    wait_event();
    for (unsigned i = 1; i <= 4; i++) {
        taken |= 1ull << results[i];
    }
    check(name, is_smc(vcpu, 0x1c) && results[0] == 4 && taken == 0xfull << 40 && ended == 0xf);
}

static void test_injection(void)
{
    check("inject_four", inject(0, 40, 0, 0, 0) == 0 && inject(0, 41, 1, 0, 1) == 0 &&
                             inject(0, 42, 2, 0, 2) == 0 &&
                             inject(0, 43, 29, 0, 3) == 0); /* 29 << 3 is below PMR */
    check_equal("inject_index_range", inject(0, 44, 0, 0, 4), seL4_RangeError);
    check_equal("inject_index_range_high", inject(0, 44, 0, 0, 255), seL4_RangeError);
    check_equal("inject_intid_range", inject(0, 1024, 0, 0, 0), seL4_RangeError);
    check_equal("inject_special_intid", inject(0, 1020, 0, 0, 0), seL4_RangeError);
    check_equal("inject_no_interrupt", inject(0, 1023, 0, 0, 0), seL4_RangeError);
    check_equal("inject_twice", inject(0, 40, 0, 0, 1), seL4_DeleteFirst);
    check_equal("inject_again_in_its_place", inject(0, 40, 0, 0, 0), seL4_NoError);
    check_equal("inject_priority_range", inject(0, 44, 32, 0, 0), seL4_RangeError);
    check_equal("inject_group_range", inject(0, 44, 0, 2, 0), seL4_RangeError);
    take_interrupts(0, "interrupts_are_taken");
    check_equal("interrupts_by_priority", results[4], 43);

    /* Into a vCPU whose registers are not in the core, and others run before it does. */
    inject(SECOND, 43, 0, 0, 0);
    check_equal("inject_twice_not_loaded", inject(SECOND, 43, 1, 0, 1), seL4_DeleteFirst);
    inject(SECOND, 42, 1, 0, 1);
    inject(SECOND, 41, 2, 0, 2);
    inject(SECOND, 40, 3, 0, 3);
    start(0, guest_quiet);
    wait_event();
    take_interrupts(SECOND, "interrupts_of_a_vcpu_not_loaded");
}

/* What only waits in a list register can be replaced, */
static void test_replaced_interrupt(void)
{
    inject(0, 40, 0, 0, 2);
    check_equal("inject_over_pending", inject(0, 41, 0, 0, 2), seL4_NoError);
    inject(SECOND, 40, 0, 0, 2);
    start(SECOND, guest_quiet);
    wait_event();
    check_equal("inject_over_pending_not_loaded", inject(0, 43, 0, 0, 2), seL4_NoError);
    inject(0, 41, 0, 0, 0);
    inject(0, 42, 0, 0, 1);
    inject(0, 40, 0, 0, 3);
    take_interrupts(0, "inject_over_pending_replaces");
}

/* but not what is being handled. */
static void test_active_interrupt(void)
{
    inject(0, 40, 0, 0, 2);
    start(0, guest_acknowledge);
    wait_event();
    check("active_interrupt_is_taken", is_smc(0, 0x30) && registers(0).x1 == 40);
    check_equal("inject_over_active", inject(0, 41, 0, 0, 2), seL4_DeleteFirst);
    next(0);
    wait_event();
    check("active_interrupt_is_ended",
          event_label == seL4_Fault_VGICMaintenance && fault_word(seL4_VGICMaintenance_IDX) == 2);
}

/* ---- Registers ---- */

static const struct {
    uint8_t reg;    /* seL4_VCPUReg */
    uint8_t result; /* where guest_registers puts it */
    uint64_t value;
} cases[] = {
    {seL4_VCPUReg_TTBR0, 0, 0x0000000040008000},
    {seL4_VCPUReg_TTBR1, 1, 0x0001000040010000},
    {seL4_VCPUReg_TCR, 2, 0x0000000000800010},
    {seL4_VCPUReg_MAIR, 3, 0x00000000004404f0},
    {seL4_VCPUReg_CIDR, 4, 0x0000000000001234},
    {seL4_VCPUReg_ESR, 5, 0x0000000096000010},
    {seL4_VCPUReg_FAR, 6, 0xffff000012345678},
    {seL4_VCPUReg_TPIDR_EL1, 8, 0x1122334455667788},
    {seL4_VCPUReg_ELR_EL1, 9, 0x0000000040001000},
    {seL4_VCPUReg_SPSR_EL1, 10, 0x00000000600003c4},
    {seL4_VCPUReg_CNTV_CVAL, 11, 0x7fffffffffff0000},
    {seL4_VCPUReg_CNTKCTL_EL1, 12, 0x0000000000000002},
    {seL4_VCPUReg_SP_EL1, 14, 0x000000004000d000},
};
#define CASES (sizeof cases / sizeof cases[0])

static bool registers_are(microkit_child vcpu, uint64_t more)
{
    for (unsigned i = 0; i < CASES; i++) {
        if (microkit_vcpu_arm_read_reg(vcpu, cases[i].reg) != cases[i].value + more) {
            return false;
        }
    }
    return true;
}

static bool results_are(uint64_t more)
{
    for (unsigned i = 0; i < CASES; i++) {
        if (results[cases[i].result] != cases[i].value + more) {
            return false;
        }
    }
    return true;
}

static void test_registers(void)
{
    /* Written while another vCPU's are in the core. */
    for (unsigned i = 0; i < CASES; i++) {
        microkit_vcpu_arm_write_reg(SECOND, cases[i].reg, cases[i].value);
    }
    check("registers_read_back", registers_are(SECOND, 0));
    start(SECOND, guest_registers);
    wait_event();
    check("registers_exits", is_smc(SECOND, 0x1d));
    check("registers_reach_the_guest", results_are(0));
    check("registers_read_from_the_core", registers_are(SECOND, 1));

    /* Another vCPU in between. */
    start(0, guest_quiet);
    wait_event();
    check("registers_are_saved", registers_are(SECOND, 1));
    start(SECOND, guest_registers);
    wait_event();
    check("registers_are_restored", results_are(1));

    /* Written while they are in the core. */
    for (unsigned i = 0; i < CASES; i++) {
        microkit_vcpu_arm_write_reg(SECOND, cases[i].reg, cases[i].value + 5);
    }
    start(SECOND, guest_registers);
    wait_event();
    check("registers_written_in_the_core", results_are(5));

    microkit_vcpu_arm_write_reg(SECOND, seL4_VCPUReg_ISR, 5);
    check_equal("register_isr_is_read_only", microkit_vcpu_arm_read_reg(SECOND, seL4_VCPUReg_ISR),
                0);
    check("registers_beside_isr", registers_are(SECOND, 6));
    check("register_isr_of_no_vcpu",
          seL4_ARM_VCPU_ReadRegs(BASE_VCPU_CAP + 9, seL4_VCPUReg_ISR).error ==
              seL4_InvalidCapability);
    check("register_unknown",
          seL4_ARM_VCPU_ReadRegs(BASE_VCPU_CAP, seL4_VCPUReg_Num).error == seL4_InvalidArgument);
    check_equal("register_unknown_written",
                seL4_ARM_VCPU_WriteRegs(BASE_VCPU_CAP, seL4_VCPUReg_Num, 1), seL4_InvalidArgument);
    for (unsigned i = 0; i < CASES; i++) {
        microkit_vcpu_arm_write_reg(SECOND, cases[i].reg, 0);
    }
}

static void test_counter_offset(void)
{
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_CNTVOFF, 1000000);
    start(0, guest_quiet);
    wait_event();
    seL4_UserContext context = registers(0);
    check_range("counter_offset", context.x2 - context.x3, 999000, 1000000);
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_CNTVOFF, 0);
}

/* A guest's mode is its own, but only among those below the kernel's. */
static void test_modes(void)
{
    seL4_UserContext context = {0};

    context.pc = guest_address(guest_write);
    context.spsr = 0x3c9; /* EL2h */
    context.x0 = GUEST_RESULTS;
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP, true, 0, USER_WORDS, &context);
    wait_event();
    check("mode_el2_is_refused", is_smc(0, 0x1f) && (registers(0).spsr & 0xf) != 9);

    context.spsr = 0x3c4; /* EL1t */
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP, true, 0, USER_WORDS, &context);
    wait_event();
    check("mode_el1t", is_smc(0, 0x1f) && (registers(0).spsr & 0x1f) == 4);
}

/* PSTATE's bits of Armv8.1 and later: TCO, DIT, UAO, PAN, IL, SSBS, BTYPE. */
#define PSTATE_NEWER 0x03d01c00ul

static bool has_user32;

/* What else is in PSTATE is the guest's, where the processor has it. */
static void test_pstate(void)
{
    seL4_UserContext context = {0};
    uint64_t has = 0;

    context.spsr = 0xf00003c5 | PSTATE_NEWER | 1 << 21; /* and SS, which is a debugger's */
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP, false, 0, USER_WORDS, &context);
    check_equal("pstate_is_the_guests", registers(0).spsr, 0xf00003c5 | PSTATE_NEWER);

    context.pc = guest_address(guest_pstate);
    context.spsr = 0x900003c5 | 1 << 24 | 1 << 23 | 1 << 22 | 1 << 12; /* DIT, UAO, PAN, SSBS */
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP, true, 0, USER_WORDS, &context);
    wait_event();
    check("pstate_exits", is_smc(0, 0x32));
    context = registers(0);
    has_user32 = (context.x2 & 0xf) == 2;
    has |= (context.x0 >> 20 & 0xf) != 0 ? 1 << 22 : 0;
    has |= (context.x1 >> 4 & 0xf) != 0 ? 1 << 23 : 0;
    has |= (context.x2 >> 48 & 0xf) != 0 ? 1 << 24 : 0;
    has |= (context.x3 >> 4 & 0xf) != 0 ? 1 << 12 : 0;
    check_equal("pstate_reaches_the_guest", context.spsr, 0x900003c5 | has);

    /* As a load is emulated: the registers up to x0 are written back. */
    context.pc += 4;
    context.x0 = 1;
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP, true, 0, 4, &context);
    wait_event();
    check_equal("pstate_survives_an_exit", registers(0).spsr, 0x900003c5 | has);
}

/* 32-bit programs are for those processors that have them; to the others it is no mode at all. */
static void test_user32(void)
{
    seL4_UserContext context = {0};

    context.pc = guest_address(guest_user32);
    context.spsr = 0x3d0;
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP, true, 0, USER_WORDS, &context);
    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(now() + ticks(100)));
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"((uint64_t)TIMER_CTL));
    wait_event();
    if (has_user32) {
        check_equal("user32_runs", event_badge, 1ull << TIMER);
        check_equal("user32_mode", registers(0).spsr & 0x1f, 0x10);
    } else {
        check("user32_runs", is_smc(0, 0x33));
        check_equal("user32_mode", registers(0).spsr & 0x1f, 5);
        wait_event();
    }
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(0ul));
    microkit_irq_ack(TIMER);
    microkit_vcpu_stop(0);
}

/* ---- FP and SIMD ---- */

/* A PD's own. No compiled code here touches any of them (-mgeneral-regs-only). */
static void set_fpu(uint64_t value)
{
    __asm__ volatile("dup v8.2d, %0\n dup v15.2d, %0\n dup v31.2d, %0"
                     :
                     : "r"(value)
                     : "v8", "v15", "v31");
}

static bool fpu_is(uint64_t value)
{
    uint64_t a, b, c;

    __asm__ volatile("umov %0, v8.d[1]\n umov %1, v15.d[0]\n umov %2, v31.d[1]"
                     : "=r"(a), "=r"(b), "=r"(c));
    return a == value && b == value && c == value;
}

static void test_fpu(void)
{
    set_fpu(0x77);
    start_with(0, guest_fpu, 0x1111111100000001, 0);
    wait_event();
    check("fpu_exits", is_smc(0, 0x1e));
    check("fpu_of_pd_kept_from_guest", fpu_is(0x77));
    start_with(SECOND, guest_fpu, 0x2222222200000000, 0);
    wait_event();
    set_fpu(0x88);
    microkit_notify(TO_OTHER);
    wait_event();
    check("fpu_of_pd_kept_from_pds", fpu_is(0x88));
    next(0);
    wait_event();
    check_equal("fpu_kept_between_vcpus", registers(0).x0, 1);
    next(SECOND);
    wait_event();
    check_equal("fpu_kept_of_second_vcpu", registers(SECOND).x0, 1);
    microkit_notify(TO_OTHER);
    wait_event();
    check("fpu_of_pd_kept", fpu_is(0x88));
}

/* ---- Memory ---- */

/*
 * Guest-virtual 0x8000_0000 is guest-physical 0x4000_0000; the first GiBs are as they are. The
 * fourth's table is where there is no memory.
 */
static void make_tables(void)
{
    volatile uint64_t *table = (volatile uint64_t *)0x40010000;
    const uint64_t block = 1 | 1 << 10 | 3 << 8; /* AF, inner shareable, attribute 0 */

    table[0] = 0x00000000 | block;
    table[1] = 0x40000000 | block;
    table[2] = 0x40000000 | block;
    table[3] = 0x70000000 | 3;
    __asm__ volatile("dc civac, %0\n dsb sy" : : "r"(table) : "memory");
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_MAIR, 0xff);
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_TTBR0, 0x40010000);
    /* 32 bits, 4 KiB, cached; no TTBR1 */
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_TCR, 32 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23);
}

static void check_write_fault(const char *name, uint64_t address, uint64_t physical)
{
    start_with(0, guest_write, address, 0x55);
    wait_event();
    check(name, event_label == seL4_Fault_VMFault && fault_word(seL4_VMFault_Addr) == physical &&
                    (fault_word(seL4_VMFault_FSR) >> 6 & 1) == 1);
}

static void test_memory(void)
{
    check_write_fault("readonly_page", 0x60000050, 0x60000050);
    check_equal("readonly_page_is_permission", fault_word(seL4_VMFault_FSR) & 0x3c, 0x0c);
    make_tables();
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_SCTLR, 0x30d00801);
    check_write_fault("readonly_page_translated", 0xa0000050, 0x60000050);
    check_equal("readonly_page_translated_is_permission", fault_word(seL4_VMFault_FSR) & 0x3c,
                0x0c);
    check_write_fault("nothing_there_translated", 0x90000008, 0x50000008);
    clear_results();
    start_with(0, guest_write, 0x8000f000, 0x55);
    wait_event();
    check("translated_write", is_smc(0, 0x1f) && results[0] == 0x55);
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_SCTLR, 0x30d00800);
}

#ifndef GICV3
/* Tables in a device's registers: to read GICV's would acknowledge an interrupt. */
static void test_walk(void)
{
    make_tables();
    /* TTBR1 as TTBR0, both of 32 bits; what is read is the second entry, where GICC_IAR is. */
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_TCR, 32 | 32 << 16 | 2ul << 30);
    inject(0, 40, 0, 0, 2);
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_SCTLR, 0x30d00801);
    start_with(0, guest_walk, 0x8010000, 0xffffffff40000000);
    wait_event();
    check("walk_of_a_device_faults", event_label == seL4_Fault_VMFault &&
                                         (fault_word(seL4_VMFault_FSR) >> 7 & 1) == 1 &&
                                         (fault_word(seL4_VMFault_FSR) & 0x3c) == 0x0c &&
                                         fault_word(seL4_VMFault_Addr) >> 12 == 0x8010);
    check_equal("walk_takes_no_interrupt", inject(0, 41, 0, 0, 2), seL4_NoError);
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_SCTLR, 0x30d00800);
}
#endif

/* ---- Stop ---- */

static void wait_for_timer(uint64_t us)
{
    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(now() + ticks(us)));
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"((uint64_t)TIMER_CTL));
    wait_event();
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(0ul));
    microkit_irq_ack(TIMER);
}

static void test_stop(void)
{
    clear_results();
    start(0, guest_count);
    wait_for_timer(500);
    check_equal("guest_runs_beside", event_badge, 1ull << TIMER);
    microkit_vcpu_stop(0);
    uint64_t count = results[0];
    wait_for_timer(500);
    check("stopped_vcpu_does_not_run", count > 0 && results[0] == count);
    microkit_vcpu_restart(0, guest_pc(0));
    wait_for_timer(500);
    check("restarted_vcpu_runs", results[0] > count);

    /* Two vCPUs of one priority take turns. */
    results[0] = 0;
    start(SECOND, guest_fpu);
    wait_event();
    check("vcpus_take_turns", is_smc(SECOND, 0x1e));
    microkit_vcpu_stop(0);
    microkit_vcpu_stop(0);
    microkit_vcpu_stop(SECOND);
}

static void test_priority(void)
{
    const seL4_TCB tcb = BASE_VM_TCB_CAP + SECOND;

    check_equal("vcpu_priority_beyond_its_own", seL4_TCB_SetPriority(tcb, tcb, 51),
                seL4_RangeError);
    check_equal("vcpu_priority_lower", seL4_TCB_SetPriority(tcb, tcb, 49), seL4_NoError);
    clear_results();
    start(0, guest_count);
    start(SECOND, guest_quiet);
    wait_for_timer(20000);
    check("vcpu_of_lower_priority_waits", event_badge == 1ull << TIMER && results[0] > 0);
    check_equal("vcpu_priority_back", seL4_TCB_SetPriority(tcb, tcb, 50), seL4_NoError);
    wait_event();
    check("vcpu_of_equal_priority_runs", is_smc(SECOND, 0x13));
    microkit_vcpu_stop(0);
}

void init(void)
{
    copy_guest();
    test_unknown_call();
    test_sleep_exits();
    test_aborts();
    test_wfe();
    test_quiet_registers();
    test_poison();
    test_timer();
    test_timer_mask();
    test_parked_timer();
    test_injection();
    test_replaced_interrupt();
    test_registers();
    test_counter_offset();
    test_modes();
    test_fpu();
    test_memory();
    test_pstate();
    test_user32();
    test_stop();
    test_priority();
    /* What a real SDK does otherwise. */
    test_physical_timer();
    test_active_interrupt();
#ifndef GICV3
    test_walk();
#endif
    done();
}

void notified(microkit_channel ch)
{
    (void)ch;
}
