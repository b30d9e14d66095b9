/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Guests set breakpoints and watchpoints and step. These act on the vCPU that has set them alone:
 * not on another, and not on the PD that runs after it.
 */

#include <string.h>
#include "tests/kernel/common/check.h"

#define INPUT_CAP  1
#define REPLY_CAP  4
#define USER_WORDS (sizeof(seL4_UserContext) / sizeof(seL4_Word))
#define GUEST_RAM  0x40000000ul
#define GUEST_DATA (GUEST_RAM + 0x3000)
#define EL1H       0x3c5u /* interrupts and debug exceptions masked */
#define HSR_SMC(n) (0x5e000000u | (n))
#define EC(esr)    ((esr) >> 26 & 0x3f)

#define EC_BREAKPOINT_SAME 0x31u
#define EC_STEP_LOWER      0x32u
#define EC_STEP_SAME       0x33u
#define EC_WATCHPOINT_SAME 0x35u

#define ENABLED         1u
#define AT_EL1          (1u << 1)
#define AT_EL0          (2u << 1)
#define INSTRUCTION     (0xfu << 5) /* BAS */
#define STORE           (2u << 3)   /* LSC */
#define WORD            (0xfu << 5) /* BAS */
#define MDSCR_MDE       (1u << 15)
#define OSLSR_OSLM_OPEN 8u

extern const char guest_begin[], guest_end[], guest_set[], guest_get[], guest_disable[],
    guest_execute[], guest_executed[], guest_write[], guest_written[], guest_last[], guest_step[],
    guest_step_nop[], guest_step_load[], guest_step_id[], guest_stepped_id[];

static seL4_UserContext context;
static uint64_t label, hsr;
static volatile uint32_t victim;

static uint64_t guest(const char *routine)
{
    return GUEST_RAM + (uint64_t)(routine - guest_begin);
}

static void wait_exit(microkit_child vcpu)
{
    uint64_t badge;

    label = seL4_MessageInfo_get_label(seL4_Recv(INPUT_CAP, &badge, REPLY_CAP));
    hsr = microkit_mr_get(0);
    seL4_TCB_ReadRegisters(BASE_VM_TCB_CAP + vcpu, false, 0, USER_WORDS, &context);
}

static void run(microkit_child vcpu, const char *routine, uint64_t x0, uint64_t x1, uint64_t x2,
                uint64_t x3)
{
    context = (seL4_UserContext){
        .pc = guest(routine), .spsr = EL1H, .x0 = x0, .x1 = x1, .x2 = x2, .x3 = x3};
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + vcpu, true, 0, USER_WORDS, &context);
    wait_exit(vcpu);
}

static void go_on_at(microkit_child vcpu, uint64_t pc)
{
    context.pc = pc;
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + vcpu, true, 0, 1, &context);
}

static bool ended(unsigned how)
{
    return label == seL4_Fault_VCPUFault && (uint32_t)hsr == HSR_SMC(how);
}

/* The last exit was by an exception of this class, at this instruction. */
static bool took(unsigned class, uint64_t where)
{
    return ended(2) && EC(context.x0) == class && context.x1 == where;
}

static void set(microkit_child vcpu, uint64_t execute, uint64_t execute_control, uint64_t write,
                uint64_t write_control)
{
    run(vcpu, guest_set, execute, execute_control, write, write_control);
}

static void check_registers(void)
{
    run(0, guest_get, 1, 1, 1, 1);
    check("debug_registers_begin_as_zero",
          ended(1) && (context.x0 | context.x1 | context.x2 | context.x3 | context.x4) == 0);
    run(0, guest_last, 0x1230, 0, 0x4560, 0);
    check("debug_registers_as_promised", ended(1) && context.x0 == 0x1230 && context.x2 == 0x4560 &&
                                             (context.x1 >> 12 & 0xf) >= 5 &&
                                             (context.x1 >> 20 & 0xf) >= 3);
    check_equal("os_lock_is_open", context.x3, OSLSR_OSLM_OPEN);
}

static void check_breakpoint(void)
{
    set(0, guest(guest_executed), ENABLED | AT_EL1 | INSTRUCTION, 0, 0);
    check("set_while_in_use", ended(1));
    run(0, guest_execute, 0, 0, 0, 0);
    check("breakpoint_hits", took(EC_BREAKPOINT_SAME, guest(guest_executed)));
    run(0, guest_execute, 0, 0, 0, 0);
    check("handler_has_disabled_it", ended(1));
}

static void check_watchpoint(void)
{
    set(0, 0, 0, GUEST_DATA, ENABLED | AT_EL1 | STORE | WORD);
    run(0, guest_write, GUEST_DATA + 8, 0, 0, 0);
    check("watchpoint_elsewhere_does_not_hit", ended(1));
    run(0, guest_write, GUEST_DATA, 0, 0, 0);
    check("watchpoint_hits", took(EC_WATCHPOINT_SAME, guest(guest_written)));
}

