/* SPDX-License-Identifier: BSD-2-Clause */

#include "vcpu.h"

#include <microkit.h>
#include <stddef.h>
#include "lib/cpu.h"
#include "stats.h"

#define WORDS          (sizeof(seL4_UserContext) / sizeof(seL4_Word))
#define WORD_OF(field) (offsetof(seL4_UserContext, field) / sizeof(seL4_Word))

/* SCTLR_EL1 with MMU and caches off: RES1 bits of Armv8.0, CP15BEN, nTWI, nTWE. */
#define SCTLR_RESET 0x30d50820u

#define MPIDR_RES1 (1u << 31)

static struct {
    uint32_t count;
    uint8_t exited; /* the exit of this one is being handled, and will be answered; or VCPU_NONE */
    uint8_t moved;  /* this one, which has exited, goes on at `pc`; not written yet. Or VCPU_NONE */
    uint64_t pc;
    uint32_t woken; /* bit v: vCPU v is parked, and vcpu_start_woken is to start it */
    enum vcpu_state state[VMM_MAX_VCPUS];
    uint32_t exits[VMM_MAX_VCPUS]; /* that have begun to be handled */
} vcpus;

/* Where x0 .. x30 are in a seL4_UserContext. */
static const uint8_t word_of_register[31] = {
    WORD_OF(x0),  WORD_OF(x1),  WORD_OF(x2),  WORD_OF(x3),  WORD_OF(x4),  WORD_OF(x5),
    WORD_OF(x6),  WORD_OF(x7),  WORD_OF(x8),  WORD_OF(x9),  WORD_OF(x10), WORD_OF(x11),
    WORD_OF(x12), WORD_OF(x13), WORD_OF(x14), WORD_OF(x15), WORD_OF(x16), WORD_OF(x17),
    WORD_OF(x18), WORD_OF(x19), WORD_OF(x20), WORD_OF(x21), WORD_OF(x22), WORD_OF(x23),
    WORD_OF(x24), WORD_OF(x25), WORD_OF(x26), WORD_OF(x27), WORD_OF(x28), WORD_OF(x29),
    WORD_OF(x30),
};

/* For one exchange with the kernel; static, because clearing 288 bytes for each exit costs. */
static union {
    seL4_UserContext context;
    seL4_Word words[WORDS];
} scratch;

void vcpu_settle(uint8_t vcpu)
{
    if (vcpus.moved == vcpu) {
        vcpus.moved = VCPU_NONE;
        scratch.context.pc = vcpus.pc;
        seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + vcpu, seL4_False, 0, 1, &scratch.context);
    }
}

static void read_words(uint8_t vcpu, unsigned count)
{
    vcpu_settle(vcpu);
    seL4_TCB_ReadRegisters(BASE_VM_TCB_CAP + vcpu, seL4_False, 0, count, &scratch.context);
}

static void write_words(uint8_t vcpu, bool resume, unsigned count)
{
    resume = resume && vcpu != vcpus.exited;
    if (count > 0 && vcpus.moved == vcpu) {
        vcpus.moved = VCPU_NONE;
    }
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + vcpu, resume, 0, count, &scratch.context);
}

void vcpu_init(uint32_t count)
{
    vcpus.count = count;
    vcpus.woken = 0;
    vcpus.exited = VCPU_NONE;
    vcpus.moved = VCPU_NONE;
    for (unsigned i = 0; i < VMM_MAX_VCPUS; i++) {
        vcpus.state[i] = VCPU_OFF;
    }
}

uint32_t vcpu_count(void)
{
    return vcpus.count;
}

enum vcpu_state vcpu_state(uint8_t vcpu)
{
    return vcpus.state[vcpu];
}

static bool is_busy(enum vcpu_state state)
{
    return state == VCPU_ON || state == VCPU_RESETTING;
}

static void count_time(uint64_t *word, bool before, bool after, uint64_t now)
{
    if (before != after) {
        (after ? stats_begin : stats_end)(word, now);
    }
}

static void set_state(uint8_t vcpu, enum vcpu_state state)
{
    enum vcpu_state before = vcpus.state[vcpu];
    uint64_t now = cpu_counter();

    vcpus.state[vcpu] = state;
    count_time(&vmm_config.stats->vcpu_time, before != VCPU_OFF, state != VCPU_OFF, now);
    count_time(&vmm_config.stats->busy_time, is_busy(before), is_busy(state), now);
}

