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
 * A guest's loads and stores to its serial port, clock, watchdog and pvpanic, and to where nothing
 * is, as exits of a whole monitor; meanwhile time passes and somebody types. Each exit is answered
 * after few calls and notifications. Each device's interrupt is up when its masked status says so,
 * and that is its raw status and its mask. What is written to a register that keeps it is read
 * again. The clock goes on by seconds from what it was set to. Keys come in order, and a locked
 * watchdog keeps its registers.
 */

#include <microkit.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/control.h"
#include "lib/gicv2.h"
#include "tests/unit/fake/fake_vm.h"
#include "vmm/command.h"
#include "vmm/mmio.h"
#include "vmm/panic.h"
#include "vmm/pl031.h"
#include "vmm/timer.h"
#include "vmm/vm.h"
#include "vmm/watchdog.h"

#define PL031_GPA   0x09010000u
#define PL031_INTID 34u
#define PL011_INTID 33u

#define STEPS     64u /* of an input at most */
#define CALLS_MAX 12u /* of the kernel's, in one exit */
#define PC        (FAKE_VM_RAM_GPA + 0x100u)
#define VECTORS   (FAKE_VM_RAM_GPA + 0x2000u)
#define NO_KEY    0

#define EC_SMC 0x17u

static const struct vmm_clock_config clock = {
    .gpa = PL031_GPA, .intid = PL031_INTID, .build_date = 1700000000};

static struct {
    uint32_t clock;   /* what it was set to, */
    uint64_t set_at;  /* and when */
    uint8_t next_key; /* that is typed */
    uint8_t expected; /* the guest gets next; NO_KEY: not known */
    uint32_t unread;  /* keys, at most */
    bool locked;      /* the watchdog */
} model;

static void demand(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- Exits ---- */

/* What is looked for is new ways through the devices, not through these. That is quicker, too. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

static unsigned calls(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < MICROKIT_MAX_CHANNELS; i++) {
        count += fake.notifies[i] + fake.deferred_notifies[i] + fake.ppcalls[i];
    }
    return count;
}

/* Returns whether a device took it. The other way out is an abort, whose handler is at VECTORS. */
static bool exits(uint64_t gpa, uint32_t size, bool write)
{
    struct fake_vcpu *vcpu = &fake.vcpu[0];
    unsigned before = calls();

    vcpu->context.pc = PC;
    vcpu->reg[seL4_VCPUReg_VBAR] = VECTORS;
    /* ISV, SAS, SF, WnR, and a translation fault; x0 */
    fake_vm_data_abort(0, gpa, 1u << 24 | size << 22 | 1u << 15 | (write ? 1u << 6 : 0) | 7);
    demand(calls() - before <= CALLS_MAX);
    if (!vm_running()) {
        return false;
    }
    demand(vcpu->running);
    demand(vcpu->context.pc == PC + 4 || vcpu->context.pc - VECTORS < 0x800);
    return vcpu->context.pc == PC + 4;
}

static bool load(uint64_t gpa, uint32_t size, uint64_t *value)
{
    fake.vcpu[0].context.x0 = 0xa5a5a5a5a5a5a5a5;
    if (!exits(gpa, size, false)) {
        return false;
    }
    *value = fake.vcpu[0].context.x0;
    demand(size == 3 || *value >> (8u << size) == 0);
    return true;
}

static bool store(uint64_t gpa, uint32_t size, uint64_t value)
{
    fake.vcpu[0].context.x0 = value;
    return exits(gpa, size, true);
}

static uint32_t word(uint64_t gpa)
{
    uint64_t value = 0;

    demand(load(gpa, 2, &value));
    return (uint32_t)value;
}

/* ---- What holds after each step ---- */

static bool is_pending(uint32_t intid)
{
    return (word(FAKE_VM_GICD_GPA + GICD_ISPENDR + intid / 32 * 4) >> (intid % 32) & 1) != 0;
}

/* Offsets of raw status, masked status and mask. */
static void check_interrupt(uint64_t gpa, uint32_t ris, uint32_t mis, uint32_t mask, uint32_t intid)
{
    uint32_t masked = word(gpa + mis);

    demand(masked == (word(gpa + ris) & word(gpa + mask)));
    demand(is_pending(intid) == (masked != 0));
}

static void check(void)
{
    check_interrupt(FAKE_VM_PL011_GPA, 0x3c, 0x40, 0x38, PL011_INTID);
    check_interrupt(PL031_GPA, 0x14, 0x18, 0x10, PL031_INTID);
    check_interrupt(FAKE_VM_WATCHDOG_GPA, 0x10, 0x14, 0x08, FAKE_VM_WATCHDOG_INTID);
    demand(word(PL031_GPA) ==
           model.clock + (uint32_t)((fake.counter - model.set_at) / fake.frequency));
    demand(word(FAKE_VM_WATCHDOG_GPA + 4) <= word(FAKE_VM_WATCHDOG_GPA) ||
           (word(FAKE_VM_WATCHDOG_GPA + 8) & 1) == 0);
    demand(word(FAKE_VM_WATCHDOG_GPA + 0xc00) == model.locked);
}

#pragma clang attribute pop

/* ---- Steps ---- */

static void forget_keys(void)
{
    model.expected = NO_KEY;
    model.unread = 0;
}

/* One that has been stopped, or has crashed, is started by a person. */
static void run_again(void)
{
    if (!vm_running()) {
        fake_vm_command(CONTROL_RESTART);
        fake_vm_trap(0, EC_SMC, 0);
        forget_keys();
        model.locked = false;
        demand(word(FAKE_VM_PL011_GPA + 0x38) == 0 && word(PL031_GPA + 0x10) == 0);
        demand(word(FAKE_VM_WATCHDOG_GPA + 8) == 0);
    }
    demand(vm_running());
}

static void time_passes(uint64_t ticks)
{
    fake.counter += ticks;
    if (fake_vm.timer_calls > 0 && fake_vm.timer_deadline <= fake.counter) {
        notified(FAKE_VM_TIMER_CHANNEL);
    }
    run_again();
}

static uint8_t key_after(uint8_t key)
{
    return key == 'z' ? 'a' : key + 1;
}

static void type(uint32_t count)
{
    char keys[17] = {0};

    count %= sizeof(keys);
    if (model.unread + count > 1024) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = (char)model.next_key;
        model.next_key = key_after(model.next_key);
    }
    model.unread += count;
    fake_vm_type(keys);
}

