/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/main.c vmm/fault.c vmm/abort.c vmm/boot.c vmm/console_port.c vmm/reset_program.c
 * SOURCES: vmm/entropy.c vmm/idle.c vmm/mmio.c vmm/pace.c vmm/pl011.c vmm/pl031.c vmm/psci.c
 * SOURCES: vmm/panic.c vmm/primecell.c vmm/shared.c vmm/smccc.c vmm/throttle.c
 * SOURCES: vmm/command.c vmm/freeze.c vmm/crash.c vmm/pvpanic.c vmm/watchdog.c vmm/timer.c
 * SOURCES: vmm/vcpu.c vmm/vm.c vmm/vgic.c vmm/vgic_lr.c vmm/vgic_registers.c vmm/vgic_v2.c
 * SOURCES: vmm/vgic_forward.c vmm/vgic_v3.c vmm/vgic_redistributor.c
 * SOURCES: lib/chacha20.c lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/fake_vm.c tests/unit/fake/fake_microkit.c
 * LIBS: -lcmocka
 *
 * PSCI calls of several vCPUs in any order, by SMC and HVC, and a person who restarts, stops and
 * pauses the machine meanwhile; against a model with the states off, pending and on. Who runs is
 * who runs in the model, each call has the model's result, and a vCPU that comes on begins where it
 * was told to. A call changes the PC and x0 alone. The fakes demand that each exit is answered or
 * withdrawn, and that nothing is done to a vCPU that runs.
 */

#include <microkit.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/control.h"
#include "tests/unit/fake/fake_vm.h"
#include "vmm/command.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define VCPUS 4u
#define STEPS 96u /* of an input at most */
#define ENTRY (FAKE_VM_KERNEL_GPA + 0x1000u)

#define EC_WFX 0x01u
#define EC_SMC 0x17u

#define SUCCESS            0
#define NOT_SUPPORTED      (-1)
#define INVALID_PARAMETERS (-2)
#define ALREADY_ON         (-4)
#define ON_PENDING         (-5)
#define INVALID_ADDRESS    (-9)
#define NO_RESULT          1000 /* the call does not return */

enum machine { OFF, RESETTING, RUNNING };
enum power { VCPU_IS_OFF, VCPU_IS_PENDING, VCPU_IS_ON };

static struct {
    enum machine machine;
    bool paused;
    bool pause_at_start;
    uint32_t vcpus;
    struct {
        enum power power;
        bool used; /* has been on: it is reset before it comes on again */
        bool runs; /* and does not wait, nor is paused */
        bool suspended;
        bool starts; /* comes on: its registers are to be looked at */
        uint64_t entry, context;
    } of[VCPUS];
} model;

static void demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- The model ---- */

static void comes_on(uint32_t vcpu, uint64_t entry, uint64_t context)
{
    model.of[vcpu].power = VCPU_IS_ON;
    model.of[vcpu].used = true;
    model.of[vcpu].runs = true;
    model.of[vcpu].suspended = false;
    model.of[vcpu].starts = true;
    model.of[vcpu].entry = entry;
    model.of[vcpu].context = context;
}

static void goes_off(uint32_t vcpu)
{
    model.of[vcpu].power = VCPU_IS_OFF;
    model.of[vcpu].runs = false;
    model.of[vcpu].suspended = false;
}

static void is_reset(uint32_t vcpu)
{
    model.of[vcpu].power = VCPU_IS_PENDING;
    model.of[vcpu].runs = true;
}

static void machine_stops(void)
{
    model.machine = OFF;
    model.paused = false;
    model.pause_at_start = false;
    for (uint32_t v = 0; v < model.vcpus; v++) {
        goes_off(v);
    }
}

static void machine_runs(void)
{
    model.machine = RUNNING;
    model.paused = model.pause_at_start;
    model.pause_at_start = false;
    comes_on(0, FAKE_VM_KERNEL_GPA, FAKE_VM_DTB_GPA);
}

static uint32_t count_of(enum power power)
{
    uint32_t count = 0;

    for (uint32_t v = 0; v < model.vcpus; v++) {
        count += model.of[v].power == power;
    }
    return count;
}

/* All vCPUs that have been on clear their registers first. */
static void machine_starts(void)
{
    model.machine = RESETTING;
    for (uint32_t v = 0; v < model.vcpus; v++) {
        if (model.of[v].used) {
            is_reset(v);
        }
    }
    if (count_of(VCPU_IS_PENDING) == 0) {
        machine_runs();
    }
}

static void reset_is_done(uint32_t vcpu)
{
    goes_off(vcpu);
    if (model.machine == RUNNING) {
        comes_on(vcpu, model.of[vcpu].entry, model.of[vcpu].context);
    } else if (count_of(VCPU_IS_PENDING) == 0) {
        machine_runs();
    }
}