static void reset_system_registers(uint8_t vcpu, uint64_t counter_offset)
{
    static const uint8_t zeroed[] = {
        seL4_VCPUReg_CPACR,     seL4_VCPUReg_TTBR0,       seL4_VCPUReg_TTBR1,
        seL4_VCPUReg_TCR,       seL4_VCPUReg_MAIR,        seL4_VCPUReg_AMAIR,
        seL4_VCPUReg_CIDR,      seL4_VCPUReg_AFSR0,       seL4_VCPUReg_AFSR1,
        seL4_VCPUReg_ESR,       seL4_VCPUReg_FAR,         seL4_VCPUReg_VBAR,
        seL4_VCPUReg_ACTLR,     seL4_VCPUReg_TPIDR_EL1,   seL4_VCPUReg_SP_EL1,
        seL4_VCPUReg_ELR_EL1,   seL4_VCPUReg_SPSR_EL1,    seL4_VCPUReg_CNTV_CTL,
        seL4_VCPUReg_CNTV_CVAL, seL4_VCPUReg_CNTKCTL_EL1,
    };

    for (unsigned i = 0; i < sizeof(zeroed); i++) {
        microkit_vcpu_arm_write_reg(vcpu, zeroed[i], 0);
    }
    microkit_vcpu_arm_write_reg(vcpu, seL4_VCPUReg_SCTLR, SCTLR_RESET);
    microkit_vcpu_arm_write_reg(vcpu, seL4_VCPUReg_VMPIDR_EL2, MPIDR_RES1 | vcpu);
    microkit_vcpu_arm_write_reg(vcpu, seL4_VCPUReg_CNTVOFF, counter_offset);
}

static void begin(uint8_t vcpu, enum vcpu_state state, uint64_t entry, uint64_t x0,
                  uint64_t counter_offset)
{
    reset_system_registers(vcpu, counter_offset);
    set_state(vcpu, state);
    scratch.context =
        (seL4_UserContext){.pc = entry, .spsr = PSTATE_MODE_EL1H | PSTATE_DAIF, .x0 = x0};
    write_words(vcpu, true, WORDS);
}

void vcpu_power_on(uint8_t vcpu, uint64_t entry, uint64_t x0, uint64_t counter_offset)
{
    begin(vcpu, VCPU_ON, entry, x0, counter_offset);
}

void vcpu_reset(uint8_t vcpu, uint64_t entry, uint64_t x0)
{
    begin(vcpu, VCPU_RESETTING, entry, x0, 0);
}

/*
 * Stopping it withdraws its fault. seL4 would find a fault without an answer at each parking, and
 * its debug configuration prints that on the UART each time.
 */
static void stop(uint8_t vcpu, enum vcpu_state state)
{
    vcpu_settle(vcpu);
    microkit_vcpu_stop(vcpu);
    set_state(vcpu, state);
    if (vcpus.exited == vcpu) {
        vcpus.exited = VCPU_NONE;
    }
}

void vcpu_set_counter_offset(uint8_t vcpu, uint64_t counter_offset)
{
    microkit_vcpu_arm_write_reg(vcpu, seL4_VCPUReg_CNTVOFF, counter_offset);
}

void vcpu_power_off(uint8_t vcpu)
{
    stop(vcpu, VCPU_OFF);
    vcpus.woken &= ~(1u << vcpu);
}

void vcpu_park(uint8_t vcpu)
{
    stop(vcpu, VCPU_PARKED);
}

void vcpu_wake(uint8_t vcpu)
{
    if (vcpus.state[vcpu] == VCPU_PARKED) {
        vcpus.woken |= 1u << vcpu;
    }
}

bool vcpu_start_woken(void)
{
    bool any = vcpus.woken != 0;

    while (vcpus.woken) {
        uint8_t vcpu = (uint8_t)__builtin_ctz(vcpus.woken);

        vcpus.woken &= vcpus.woken - 1;
        set_state(vcpu, VCPU_ON);
        vcpu_continue(vcpu);
    }
    return any;
}