static void take_key(void)
{
    bool empty = (word(FAKE_VM_PL011_GPA + 0x18) & 0x10) != 0;
    uint8_t key = (uint8_t)word(FAKE_VM_PL011_GPA);

    demand(!empty || key == 0);
    if (empty) {
        return;
    }
    demand(key >= 'a' && key <= 'z' && (model.expected == NO_KEY || key == model.expected));
    model.expected = key_after(key);
    model.unread--;
}

/* Registers that keep what is written, and which bits of it. */
static const struct {
    uint16_t offset;
    uint16_t mask;
} kept[] = {{0x20, 0xff}, {0x24, 0xffff}, {0x28, 0x3f}, {0x2c, 0xff},
            {0x34, 0x3f}, {0x38, 0x7ff},  {0x48, 7},    {0x30, 0xff87}};

static void write_kept(uint32_t which, uint32_t value)
{
    uint64_t gpa = FAKE_VM_PL011_GPA + kept[which % 8].offset;

    demand(store(gpa, 2, value));
    demand(word(gpa) == (value & kept[which % 8].mask));
}

static void write_clock(uint32_t offset, uint32_t value)
{
    uint32_t before = word(PL031_GPA + 8);

    demand(store(PL031_GPA + offset, 2, value));
    if (offset == 8) {
        model.clock = value;
        model.set_at = fake.counter;
        demand(word(PL031_GPA + 8) == value);
    } else {
        demand(word(PL031_GPA + 8) == before);
    }
    demand(offset != 4 || word(PL031_GPA + 4) == value);
    demand(offset != 0x1c || (value & 1) == 0 || word(PL031_GPA + 0x14) == 0);
}