static int64_t cpu_on(uint64_t target, uint64_t entry, uint64_t context)
{
    if (target >= model.vcpus) {
        return INVALID_PARAMETERS;
    }
    if (model.of[target].power != VCPU_IS_OFF) {
        return model.of[target].power == VCPU_IS_ON ? ALREADY_ON : ON_PENDING;
    }
    if (entry % 4 != 0 || entry < FAKE_VM_RAM_GPA ||
        entry > FAKE_VM_RAM_GPA + FAKE_VM_RAM_SIZE - 4) {
        return INVALID_ADDRESS;
    }
    if (model.of[target].used) {
        is_reset((uint32_t)target);
        model.of[target].entry = entry;
        model.of[target].context = context;
    } else {
        comes_on((uint32_t)target, entry, context);
    }
    return SUCCESS;
}

static int64_t affinity_info(uint64_t target, uint64_t level)
{
    static const int64_t result[] = {[VCPU_IS_ON] = 0, [VCPU_IS_OFF] = 1, [VCPU_IS_PENDING] = 2};

    return target >= model.vcpus || level != 0 ? INVALID_PARAMETERS
                                               : result[model.of[target].power];
}

static int64_t cpu_off(uint32_t vcpu)
{
    goes_off(vcpu);
    if (count_of(VCPU_IS_OFF) == model.vcpus) {
        machine_stops();
    }
    return NO_RESULT;
}

/* PSCI_FEATURES: what there is, in which forms. */
static int64_t features(uint32_t id)
{
    switch (id) {
    case 0x80000000: /* SMCCC_VERSION */
    case 0x84000000:
    case 0x84000001:
    case 0xc4000001:
    case 0x84000002:
    case 0x84000003:
    case 0xc4000003:
    case 0x84000004:
    case 0xc4000004:
    case 0x84000006:
    case 0x84000008:
    case 0x84000009:
    case 0x8400000a:
        return SUCCESS;
    default:
        return NOT_SUPPORTED;
    }
}

/* What a call results in. `x` is x0 to x3. */
static int64_t result_of(uint32_t vcpu, const uint64_t x[4])
{
    uint32_t id = (uint32_t)x[0];
    uint64_t mask = (id & 1u << 30) ? UINT64_MAX : UINT32_MAX;

    switch (id) {
    case 0x84000000:
        return 0x10001;
    case 0x84000001:
    case 0xc4000001:
        model.of[vcpu].runs = false;
        model.of[vcpu].suspended = true;
        return SUCCESS;
    case 0x84000002:
        return cpu_off(vcpu);
    case 0x84000003:
    case 0xc4000003:
        return cpu_on(x[1] & mask, x[2] & mask, x[3] & mask);
    case 0x84000004:
    case 0xc4000004:
        return affinity_info(x[1] & mask, x[2] & mask);
    case 0x84000006:
        return 2;
    case 0x84000008:
        machine_stops();
        return NO_RESULT;
    case 0x84000009:
        machine_stops();
        machine_starts();
        return NO_RESULT;
    case 0x8400000a:
        return features((uint32_t)x[1]);
    default:
        return NOT_SUPPORTED;
    }
}

/* ---- What holds after each step ---- */

static void check_start(uint32_t vcpu)
{
    const struct fake_vcpu *v = &fake.vcpu[vcpu];

    demand(v->context.pc == model.of[vcpu].entry && v->context.x0 == model.of[vcpu].context);
    demand(v->context.spsr == 0x3c5 && v->reg[seL4_VCPUReg_VMPIDR_EL2] == (0x80000000u | vcpu));
    demand((v->reg[seL4_VCPUReg_SCTLR] & 1) == 0 &&
           v->reg[seL4_VCPUReg_CNTVOFF] == timer_clock_offset());
}

static void check(void)
{
    demand(vm_running() == (model.machine == RUNNING));
    for (uint8_t v = 0; v < model.vcpus; v++) {
        enum vcpu_state state = vcpu_state(v);

        demand((state == VCPU_OFF) == (model.of[v].power == VCPU_IS_OFF));
        demand((state == VCPU_RESETTING) == (model.of[v].power == VCPU_IS_PENDING));
        demand(fake.vcpu[v].running == model.of[v].runs);
        if (model.of[v].starts) {
            model.of[v].starts = false;
            check_start(v);
        }
        demand(state != VCPU_RESETTING || fake.vcpu[v].context.pc == FAKE_VM_RESET_GPA);
    }
}

/* ---- Steps ---- */

/* An exit that would be answered stops the vCPU of a machine that is paused. */
static void exit_ends(uint32_t vcpu)
{
    if (model.paused && model.of[vcpu].power == VCPU_IS_ON && !model.of[vcpu].starts) {
        model.of[vcpu].runs = false;
    }
}