void vcpu_exit_begins(uint8_t vcpu)
{
    vcpus.exited = vcpus.state[vcpu] == VCPU_OFF ? VCPU_NONE : vcpu;
    vcpus.exits[vcpu]++;
}

bool vcpu_exit_ends(void)
{
    bool waits = vcpus.exited != VCPU_NONE;

    vcpus.exited = VCPU_NONE;
    return waits;
}

void vcpu_restart(uint8_t vcpu)
{
    scratch.context.pc = vcpus.pc;
    write_words(vcpu, true, vcpus.moved == vcpu ? 1 : 0);
}

bool vcpu_may_run(uint8_t vcpu)
{
    return vcpus.state[vcpu] == VCPU_ON && vcpus.exited != vcpu;
}

uint32_t vcpu_exit_count(uint8_t vcpu)
{
    return vcpus.exits[vcpu];
}

void vcpu_throttle(uint8_t vcpu)
{
    stop(vcpu, VCPU_THROTTLED);
}

void vcpu_unthrottle(uint8_t vcpu)
{
    if (vcpus.state[vcpu] == VCPU_THROTTLED) {
        set_state(vcpu, VCPU_ON);
        vcpu_continue(vcpu);
    }
}

uint64_t vcpu_get_register(uint8_t vcpu, unsigned number)
{
    if (number >= VCPU_REGISTER_ZERO) {
        return 0;
    }
    read_words(vcpu, word_of_register[number] + 1u);
    return scratch.words[word_of_register[number]];
}

uint64_t vcpu_get_pc(uint8_t vcpu)
{
    read_words(vcpu, WORD_OF(pc) + 1);
    return scratch.context.pc;
}

void vcpu_get_arguments(uint8_t vcpu, uint64_t *arguments, unsigned count)
{
    read_words(vcpu, WORD_OF(x0) + count);
    for (unsigned i = 0; i < count; i++) {
        arguments[i] = scratch.words[WORD_OF(x0) + i];
    }
}

struct vcpu_frame vcpu_get_frame(uint8_t vcpu)
{
    read_words(vcpu, WORD_OF(spsr) + 1);
    return (struct vcpu_frame){.pc = scratch.context.pc, .pstate = scratch.context.spsr};
}

/* Returns how many words were written into the scratch context. */
static unsigned prepare(uint8_t vcpu, uint64_t pc, unsigned number, uint64_t value)
{
    unsigned word;

    if (number >= VCPU_REGISTER_ZERO) {
        scratch.context.pc = pc;
        return 1;
    }
    word = word_of_register[number];
    read_words(vcpu, word); /* what lies before it is written back */
    scratch.context.pc = pc;
    scratch.words[word] = value;
    return word + 1;
}

void vcpu_set(uint8_t vcpu, uint64_t pc, unsigned number, uint64_t value)
{
    write_words(vcpu, false, prepare(vcpu, pc, number, value));
}

void vcpu_continue(uint8_t vcpu)
{
    if (vcpu != vcpus.exited) {
        write_words(vcpu, true, 0);
    }
}

void vcpu_resume(uint8_t vcpu, uint64_t pc)
{
    if (vcpu == vcpus.exited) {
        vcpus.moved = vcpu;
        vcpus.pc = pc;
        return;
    }
    scratch.context.pc = pc;
    write_words(vcpu, true, 1);
}

void vcpu_resume_with(uint8_t vcpu, uint64_t pc, unsigned number, uint64_t value)
{
    write_words(vcpu, true, prepare(vcpu, pc, number, value));
}

void vcpu_resume_with_arguments(uint8_t vcpu, uint64_t pc, const uint64_t *arguments,
                                unsigned count)
{
    read_words(vcpu, WORD_OF(x0));
    scratch.context.pc = pc;
    for (unsigned i = 0; i < count; i++) {
        scratch.words[WORD_OF(x0) + i] = arguments[i];
    }
    write_words(vcpu, true, WORD_OF(x0) + count);
}

void vcpu_resume_frame(uint8_t vcpu, struct vcpu_frame frame)
{
    read_words(vcpu, WORD_OF(spsr));
    scratch.context.pc = frame.pc;
    scratch.context.spsr = frame.pstate;
    write_words(vcpu, true, WORD_OF(spsr) + 1);
}