static void check_other_vcpu(void)
{
    set(0, guest(guest_executed), ENABLED | AT_EL1 | INSTRUCTION, GUEST_DATA,
        ENABLED | AT_EL1 | STORE | WORD);
    run(1, guest_execute, 0, 0, 0, 0);
    check("breakpoint_of_another_does_not_hit", ended(1));
    run(1, guest_write, GUEST_DATA, 0, 0, 0);
    check("watchpoint_of_another_does_not_hit", ended(1));
    run(1, guest_get, 0, 0, 0, 0);
    check("another_sees_nothing",
          ended(1) && (context.x0 | context.x1 | context.x2 | context.x3 | context.x4) == 0);
    set(1, GUEST_RAM, ENABLED | AT_EL1 | INSTRUCTION, 0, 0);
    run(0, guest_execute, 0, 0, 0, 0);
    check("breakpoint_hits_after_another_ran", took(EC_BREAKPOINT_SAME, guest(guest_executed)));
    run(1, guest_disable, 0, 0, 0, 0);
    run(0, guest_get, 0, 0, 0, 0);
    check("registers_outlast_another",
          ended(1) && context.x0 == guest(guest_executed) && context.x2 == GUEST_DATA);
    run(1, guest_get, 0, 0, 0, 0);
    check("registers_outlast_disabling", ended(1) && context.x0 == GUEST_RAM);
}

static __attribute__((noinline)) uint32_t write_victim(uint32_t value)
{
    victim = value;
    return victim;
}

/* A guest aims at the PD: at its function and its variable. */
static void check_pd(void)
{
    set(0, (uint64_t)write_victim, ENABLED | AT_EL0 | AT_EL1 | INSTRUCTION, (uint64_t)&victim,
        ENABLED | AT_EL0 | AT_EL1 | STORE | WORD);
    check_equal("pd_is_not_hit", write_victim(7), 7);
    run(0, guest_get, 0, 0, 0, 0);
    check("breakpoints_are_on_again", ended(1) && (context.x4 & MDSCR_MDE));
    check_equal("pd_is_not_hit_again", write_victim(8), 8);
    run(0, guest_disable, 0, 0, 0, 0);
}

static void check_steps(void)
{
    run(0, guest_step, guest(guest_step_nop), 0, 0, 0);
    check("step", took(EC_STEP_LOWER, guest(guest_step_nop) + 4));

    /* An access that a monitor emulates is a step. */
    run(0, guest_step, guest(guest_step_load), 0, 0, 0);
    check("step_exits", label == seL4_Fault_VMFault && context.pc == guest(guest_step_load));
    go_on_at(0, context.pc + 4);
    wait_exit(0);
    check("step_over_what_is_emulated", took(EC_STEP_LOWER, guest(guest_step_load) + 4));

    /* The same with another vCPU in between. */
    run(0, guest_step, guest(guest_step_load), 0, 0, 0);
    uint64_t pc = context.pc;
    run(1, guest_execute, 0, 0, 0, 0);
    check("step_is_not_anothers", ended(1));
    go_on_at(0, pc + 4);
    wait_exit(0);
    check("step_outlasts_another", took(EC_STEP_LOWER, guest(guest_step_load) + 4));

    /* Executed again, it still is to be stepped. */
    run(0, guest_step, guest(guest_step_load), 0, 0, 0);
    pc = context.pc;
    go_on_at(0, pc);
    wait_exit(0);
    check("step_exits_again", label == seL4_Fault_VMFault && context.pc == pc);

    run(0, guest_step_id, 0, 0, 0, 0);
    check("step_over_what_the_kernel_emulates",
          took(EC_STEP_SAME, guest(guest_stepped_id) + 4) && context.x2 != 0);
}

void init(void)
{
    memcpy((void *)GUEST_RAM, guest_begin, (size_t)guest_end - (size_t)guest_begin);
    for (uint64_t line = GUEST_RAM; line < GUEST_DATA; line += 16) {
        __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0" : : "r"(line) : "memory");
    }
    __asm__ volatile("dsb ish\n isb" ::: "memory");
    for (microkit_child vcpu = 0; vcpu < 2; vcpu++) {
        microkit_vcpu_arm_write_reg(vcpu, seL4_VCPUReg_VBAR, GUEST_RAM);
    }
    check_registers();
    check_breakpoint();
    check_watchpoint();
    check_other_vcpu();
    check_pd();
    check_steps();
    done();
}

void notified(microkit_channel ch)
{
    (void)ch;
}