static void call(uint8_t vcpu, struct input *input, bool hvc)
{
    /* CPU_ON, CPU_OFF and AFFINITY_INFO often; 0xf: any. */
    static const uint8_t functions[] = {3, 3, 3, 3, 3, 2, 2, 2, 4, 4, 1, 10, 9, 8, 6, 0xf};
    static const uint64_t entries[] = {ENTRY,
                                       ENTRY,
                                       ENTRY + 8,
                                       ENTRY + 8,
                                       ENTRY | 1ull << 32,
                                       FAKE_VM_RAM_GPA + FAKE_VM_RAM_SIZE - 4,
                                       FAKE_VM_RAM_GPA + FAKE_VM_RAM_SIZE,
                                       ENTRY + 2};
    uint8_t form = (uint8_t)take(input, 1);
    uint8_t function = functions[form & 0xf];
    uint8_t arguments = (uint8_t)take(input, 1);
    seL4_UserContext *context = &fake.vcpu[vcpu].context;
    uint64_t x[4] = {(form & 0x80 ? 0xc4000000 : 0x84000000) | function, arguments & 3,
                     function == 4 ? arguments >> 7 : entries[arguments >> 2 & 7],
                     (uint64_t)arguments << 30};
    seL4_UserContext before;
    int64_t result;

    if ((form & 0x70) == 0x70) {
        x[1] = take(input, 8);
    }
    if (function == 0xf || function == 10) {
        x[function == 10] = 0x84000000 ^ take(input, 4);
    }
    if (features((uint32_t)x[0]) == NOT_SUPPORTED && (x[0] >> 24 & 0xff) == 0x86) {
        x[0] = 0; /* the hypervisor's own, which return more than one word */
    }
    context->x0 = x[0];
    context->x1 = x[1];
    context->x2 = x[2];
    context->x3 = x[3];
    before = *context;
    result = (uint32_t)x[0] == 0x80000000   ? 0x10001
             : (uint32_t)x[0] == 0x80000001 ? ((uint32_t)x[1] >> 1 == 0x40000000 ? 0 : -1)
                                            : result_of(vcpu, x);
    exit_ends(vcpu);
    if (hvc) {
        seL4_Word mrs[13] = {[seL4_UnknownSyscall_FaultIP] = before.pc};

        fake_fault(vcpu, seL4_Fault_UnknownSyscall, 13, mrs);
    } else {
        fake_vm_trap(vcpu, EC_SMC, 0);
    }
    if (result != NO_RESULT) {
        before.pc += 4;
        before.x0 = (uint64_t)result;
        demand(memcmp(context, &before, sizeof(before)) == 0);
    }
}

static void guest_does(uint8_t vcpu, struct input *input, uint8_t what)
{
    if (!model.of[vcpu].runs) {
        return;
    }
    if (model.of[vcpu].power == VCPU_IS_PENDING) {
        reset_is_done(vcpu);
        fake_vm_trap(vcpu, EC_SMC, (uint32_t)take(input, 1));
    } else if (what == 0) {
        model.of[vcpu].runs = false;
        model.of[vcpu].suspended = true;
        fake_vm_trap(vcpu, EC_WFX, 0);
    } else {
        call(vcpu, input, what == 1);
    }
}

/* An interrupt comes for a vCPU that waits. */
static void wake(uint8_t vcpu)
{
    if (model.of[vcpu].suspended && !model.paused) {
        model.of[vcpu].suspended = false;
        model.of[vcpu].runs = true;
    }
    vcpu_wake(vcpu);
    notified(FAKE_VM_FORWARD_CHANNEL);
}

static void resume(void)
{
    model.pause_at_start = false;
    for (uint32_t v = 0; v < model.vcpus && model.paused; v++) {
        if (model.of[v].power == VCPU_IS_ON) {
            model.of[v].runs = true;
            model.of[v].suspended = false; /* and looks at its timer anew */
        }
    }
    model.paused = false;
}

static void person_does(uint8_t what)
{
    static const uint8_t verbs[] = {CONTROL_START, CONTROL_KILL, CONTROL_RESTART, CONTROL_PAUSE,
                                    CONTROL_RESUME};
    uint8_t verb = verbs[what % sizeof(verbs)];

    switch (verb) {
    case CONTROL_START:
        if (model.machine == OFF) {
            machine_starts();
        }
        break;
    case CONTROL_KILL:
        machine_stops();
        break;
    case CONTROL_RESTART:
        machine_stops();
        machine_starts();
        break;
    case CONTROL_PAUSE:
        model.pause_at_start = model.machine == RESETTING || model.pause_at_start;
        model.paused = model.paused || model.machine == RUNNING;
        break;
    default:
        resume();
    }
    fake_vm_command(verb);
}

static void step(struct input *input)
{
    uint8_t byte = (uint8_t)take(input, 1);
    uint8_t vcpu = (uint8_t)((byte & 7) % model.vcpus);

    switch (byte >> 3 & 7) {
    case 0:
        wake(vcpu);
        break;
    case 1:
        if (byte >> 7 == 0) {
            person_does((uint8_t)take(input, 1));
        }
        break;
    case 2:
        guest_does(vcpu, input, 0);
        break;
    case 3:
        guest_does(vcpu, input, 1);
        break;
    default:
        guest_does(vcpu, input, 2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    memset(&model, 0, sizeof(model));
    model.vcpus = 1 + (uint32_t)take(&input, 1) % VCPUS;
    fake_vm_start(model.vcpus, false);
    command_init();
    machine_runs();
    check();
    for (unsigned i = 0; input.left > 0 && i < STEPS; i++) {
        step(&input);
        check();
        fake_vm_output();
    }
    fake_vm_command(CONTROL_KILL); /* some of the monitor's state is for one machine's life */
    return 0;
}