static void write_watchdog(uint32_t offset, uint32_t value)
{
    static const uint32_t longest = FAKE_VM_WATCHDOG * (VMM_PRIMECELL_CLOCK / 2) - 1;
    uint64_t gpa = FAKE_VM_WATCHDOG_GPA;
    uint32_t load = word(gpa), control = word(gpa + 8), raised = word(gpa + 0x10);

    demand(store(gpa + offset, 2, value));
    if (offset == 0xc00) {
        model.locked = value != 0x1acce551;
    } else if (model.locked) {
        demand(word(gpa) == load && word(gpa + 8) == control && word(gpa + 0x10) == raised);
    } else if (offset == 0) {
        demand(word(gpa) == (value < longest ? value : longest) && word(gpa + 4) == word(gpa));
    } else if (offset == 8) {
        demand(word(gpa + 8) == (value & 3));
    } else if (offset == 12) {
        demand(word(gpa + 0x10) == 0);
    }
}

/* Of any width, at any address near a device. */
static void access_anything(struct input *input)
{
    static const uint32_t devices[] = {FAKE_VM_PL011_GPA, PL031_GPA, FAKE_VM_WATCHDOG_GPA,
                                       FAKE_VM_PVPANIC_GPA};
    uint8_t kind = (uint8_t)take(input, 1);
    uint64_t gpa = devices[kind & 3] + take(input, 2) % 0x1010;
    uint64_t value;

    if ((kind & 0x30) == 0) {
        gpa = take(input, 8);
        if (gpa >= PL031_GPA && gpa < FAKE_VM_WATCHDOG_GPA + WATCHDOG_SIZE) {
            return;
        }
    } else if (kind & 0x80 && ((kind & 3) == 1 || (kind & 3) == 2) && (gpa & 3) == 0) {
        return; /* these are write_clock's and write_watchdog's */
    }
    forget_keys();
    if (kind & 0x80) {
        store(gpa, kind >> 2 & 3, take(input, 8));
    } else if (load(gpa, kind >> 2 & 3, &value)) {
        demand(gpa != FAKE_VM_PVPANIC_GPA || value == 3);
    }
}

static void step(struct input *input)
{
    static const uint16_t clock_registers[] = {4, 8, 0x0c, 0x10, 0x1c, 0x14};
    static const uint16_t watchdog_registers[] = {0, 0, 8, 8, 12, 0x10, 0xc00, 0xc00};
    uint8_t what = (uint8_t)take(input, 1);
    uint32_t which = what >> 4;

    switch (what & 0xf) {
    case 0:
    case 1:
        access_anything(input);
        break;
    case 2:
    case 3:
        write_kept(which, (uint32_t)take(input, 2));
        break;
    case 4:
    case 5:
        write_clock(clock_registers[which % 6],
                    (uint32_t)take(input, 1) + (which > 8 ? word(PL031_GPA) : 0));
        break;
    case 6:
    case 7:
        write_watchdog(watchdog_registers[which % 8],
                       which == 15 ? 0x1acce551 : (uint32_t)take(input, which & 8 ? 4 : 1));
        break;
    case 8:
        type((uint32_t)take(input, 1));
        break;
    case 9:
    case 10:
        take_key();
        break;
    case 11:
        demand(store(FAKE_VM_PL011_GPA, 2, take(input, 1)));
        break;
    case 12:
        demand(store(FAKE_VM_PL011_GPA + 0x44, 2, take(input, 2)));
        break;
    case 13:
        time_passes(fake.frequency * (take(input, 1) + 1));
        break;
    case 14:
        time_passes(fake.frequency / 1000 * take(input, 2));
        break;
    default:
        if (which == 0) { /* its kernel panics */
            store(FAKE_VM_PVPANIC_GPA, 0, take(input, 1));
            forget_keys();
        }
    }
}

static void attach_clock(void)
{
    static bool attached;

    attached = attached || mmio_attach(PL031_GPA, PL031_SIZE, pl031_access, NULL);
    demand(attached);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    memset(&model, 0, sizeof(model));
    model.next_key = 'a';
    fake_vm_start(1, false);
    command_init();
    attach_clock();
    pl031_init(&clock);
    model.clock = word(PL031_GPA + 8);
    model.set_at = fake.counter;
    for (unsigned i = 0; input.left > 0 && i < STEPS; i++) {
        step(&input);
        run_again();
        time_passes(0);
        if (panic_stands()) { /* a person presses Enter */
            fake_vm_command(CONTROL_KILL);
            run_again();
        }
        check();
        fake_vm_output();
    }
    fake_vm_command(CONTROL_KILL); /* some of the monitor's state is for one machine's life */
    return 0;
}
