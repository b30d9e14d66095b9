/* SPDX-License-Identifier: BSD-2-Clause */

#include "tests/kernel/common/check.h"

/*
 * How many instructions the kernel's primitives take, from one side to the other and back, with
 * what libmicrokit adds. QEMU counts instructions as time: 2 ns each (-icount shift=1), and the
 * counter's tick is 16 ns.
 */

#define ROUNDS                1000
#define INSTRUCTIONS_PER_TICK 8

#define TO_SERVER  1
#define TO_PASSIVE 2
#define TO_LOWER   3
#define TIMER      60

#define GUEST_RAM 0x40000000ul
#define EC(hsr)   ((hsr) >> 26)

extern const char guest_begin[], guest_end[];

static unsigned phase;
static uint64_t begin;
static unsigned rounds;
static bool alternate; /* between two vCPUs */

static void report(const char *name, uint64_t ticks)
{
    say("measured ");
    say(name);
    say(": ");
    say_number((ticks * INSTRUCTIONS_PER_TICK + ROUNDS / 2) / ROUNDS);
    say("\n");
}

static void measure_calls(void)
{
    begin = now();
    for (unsigned i = 0; i < ROUNDS; i++) {
        microkit_notify(TO_LOWER);
    }
    report("notify_lower", now() - begin);

    begin = now();
    for (unsigned i = 0; i < ROUNDS; i++) {
        microkit_notify(TO_SERVER);
    }
    report("notify_higher_and_back", now() - begin);

    begin = now();
    for (unsigned i = 0; i < ROUNDS; i++) {
        microkit_ppcall(TO_SERVER, microkit_msginfo_new(0, 0));
    }
    report("call_and_back", now() - begin);

    begin = now();
    for (unsigned i = 0; i < ROUNDS; i++) {
        microkit_ppcall(TO_SERVER, microkit_msginfo_new(0, 8));
    }
    report("call_and_back_with_8_words", now() - begin);

    begin = now();
    for (unsigned i = 0; i < ROUNDS; i++) {
        microkit_ppcall(TO_PASSIVE, microkit_msginfo_new(0, 0));
    }
    report("call_to_passive_and_back", now() - begin);

    begin = now();
    for (unsigned i = 0; i < ROUNDS; i++) {
        microkit_vcpu_arm_read_reg(0, seL4_VCPUReg_TTBR0);
    }
    report("read_vcpu_register", now() - begin);
}

static void start_guest(microkit_child vcpu, uint64_t exits)
{
    seL4_UserContext context = {0};
    volatile char *to = (volatile char *)GUEST_RAM;

    /* cppcheck-suppress comparePointers ; two symbols of one section */
    for (const char *from = guest_begin; from < guest_end; from++) {
        *to++ = *from;
    }
    context.pc = GUEST_RAM;
    context.spsr = 0x3c5;
    context.x0 = exits;
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + vcpu, true, 0, sizeof context / sizeof(seL4_Word),
                            &context);
}

void init(void)
{
}

static void interrupt(void)
{
    if (rounds == 0) {
        begin = now();
    }
    if (rounds++ == ROUNDS) {
        report("interrupt_and_ack", now() - begin);
        __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(0ul));
    }
    /* Still asserted, it comes again as soon as it may. */
    microkit_deferred_irq_ack(TIMER);
}

void notified(microkit_channel ch)
{
    if (ch == TIMER) {
        interrupt();
        return;
    }
    switch (phase++) {
    case 0:
        measure_calls();
        break;
    case 1:
        rounds = 0;
        __asm__ volatile("msr cntp_cval_el0, xzr");
        __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(1ul));
        break;
    case 2:
        start_guest(0, ROUNDS);
        begin = now();
        break;
    case 3:
        alternate = true;
        start_guest(0, ROUNDS);
        start_guest(1, ROUNDS);
        microkit_vcpu_stop(1);
        begin = now();
        break;
    case 4:
        done();
        break;
    }
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    static uint64_t pc[2] = {0, GUEST_RAM};

    (void)reply_msginfo;
    if (microkit_msginfo_get_label(msginfo) == seL4_Fault_VMFault) {
        pc[child] = microkit_mr_get(seL4_VMFault_IP) + 4;
        if (alternate) {
            child ^= 1;
        }
        microkit_vcpu_restart(child, pc[child]);
    } else if (child == 0) {
        report(alternate ? "two_exits_of_two_vcpus" : "exit_and_restart", now() - begin);
    }
    return false;
}
