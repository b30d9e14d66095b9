/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/main.c vmm/fault.c vmm/abort.c vmm/boot.c vmm/console_port.c vmm/reset_program.c
 * SOURCES: vmm/entropy.c vmm/idle.c vmm/mmio.c vmm/pace.c vmm/pl011.c vmm/pl031.c vmm/psci.c
 * SOURCES: vmm/panic.c vmm/primecell.c vmm/shared.c vmm/smccc.c vmm/throttle.c
 * SOURCES: vmm/command.c vmm/freeze.c
 * SOURCES: vmm/crash.c vmm/pvpanic.c vmm/watchdog.c vmm/timer.c vmm/vcpu.c vmm/vm.c
 * SOURCES: vmm/vgic.c vmm/vgic_lr.c vmm/vgic_registers.c vmm/vgic_v2.c
 * SOURCES: vmm/vgic_forward.c
 * SOURCES: vmm/vgic_v3.c vmm/vgic_redistributor.c
 * SOURCES: lib/chacha20.c lib/ring.c
 * SOURCES: lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/fake_vm.c tests/unit/fake/fake_microkit.c
 *
 * The life of a VM (held, started, restarted, powered off, crashed), and its idling: who parks, who
 * wakes, and how often the timer driver hears of it.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/timer/protocol.h"
#include "lib/console_state.h"
#include "lib/control.h"
#include "tests/unit/fake/fake_vm.h"
#include "vmm/freeze.h"
#include "vmm/panic.h"
#include "vmm/pl011.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"
#include "vmm/vm.h"

#define CPU_OFF      0x84000002u
#define CPU_ON       0xc4000003u
#define SYSTEM_OFF   0x84000008u
#define SYSTEM_RESET 0x84000009u

#define EC_WFX 0x01u
#define EC_SMC 0x17u

#define SPI 48u
#define PC  0x40201000u

static void said(const char *what)
{
    const char *output = fake_vm_output();

    if (!strstr(output, what)) {
        fail_msg("'%s' is not in '%s'", what, output);
    }
}

static void write_gicd(uint8_t vcpu, uint32_t offset, uint8_t width, uint32_t value)
{
    struct mmio_access access = {
        .offset = offset, .width = width, .write = true, .vcpu = vcpu, .value = value};

    assert_true(vgic_v2_access(NULL, &access));
}

/* The distributor as Linux sets it up. */
static void enable_interrupts(uint8_t vcpus)
{
    write_gicd(0, GICD_CTLR, 4, 1);
    write_gicd(0, GICD_ISENABLER + 4, 4, ~0u);
    for (uint8_t v = 0; v < vcpus; v++) {
        write_gicd(v, GICD_ISENABLER, 4, 1u << VGIC_VIRTUAL_TIMER);
    }
}

static void set_timer(uint8_t vcpu, uint64_t control, uint64_t after_now)
{
    struct fake_vcpu *v = &fake.vcpu[vcpu];

    v->reg[seL4_VCPUReg_CNTV_CTL] = control;
    v->reg[seL4_VCPUReg_CNTV_CVAL] = fake.counter - v->reg[seL4_VCPUReg_CNTVOFF] + after_now;
}

static void wfi(uint8_t vcpu)
{
    fake_vm_trap(vcpu, EC_WFX, 0);
}

static void wake(uint8_t vcpu)
{
    vcpu_wake(vcpu);
    vcpu_start_woken();
}

/* A device raises its line, in the course of some exit or notification. */
static void raise_line(uint32_t intid)
{
    vgic_set_level(intid, true);
    vcpu_start_woken();
}

static void time_passes(uint64_t ticks)
{
    fake.counter += ticks;
    if (fake_vm.timer_deadline <= fake.counter) {
        notified(FAKE_VM_TIMER_CHANNEL);
    }
}

static void booted_as_linux_wants_it(uint8_t vcpu)
{
    const struct fake_vcpu *v = &fake.vcpu[vcpu];

    assert_true(v->running);
    assert_int_equal(v->context.pc, FAKE_VM_KERNEL_GPA);
    assert_int_equal(v->context.x0, FAKE_VM_DTB_GPA);
    assert_int_equal(v->context.x1, 0);
    assert_int_equal(v->context.x30, 0);
    assert_int_equal(v->context.spsr, 0x3c5);
    assert_int_equal(v->reg[seL4_VCPUReg_SCTLR] & 0x1005, 0);
    assert_int_equal(v->reg[seL4_VCPUReg_VMPIDR_EL2], 0x80000000);
    assert_memory_equal(fake_vm.ram + (FAKE_VM_KERNEL_GPA - FAKE_VM_RAM_GPA) + 56, "ARM\x64", 4);
}

/* ---- Life ---- */

static void a_vm_starts_by_itself(void **state)
{
    (void)state;
    fake_vm_start(2, false);
    assert_true(vm_running());
    booted_as_linux_wants_it(0);
    assert_false(fake.vcpu[1].running);
    assert_string_equal(fake_vm_output(), "");
}

static void a_held_vm_starts_at_enter(void **state)
{
    (void)state;
    fake_vm_start(1, true);
    assert_false(vm_running());
    assert_false(fake.vcpu[0].running);
    said("vmm vm7: held; press Enter to start it\n");
    fake_vm_type("abc");
    assert_false(vm_running());
    fake_vm_type("\r");
    booted_as_linux_wants_it(0);
    said("starting");
}

static void a_vm_with_bad_images_is_not_started(void **state)
{
    (void)state;
    fake_vm_start_without_kernel();
    said("vmm vm7: cannot boot: the kernel is not an arm64 Image\n");
    fake_vm_type("\r");
    assert_false(vm_running());
    assert_false(fake.vcpu[0].running);
    said("vmm vm7: it cannot boot, as was said at its start\n");
    fake_vm_command(CONTROL_RESTART);
    said("it cannot boot");
}

static void a_vm_waits_for_its_devices_to_quiesce(void **state)
{
    (void)state;
    fake_vm_start(1, true);
    fake_vm.busy = true;
    fake_vm_type("\n");
    assert_false(fake.vcpu[0].running);
    fake_vm_type("\n\n");
    notified(20);
    assert_false(fake.vcpu[0].running);
    fake_vm.busy = false;
    notified(20);
    booted_as_linux_wants_it(0);
    assert_int_equal(fake.vcpu[0].restarts, 1);
}

/* The vCPU ends its reset program. */
static void reset_done(uint8_t vcpu)
{
    assert_false(fake_vm_trap(vcpu, EC_SMC, 0));
}

static void reset_is_pristine(void **state)
{
    struct fake_vcpu *v = &fake.vcpu[0];

    (void)state;
    fake_vm_start(1, false);
    memset(fake_vm.ram, 0xaa, FAKE_VM_RAM_SIZE);
    v->reg[seL4_VCPUReg_TTBR1] = v->reg[seL4_VCPUReg_VBAR] = 0x1234;
    v->reg[seL4_VCPUReg_CNTV_CTL] = 1;
    v->context.x19 = 5;
    fake.counter += 1000;
    fake_vm_smc(0, SYSTEM_RESET, 0, 0, 0);
    said("restarting");
    assert_false(vm_running());
    assert_int_equal(fake_vm.virtio_resets, 1);
    assert_int_equal(v->context.pc, FAKE_VM_RESET_GPA); /* it clears what only it can */
    reset_done(0);
    booted_as_linux_wants_it(0);
    assert_int_equal(v->context.x19, 0);
    assert_int_equal(v->reg[seL4_VCPUReg_TTBR1], 0);
    assert_int_equal(v->reg[seL4_VCPUReg_VBAR], 0);
    assert_int_equal(v->reg[seL4_VCPUReg_CNTV_CTL], 0);
    assert_int_equal(v->reg[seL4_VCPUReg_CNTVOFF], fake.counter);
    for (unsigned i = 0; i < FAKE_VM_RAM_SIZE; i++) {
        assert_int_not_equal(fake_vm.ram[i], 0xaa);
    }
}

/* ---- Loading ---- */

#define FLUSHED_PER_TICK 10u /* so that a step takes a tenth of a millisecond, or two */

static uint64_t millisecond(void)
{
    return fake.frequency / 1000;
}

/* Returns how long the first piece took. */
static uint64_t restart_and_load(void)
{
    uint64_t begin;

    memset(fake_vm.ram, 0xaa, FAKE_VM_RAM_SIZE);
    fake.flushed_per_tick = FLUSHED_PER_TICK;
    fake_vm_smc(0, SYSTEM_RESET, 0, 0, 0);
    begin = fake.counter;
    reset_done(0);
    assert_false(vm_running());
    return fake.counter - begin;
}

/* Let the pause end that has begun, and the next piece be done; returns how long the pause was. */
static uint64_t next_piece(uint64_t *piece)
{
    uint64_t begin, pause = 0;

    if (fake_vm.timer_deadline > fake.counter) {
        pause = fake_vm.timer_deadline - fake.counter;
        fake.counter += pause;
    }
    fake_vm.timer_deadline = UINT64_MAX;
    begin = fake.counter;
    notified(FAKE_VM_TIMER_CHANNEL);
    *piece = fake.counter - begin;
    return pause;
}

static void memory_is_new(void)
{
    booted_as_linux_wants_it(0);
    assert_int_equal(fake_vm.ram[0], 0);
    assert_int_equal(fake_vm.ram[FAKE_VM_RAM_SIZE - 1], 0);
}

/* Nobody else's vCPU runs while the monitor works: it stops soon, and for as long. */
static void a_restart_leaves_the_others_half(void **state)
{
    uint64_t pieces = 1;
    uint64_t piece;

    (void)state;
    fake_vm_start_without_equals(1, false);
    piece = restart_and_load();
    while (!vm_running()) {
        uint64_t before = piece;

        assert_true(before <= 5 * millisecond() / 4);
        assert_true(before + next_piece(&piece) >= 2 * millisecond());
        pieces++;
    }
    assert_true(pieces >= FAKE_VM_RAM_SIZE / FLUSHED_PER_TICK / (2 * millisecond()));
    memory_is_new();
}

/* Among equals it goes on until it has worked for a turn, and then waits for theirs. */
static void a_restart_leaves_equals_their_turns(void **state)
{
    uint64_t piece, since_turn;
    unsigned turns = 0;

    (void)state;
    fake_vm_start(1, false);
    since_turn = restart_and_load();
    while (!vm_running()) {
        unsigned asked = fake.notifies[FAKE_VM_TURN_CHANNEL];

        next_piece(&piece);
        assert_true(piece <= 5 * millisecond() / 4);
        since_turn += piece;
        assert_true(since_turn <= 3 * millisecond());
        if (piece == 0) { /* it is held */
            assert_true(since_turn >= 2 * millisecond());
            assert_int_equal(asked, ++turns);
            fake.counter += 2 * millisecond();
            since_turn = fake.counter;
            notified(FAKE_VM_TURN_CHANNEL);
            since_turn = fake.counter - since_turn;
        }
    }
    assert_true(turns >= FAKE_VM_RAM_SIZE / FLUSHED_PER_TICK / (4 * millisecond()));
    memory_is_new();
}

static void a_first_start_is_loaded_in_pieces_too(void **state)
{
    uint64_t begin;

    (void)state;
    fake_vm_start_without_equals(1, true);
    fake.flushed_per_tick = 1; /* a kernel of 256 bytes does for 1 ms */
    fake.frequency = 100000;
    begin = fake.counter;
    fake_vm_type("\r");
    assert_false(vm_running());
    assert_true(fake_vm.timer_deadline >= begin + 2 * millisecond());
    time_passes(fake_vm.timer_deadline - fake.counter);
    booted_as_linux_wants_it(0);
}

static void nothing_else_moves_a_vm_that_is_loading(void **state)
{
    struct mmio_access access = {.offset = 0, .width = 4};
    uint64_t before, piece;

    (void)state;
    fake_vm_start_without_equals(1, false);
    restart_and_load();
    before = fake.flushed_bytes;
    fake_vm_type("q\r");
    notified(FAKE_VM_CONSOLE_CHANNEL);
    notified(20);                    /* a disk, a switch */
    notified(FAKE_VM_TIMER_CHANNEL); /* for somebody else */
    vm_check_quiesced();
    vm_load();
    assert_int_equal(fake.flushed_bytes, before);
    assert_false(vm_running());
    while (!vm_running()) {
        next_piece(&piece);
    }
    booted_as_linux_wants_it(0);
    notified(FAKE_VM_CONSOLE_CHANNEL);
    assert_true(mmio_route(FAKE_VM_PL011_GPA, &access));
    assert_int_equal(access.value, 'q'); /* a key is kept for who comes */
}

static void a_vm_that_is_loading_can_be_switched_off(void **state)
{
    uint64_t piece;

    (void)state;
    fake_vm_start_without_equals(1, false);
    restart_and_load();
    vm_stop(VM_BY_GUEST);
    next_piece(&piece);
    assert_int_equal(piece, 0);
    assert_false(vm_running());
    assert_false(fake.vcpu[0].running);
    memset(fake_vm.ram, 0xaa, FAKE_VM_RAM_SIZE);
    fake_vm_type("\r");
    reset_done(0);
    while (!vm_running()) {
        next_piece(&piece);
    }
    booted_as_linux_wants_it(0);
    assert_int_equal(fake_vm.ram[0], 0);
}

/* What the reset program's fourth instruction, LDR with a literal, loads. */
static uint64_t loaded_by_the_reset_program(void)
{
    uint32_t ldr;
    uint64_t value;

    memcpy(&ldr, fake_vm.reset_page + 12, sizeof(ldr));
    assert_int_equal(ldr >> 24, 0x58);
    memcpy(&value, fake_vm.reset_page + 12 + (ldr >> 5 & 0x7ffff) * 4ul, sizeof(value));
    return value;
}

static void list_registers_are_emptied_before_the_next_guest(void **state)
{

    (void)state;
    fake_vm_start(2, false);
    enable_interrupts(2);
    vgic_set_level(SPI, true);
    fake_acknowledge(0, 0);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    vgic_raise_timer(1);
    fake_vm_smc(0, SYSTEM_RESET, 0, 0, 0);

    /* Both run the program, each with its own list of what may be there. */
    assert_int_equal(fake.vcpu[0].context.pc, FAKE_VM_RESET_GPA);
    assert_int_equal(fake.vcpu[1].context.pc, FAKE_VM_RESET_GPA);
    assert_int_equal(fake.vcpu[0].context.x0, SPI | 1023ull << 16 | 1023ull << 32 | 1023ull << 48);
    assert_int_equal(fake.vcpu[1].context.x0,
                     VGIC_VIRTUAL_TIMER | 1023ull << 16 | 1023ull << 32 | 1023ull << 48);
    assert_int_equal(loaded_by_the_reset_program(), FAKE_VM_GICD_GPA + 0x10000);

    vgic_set_level(SPI, false);
    fake_eoi(0, 0); /* what the program does */
    fake_eoi(1, 0);
    reset_done(1);
    assert_false(vm_running());
    assert_false(fake.vcpu[1].running);
    reset_done(0);
    assert_true(vm_running());
    booted_as_linux_wants_it(0);
    assert_false(fake.vcpu[1].running);
    assert_false(vgic_pending(0));
}

static bool program_has(uint32_t instruction)
{
    uint32_t words[0x800 / 4];
    bool found = false;

    memcpy(words, fake_vm.reset_page, sizeof(words));
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        found = found || words[i] == instruction;
    }
    return found;
}

static void the_reset_program_ends_interrupts_in_the_guests_own_interface(void **state)
{
    const uint32_t msr_icc_dir = 0xd518cb22, str_eoir = 0xb9001022, smc = 0xd4000003;

    (void)state;
    fake_vm_start_gicv3(2);
    assert_true(program_has(msr_icc_dir) && program_has(smc));
    assert_false(program_has(str_eoir));
    fake_vm_start(2, false);
    assert_true(program_has(str_eoir) && program_has(smc));
    assert_false(program_has(msr_icc_dir));
}

static void a_gicv3_guest_restarts(void **state)
{
    (void)state;
    fake_vm_start_gicv3(12);
    fake_vm_smc(0, CPU_ON, 11, PC, 0);
    assert_true(fake.vcpu[11].running);
    vgic_raise_timer(11); /* not enabled */
    assert_false(vgic_pending(11));
    fake_vm_smc(0, SYSTEM_RESET, 0, 0, 0);
    assert_int_equal(fake.vcpu[11].context.pc, FAKE_VM_RESET_GPA);
    reset_done(11);
    reset_done(0);
    assert_true(vm_running());
    booted_as_linux_wants_it(0);
    assert_false(fake.vcpu[11].running);
}

static void send_sgi(uint8_t from, uint8_t to)
{
    struct mmio_access access = {
        .offset = GICD_SGIR, .width = 4, .write = true, .vcpu = from, .value = 1u << (16 + to)};

    assert_true(vgic_v2_access(NULL, &access));
}

/* What a vCPU's list registers held when it went off is not there when it comes back. */
static void a_vcpu_that_comes_back_is_offered_interrupts_then(void **state)
{
    (void)state;
    fake_vm_start(2, false);
    enable_interrupts(2);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    vgic_raise_timer(1);
    fake_acknowledge(1, 0);
    fake_vm_smc(1, CPU_OFF, 0, 0, 0);
    fake_vm_smc(0, CPU_ON, 1, PC + 8, 0);
    assert_int_equal(fake.vcpu[1].context.pc, FAKE_VM_RESET_GPA);
    send_sgi(0, 1); /* not while it runs our program */
    assert_int_equal(fake.vcpu[1].injections, 1);
    fake_eoi(1, 0);
    assert_int_equal(fake.vcpu[1].injections, 1);
    reset_done(1);
    assert_int_equal(fake.vcpu[1].context.pc, PC + 8);
    assert_int_equal(fake.vcpu[1].injections, 2);
    assert_true(fake.vcpu[0].running);
}

static void off_and_on_again(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    fake_vm_smc(0, SYSTEM_OFF, 0, 0, 0);
    assert_false(vm_running());
    fake_vm_type("x");
    assert_false(fake.vcpu[0].running);
    fake_vm_type("\r\r\r"); /* once is enough */
    reset_done(0);
    booted_as_linux_wants_it(0);
    /* The keys behind the first are for the guest. */
    said("starting");
}

static void a_crashed_vm_can_be_started_again(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    vm_crash(0, 0x1234, "it fell over");
    said("vmm vm7: stopped: vCPU 0 at 0x1234: it fell over; press Enter to start it\n");
    fake_vm_type("\r");
    reset_done(0);
    assert_true(vm_running());
}

/* ---- A kernel that has panicked ---- */

#define LAST_WORDS "[    7.1] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---\r\n"

static void prints(const char *text)
{
    for (; *text != '\0'; text++) {
        struct mmio_access access = {.width = 1, .write = true, .value = (uint8_t)*text};

        assert_true(mmio_route(FAKE_VM_PL011_GPA, &access));
    }
    pl011_flush();
}

static void a_second_passes(void)
{
    time_passes(fake.frequency);
}

static void a_panicked_vm_is_restarted_by_enter(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    prints(LAST_WORDS);
    fake_vm_type("\r"); /* for the guest, or lost: nobody has been told yet */
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    a_second_passes();
    assert_int_equal(fake_vm_console_state(), CONSOLE_PANICKED);
    said("vmm vm7: panicked; press Enter to restart it\n");
    a_second_passes();
    assert_string_equal(fake_vm_output(), "");
    assert_true(vm_running());
    assert_true(fake.vcpu[0].running); /* a debugger may still be there */
    fake_vm_type("xy");
    assert_true(vm_running());
    fake_vm_type("\r");
    said("restarting");
    reset_done(0);
    booted_as_linux_wants_it(0);
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    a_second_passes();
    assert_string_equal(fake_vm_output(), "");
}

/* ---- What becomes of a machine that has crashed ---- */

static void write_word(uint64_t gpa, uint8_t width, uint64_t value)
{
    struct mmio_access access = {.width = width, .write = true, .value = value};

    assert_true(mmio_route(gpa, &access));
}

/* By an exit, as all that a guest does: it is a store of WZR. */
static bool feed_watchdog(uint8_t vcpu, uint32_t offset)
{
    return fake_vm_data_abort(vcpu, FAKE_VM_WATCHDOG_GPA + offset,
                              1u << 24 | 2u << 22 | 31u << 16 | 1u << 6 | 7);
}

static void start_watchdog(void)
{
    write_word(FAKE_VM_WATCHDOG_GPA + 8, 4, 3);
}

/* Let time pass, with all notifications that are asked for. */
static void much_time_passes(uint64_t tenths)
{
    uint64_t end = fake.counter + tenths * fake.frequency / 10;

    while (fake_vm.timer_deadline <= end) {
        fake.counter =
            fake_vm.timer_deadline > fake.counter ? fake_vm.timer_deadline : fake.counter;
        fake_vm.timer_deadline = UINT64_MAX;
        notified(FAKE_VM_TIMER_CHANNEL);
    }
    fake.counter = end;
}

static void a_crashed_vm_is_restarted_five_times(void **state)
{
    (void)state;
    fake_vm_start_with(1, VMM_ON_CRASH_RESTART);
    for (unsigned i = 0; i < 5; i++) {
        char text[80];

        vm_crash(0, 0x1234, "it fell over");
        assert_int_equal(fake_vm_console_state(), CONSOLE_STOPPED);
        snprintf(text, sizeof(text),
                 "vm7: stopped: vCPU 0 at 0x1234: it fell over; restarts in %u s, or at Enter\n",
                 1u << i);
        said(text);
        much_time_passes(10u * (1u << i) - 1);
        assert_false(fake.vcpu[0].running);
        much_time_passes(1);
        snprintf(text, sizeof(text), "vmm vm7: restarting, %u of 5\n", i + 1);
        said(text);
        reset_done(0);
        booted_as_linux_wants_it(0);
        assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    }
    vm_crash(0, 0x1234, "it fell over");
    said("it fell over; held: it has been restarted 5 times in a row; press Enter to start it\n");
    much_time_passes(10000);
    assert_false(fake.vcpu[0].running);
    fake_vm_type("\r");
    reset_done(0);
    assert_true(vm_running());
    vm_crash(0, 0x1234, "it fell over");
    said("restarts in 1 s"); /* somebody cares for it */
}

static void enter_does_not_wait(void **state)
{
    (void)state;
    fake_vm_start_with(1, VMM_ON_CRASH_RESTART);
    fake_vm_type("\r"); /* for the guest, which does not read it: no answer to what comes */
    vm_crash(0, 0x1234, "it fell over");
    assert_false(fake.vcpu[0].running);
    fake_vm_type("\r");
    said("starting");
    reset_done(0);
    assert_true(vm_running());
    much_time_passes(100);
    assert_true(vm_running());
    assert_string_equal(fake_vm_output(), "");
    assert_int_equal(fake_vm.virtio_resets, 1);
}

static void what_a_guest_asks_for_is_no_crash(void **state)
{
    (void)state;
    fake_vm_start_with(1, VMM_ON_CRASH_RESTART);
    for (unsigned i = 0; i < 10; i++) {
        fake_vm_smc(0, SYSTEM_RESET, 0, 0, 0);
        reset_done(0);
        assert_true(vm_running());
    }
    fake_vm_smc(0, SYSTEM_OFF, 0, 0, 0);
    said("powered off");
    much_time_passes(1000);
    assert_false(vm_running());
}

static void a_panic_is_a_crash(void **state)
{
    (void)state;
    fake_vm_start_with(2, VMM_ON_CRASH_RESTART);
    prints(LAST_WORDS);
    much_time_passes(10);
    said("vmm vm7: stopped: its kernel has panicked; restarts in 1 s");
    assert_false(fake.vcpu[0].running);
    much_time_passes(10);
    reset_done(0);
    booted_as_linux_wants_it(0);
    fake_vm_start_with(1, VMM_ON_CRASH_STOP);
    prints(LAST_WORDS);
    much_time_passes(10);
    said("vmm vm7: stopped: its kernel has panicked; press Enter to start it\n");
    much_time_passes(1000);
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake_vm_console_state(), CONSOLE_STOPPED);
}

/* The exit that tells it is answered as any other: the machine is stopped by what comes after it.
 */
static void pvpanic_tells_at_once(void **state)
{
    struct mmio_access access = {.width = 1};

    (void)state;
    fake_vm_start_with(1, VMM_ON_CRASH_RESTART);
    assert_true(mmio_route(FAKE_VM_PVPANIC_GPA, &access));
    assert_int_equal(access.value, 3);
    write_word(FAKE_VM_PVPANIC_GPA, 1, 0xfc);
    much_time_passes(100);
    assert_string_equal(fake_vm_output(), "");
    write_word(FAKE_VM_PVPANIC_GPA, 1, 2);
    said("panicked; its crash kernel takes over");
    much_time_passes(100);
    assert_true(vm_running());
    write_word(FAKE_VM_PVPANIC_GPA + 1, 1, 1); /* there is nothing */
    much_time_passes(100);
    assert_true(vm_running());
    write_word(FAKE_VM_PVPANIC_GPA, 1, 1);
    write_word(FAKE_VM_PVPANIC_GPA, 1, 1);
    assert_true(vm_running());
    prints("what else it has to say\n");
    time_passes(0);
    assert_false(vm_running());
    said("vmm vm7: stopped: its kernel has panicked; restarts in 1 s");
    assert_int_equal(fake_vm.virtio_resets, 1);
}

static void what_pvpanic_tells_is_not_denied(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    write_word(FAKE_VM_PVPANIC_GPA, 1, 1);
    much_time_passes(0);
    assert_int_equal(fake_vm_console_state(), CONSOLE_PANICKED);
    said("vmm vm7: panicked; press Enter to restart it\n");
    prints("Kernel Offset: disabled\n");
    assert_int_equal(fake_vm_console_state(), CONSOLE_PANICKED);
    prints(LAST_WORDS);
    write_word(FAKE_VM_PVPANIC_GPA, 1, 1);
    much_time_passes(100);
    wfi(0);
    assert_int_equal(fake_vm_console_state(), CONSOLE_PANICKED);
    fake_vm_output();
    fake_vm_type("\r");
    said("restarting");
    reset_done(0);
    booted_as_linux_wants_it(0);
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    much_time_passes(100);
    assert_string_equal(fake_vm_output(), "");
}

static void a_panic_that_is_told_ends_with_the_machine(void **state)
{
    (void)state;
    fake_vm_start_with(1, VMM_ON_CRASH_RESTART);
    write_word(FAKE_VM_PVPANIC_GPA, 1, 1);
    fake_vm_smc(0, SYSTEM_RESET, 0, 0, 0); /* before anybody has heard of it */
    reset_done(0);
    much_time_passes(100);
    assert_true(vm_running());
    assert_int_equal(fake_vm.virtio_resets, 1);
}

static void a_silent_guest_is_restarted_by_its_watchdog(void **state)
{
    (void)state;
    fake_vm_start_with(2, VMM_ON_CRASH_RESTART);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    much_time_passes(1000);
    assert_true(vm_running()); /* it has not started it */
    start_watchdog();
    wfi(0);
    for (unsigned i = 0; i < 10; i++) {
        much_time_passes(98);
        assert_true(feed_watchdog(1, 0x00c));
    }
    assert_true(vm_running());
    much_time_passes(99);
    assert_true(fake.vcpu[1].running);
    much_time_passes(2);
    assert_false(vm_running());
    assert_false(fake.vcpu[0].running || fake.vcpu[1].running);
    said("vmm vm7: stopped: its watchdog has expired; restarts in 1 s, or at Enter\n");
    much_time_passes(10);
    reset_done(0);
    reset_done(1);
    booted_as_linux_wants_it(0);
    much_time_passes(1000); /* off, until it is started */
    assert_true(vm_running());
}

static void who_restarts_a_vm_stops_its_watchdog(void **state)
{
    (void)state;
    fake_vm_start_with(1, VMM_ON_CRASH_HOLD);
    start_watchdog();
    feed_watchdog(0, 0x00c);
    prints(LAST_WORDS);
    much_time_passes(15);
    said("panicked");
    fake_vm_type("\r");
    reset_done(0);
    said("restarting");
    much_time_passes(1000);
    assert_true(vm_running());
    start_watchdog();
    fake_vm_smc(0, SYSTEM_RESET, 0, 0, 0);
    reset_done(0);
    much_time_passes(1000);
    assert_true(vm_running());
    start_watchdog();
    much_time_passes(101);
    assert_false(fake.vcpu[0].running);
    said("vmm vm7: stopped: its watchdog has expired; press Enter to start it\n");
}

static void a_throttled_vm_is_restarted_too(void **state)
{
    (void)state;
    fake_vm_start_limited(1, 1000, 10000);
    start_watchdog();
    fake_vm.device_cost = 3 * millisecond();
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, 1u << 24 | 2u << 22 | 31u << 16 | 1u << 6 | 7);
    assert_int_equal(vcpu_state(0), VCPU_THROTTLED);
    fake.counter += 11 * fake.frequency; /* the monitor has not run either */
    notified(FAKE_VM_TIMER_CHANNEL);
    assert_int_equal(vcpu_state(0), VCPU_OFF);
    assert_false(fake.vcpu[0].running);
    said("its watchdog has expired");
}

static void a_vm_that_waits_can_be_stopped(void **state)
{
    (void)state;
    fake_vm_start_with(1, VMM_ON_CRASH_RESTART);
    vm_crash(0, 0x1234, "it fell over");
    vm_stop(VM_BY_PERSON);
    said("vmm vm7: stopped; press Enter to start it\n");
    much_time_passes(1000);
    assert_false(fake.vcpu[0].running);
    vm_start(VM_BY_PERSON);
    reset_done(0);
    assert_true(vm_running());
    vm_start(VM_BY_PERSON); /* it is on already */
    assert_true(vm_running());
    assert_int_equal(fake.vcpu[0].context.pc, FAKE_VM_KERNEL_GPA);
}

static void the_line_comes_in_any_pieces(void **state)
{
    const char *line = LAST_WORDS;

    (void)state;
    for (size_t cut = 0; cut <= strlen(line); cut++) {
        panic_reset();
        panic_printed(PANIC_VIRTIO, (const uint8_t *)line, (uint32_t)cut);
        panic_printed(PANIC_PL011, (const uint8_t *)"another console\n", 16);
        panic_printed(PANIC_VIRTIO, (const uint8_t *)line + cut, (uint32_t)(strlen(line) - cut));
        fake.counter += fake.frequency;
        assert_int_equal(panic_timer_expired(), cut < strlen(line));
    }
    panic_reset();
}

static bool is_a_panic(const char *text)
{
    bool is;

    panic_reset();
    panic_printed(PANIC_VIRTIO, (const uint8_t *)text, (uint32_t)strlen(text));
    fake.counter += fake.frequency;
    is = panic_timer_expired();
    assert_int_equal(panic_stands(), is);
    panic_reset();
    return is;
}

static void only_the_line_is_the_line(void **state)
{
    (void)state;
    assert_true(is_a_panic("---[ end Kernel panic - not syncing: x ]---\n"));
    assert_true(is_a_panic("-----[ end Kernel panic - not syncing:  ]---\r\n"));
    assert_true(is_a_panic("x\n---[ end Kernel panic - not syncing: a ]--- ]---\n"));
    assert_true(is_a_panic("---[ end---[ end Kernel panic - not syncing: a  ]---\n"));
    assert_false(is_a_panic("---[ end Kernel panic - not syncing: x ]---"));
    assert_false(is_a_panic("---[ end Kernel panic - not syncing: x ]---\nvm0:~# "));
    assert_false(is_a_panic("---[ end Kernel panic - not syncing: x ]--- \n"));
    assert_false(is_a_panic("---[ end Kernel panic - not syncing:\n ]---\n"));
    assert_false(is_a_panic("--[ end Kernel panic - not syncing: x ]---\n"));
    assert_false(is_a_panic("---[ end trace 0123456789abcdef ]---\n"));
    assert_false(is_a_panic("Kernel panic - not syncing: x\n"));
    assert_false(is_a_panic(""));
}

static void any_text_is_survived(void **state)
{
    static const char alphabet[] = "-[ ]endKrlpaicotsyg:\r\n";
    static const char head[] = "---[ end Kernel panic - not syncing: ";

    (void)state;
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t text[64];
        uint32_t length = (uint32_t)rand() % sizeof(text);

        for (uint32_t i = 0; i < length; i++) {
            text[i] = (uint8_t)(rand() % 8 != 0 ? alphabet[rand() % (int)(sizeof(alphabet) - 1)]
                                                : rand());
        }
        if (rand() % 2 == 0) {
            panic_printed(PANIC_PL011, (const uint8_t *)head, sizeof(head) - 1);
        }
        panic_printed(rand() % 2 != 0 ? PANIC_VIRTIO : PANIC_PL011, text, length);
        if (length > 0 && text[length - 1] != '\n') {
            fake.counter += fake.frequency;
            assert_false(panic_timer_expired());
        }
    }
    panic_reset();
}

static void what_is_printed_afterwards_denies_a_panic(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    prints(LAST_WORDS);
    time_passes(fake.frequency / 2);
    prints("vm7:~# ");
    a_second_passes();
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    prints(LAST_WORDS);
    a_second_passes();
    assert_int_equal(fake_vm_console_state(), CONSOLE_PANICKED);
    prints("x\n"); /* a debugger's answer */
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    fake_vm_type("\r");
    assert_int_equal(fake.vcpu[0].restarts, 1);
}

static void a_vm_that_waits_has_not_panicked(void **state)
{
    (void)state;
    fake_vm_start(2, false);
    fake_vm_smc(0, CPU_ON, 1, FAKE_VM_KERNEL_GPA, 0);
    enable_interrupts(2);
    prints(LAST_WORDS);
    wfi(1);
    a_second_passes();
    assert_int_equal(fake_vm_console_state(), CONSOLE_PANICKED); /* vCPU 0 is busy */
    wfi(0);
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    prints(LAST_WORDS);
    wake(0);
    wfi(0);
    a_second_passes();
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    wake(0);
    fake_vm_type("\r");
    assert_true(vm_running());
}

static void the_console_learns_how_the_vm_is(void **state)
{
    (void)state;
    fake_vm_start(1, true);
    assert_int_equal(fake_vm_console_state(), CONSOLE_OFF);
    fake_vm_type("\r");
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    fake_vm_smc(0, SYSTEM_RESET, 0, 0, 0);
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    reset_done(0);
    vm_crash(0, 0x1234, "it fell over");
    assert_int_equal(fake_vm_console_state(), CONSOLE_STOPPED);
    fake_vm_type("\r");
    reset_done(0);
    fake_vm_smc(0, SYSTEM_OFF, 0, 0, 0);
    assert_int_equal(fake_vm_console_state(), CONSOLE_OFF);
}

/* ---- What a person asks for ---- */

static void touch_device(uint8_t vcpu)
{
    fake_vm_data_abort(vcpu, FAKE_VM_DEVICE_GPA, 1u << 24 | 2u << 22 | 31u << 16 | 1u << 6 | 7);
}

static void a_person_has_power_over_a_vm(void **state)
{
    (void)state;
    fake_vm_start(1, true);
    fake_vm_command(CONTROL_START);
    said("starting");
    booted_as_linux_wants_it(0);
    fake_vm_command(CONTROL_START); /* it runs already */
    assert_string_equal(fake_vm_output(), "");
    fake_vm_command(CONTROL_RESTART);
    reset_done(0);
    said("restarting");
    booted_as_linux_wants_it(0);
    fake_vm_command(CONTROL_KILL);
    said("stopped; press Enter to start it");
    assert_int_equal(fake_vm_console_state(), CONSOLE_OFF);
    assert_false(fake.vcpu[0].running);
    fake_vm_command(CONTROL_RESTART); /* of one that is off: a start */
    reset_done(0);
    booted_as_linux_wants_it(0);
    vm_crash(0, 0x1234, "it fell over");
    fake_vm_command(CONTROL_START);
    reset_done(0);
    assert_true(vm_running());
    fake_vm_command(0);
    fake_vm_command(99);
    fake_vm_command(255);
    notified(FAKE_VM_CONSOLE_CHANNEL); /* nothing new */
    assert_true(vm_running());
}

static void stop_presses_the_button_and_waits(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    fake_vm_command(CONTROL_STOP); /* it has no driver for it yet */
    said("vmm vm7: it has 30 s to shut down\n");
    much_time_passes(100);
    assert_int_equal(fake_vm.presses, 0);
    fake_vm.button_ready = true;
    much_time_passes(20);
    said("vmm vm7: its power button was pressed\n");
    much_time_passes(100);
    fake_vm_command(CONTROL_STOP); /* a second one gives no more time */
    much_time_passes(79);
    assert_true(vm_running());
    much_time_passes(2);
    said("vmm vm7: it has not shut down in 30 s\n");
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake_vm.presses, 2);
    fake_vm_command(CONTROL_START);
    reset_done(0);
    fake_vm_command(CONTROL_STOP);
    much_time_passes(100);
    fake_vm_smc(0, SYSTEM_OFF, 0, 0, 0); /* as it should */
    said("powered off");
    fake_vm_command(CONTROL_START);
    reset_done(0);
    much_time_passes(400);
    assert_true(vm_running());
    fake_vm_command(CONTROL_STOP);
    much_time_passes(100);
    wfi(0);
    fake_vm_command(CONTROL_PAUSE); /* its 30 s stand still */
    much_time_passes(1000);
    assert_true(vm_running());
    fake_vm_command(CONTROL_RESUME);
    much_time_passes(199);
    assert_true(vm_running());
    much_time_passes(15);
    assert_false(vm_running());
}

static void commands_come_while_a_vm_starts(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    for (uint8_t verb = CONTROL_START; verb <= CONTROL_RESUME; verb++) {
        fake_vm_command(CONTROL_RESTART);
        fake_vm_command(verb); /* while it resets */
        if (vcpu_state(0) == VCPU_RESETTING) {
            reset_done(0);
        }
        fake_vm_command(CONTROL_RESTART);
        reset_done(0);
        assert_true(vm_running());
        assert_false(freeze_active());
    }
}

static void a_paused_vm_stands_still(void **state)
{
    uint64_t offset, next;

    (void)state;
    fake_vm_start(2, false);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    enable_interrupts(2);
    offset = fake.vcpu[0].reg[seL4_VCPUReg_CNTVOFF];
    set_timer(0, 1, 100 * millisecond());
    wfi(0);
    next = fake_vm.timer_deadline;
    fake_vm_command(CONTROL_PAUSE);
    said("vmm vm7: paused\n");
    assert_int_equal(fake_vm_console_state(), CONSOLE_PAUSED);
    assert_true(fake.vcpu[1].running); /* until it exits */
    touch_device(1);
    assert_false(fake.vcpu[1].running);
    fake.counter += 60 * fake.frequency;
    notified(FAKE_VM_TIMER_CHANNEL); /* its timer's time has come, but for the pause */
    vgic_set_level(40, true);
    notified(FAKE_VM_FORWARD_CHANNEL);
    assert_false(fake.vcpu[0].running || fake.vcpu[1].running);
    fake_vm_command(CONTROL_PAUSE); /* once is enough */
    fake_vm_command(CONTROL_RESUME);
    said("vmm vm7: goes on\n");
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    for (uint8_t v = 0; v < 2; v++) {
        assert_true(fake.vcpu[v].running);
        assert_int_equal(fake.vcpu[v].reg[seL4_VCPUReg_CNTVOFF], offset + 60 * fake.frequency);
    }
    fake_vm_command(CONTROL_RESUME);
    assert_string_equal(fake_vm_output(), "");
    assert_true(next < fake.counter);
}

static void the_timer_of_a_vm_that_was_paused_expires_later(void **state)
{
    uint64_t next;

    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    set_timer(0, 1, 100 * millisecond());
    wfi(0);
    next = fake_vm.timer_deadline;
    fake_vm_command(CONTROL_PAUSE);
    fake.counter += fake.frequency;
    notified(FAKE_VM_TIMER_CHANNEL);
    fake_vm_command(CONTROL_RESUME);
    assert_true(fake.vcpu[0].running);
    wfi(0);
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake_vm.timer_deadline, next + fake.frequency);
}

static void a_vcpu_without_exits_is_paused_all_the_same(void **state)
{
    uint64_t offset;

    (void)state;
    fake_vm_start(2, false);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    offset = fake.vcpu[0].reg[seL4_VCPUReg_CNTVOFF];
    fake_vm_command(CONTROL_PAUSE);
    time_passes(19 * millisecond());
    assert_true(fake.vcpu[0].running && fake.vcpu[1].running);
    touch_device(1);
    assert_false(fake.vcpu[1].running);
    time_passes(2 * millisecond());
    assert_false(fake.vcpu[0].running);
    time_passes(1000 * millisecond());
    fake_vm_command(CONTROL_RESUME);
    assert_true(fake.vcpu[0].running && fake.vcpu[1].running);
    assert_int_equal(fake.vcpu[0].reg[seL4_VCPUReg_CNTVOFF], offset + 1000 * millisecond());
}

static void a_pause_that_is_taken_back_at_once_is_none(void **state)
{
    uint64_t offset;

    (void)state;
    fake_vm_start(1, false);
    offset = fake.vcpu[0].reg[seL4_VCPUReg_CNTVOFF];
    fake_vm_command(CONTROL_PAUSE);
    time_passes(millisecond());
    fake_vm_command(CONTROL_RESUME);
    time_passes(100 * millisecond());
    assert_true(fake.vcpu[0].running);
    assert_int_equal(fake.vcpu[0].reg[seL4_VCPUReg_CNTVOFF], offset);
    touch_device(0);
    assert_true(fake.vcpu[0].running);
}

static void a_throttled_vm_that_is_paused_waits_for_both(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        fake_vm_start_limited(1, 1000, 10000);
        fake_vm.device_cost = 3 * millisecond();
        touch_device(0);
        assert_int_equal(vcpu_state(0), VCPU_THROTTLED);
        fake_vm_command(CONTROL_PAUSE);
        if (first == 0) {
            time_passes(100 * millisecond());
            time_passes(100 * millisecond());
            assert_false(fake.vcpu[0].running);
            fake_vm_command(CONTROL_RESUME);
        } else {
            fake_vm_command(CONTROL_RESUME);
            assert_false(fake.vcpu[0].running);
            time_passes(100 * millisecond());
            time_passes(100 * millisecond());
        }
        assert_true(fake.vcpu[0].running);
    }
}

static void a_vm_that_starts_is_paused_in_front_of_its_guest(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    fake_vm_command(CONTROL_RESTART);
    fake_vm_command(CONTROL_PAUSE);
    reset_done(0);
    assert_int_equal(fake_vm_console_state(), CONSOLE_PAUSED);
    time_passes(25 * millisecond());
    assert_false(fake.vcpu[0].running);
    fake_vm_command(CONTROL_RESUME);
    assert_true(fake.vcpu[0].running);
    fake_vm_command(CONTROL_RESTART);
    fake_vm_command(CONTROL_PAUSE);
    fake_vm_command(CONTROL_RESUME);
    reset_done(0);
    assert_false(freeze_active());
}

static void a_timers_event_that_a_pause_withdraws_comes_again(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    set_timer(0, 1, millisecond());
    fake_vm_command(CONTROL_PAUSE);
    time_passes(25 * millisecond()); /* its event was under way when it was stopped */
    assert_false(fake.vcpu[0].running);
    fake_vm_command(CONTROL_RESUME);
    assert_true(vgic_pending(0));
}

static void a_panic_is_not_told_because_of_a_pause(void **state)
{
    (void)state;
    fake_vm_start_with(1, VMM_ON_CRASH_STOP);
    prints(LAST_WORDS);
    fake_vm_command(CONTROL_PAUSE);
    time_passes(25 * millisecond());
    much_time_passes(1000);
    fake_vm_command(CONTROL_RESUME);
    assert_true(vm_running());
    prints("and more\n");
    much_time_passes(20);
    assert_true(vm_running());
}

static void a_paused_vm_can_be_stopped_and_restarted(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    wfi(0);
    fake_vm_command(CONTROL_PAUSE);
    fake_vm_command(CONTROL_RESTART);
    reset_done(0);
    booted_as_linux_wants_it(0);
    assert_int_equal(fake_vm_console_state(), CONSOLE_RUNNING);
    fake_vm_command(CONTROL_PAUSE);
    fake_vm_command(CONTROL_KILL);
    assert_int_equal(fake_vm_console_state(), CONSOLE_OFF);
    fake_vm_command(CONTROL_PAUSE); /* it does not run */
    fake_vm_command(CONTROL_RESUME);
    assert_int_equal(fake_vm_console_state(), CONSOLE_OFF);
    fake_vm_command(CONTROL_START);
    reset_done(0);
    touch_device(0);
    assert_true(fake.vcpu[0].running);
}

static void a_vcpu_that_is_switched_on_meanwhile_is_paused_too(void **state)
{
    (void)state;
    fake_vm_start(2, false);
    fake_vm_command(CONTROL_PAUSE);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    assert_false(fake.vcpu[0].running);
    time_passes(25 * millisecond());
    time_passes(25 * millisecond());
    assert_false(fake.vcpu[1].running);
    fake_vm_command(CONTROL_RESUME);
    assert_true(fake.vcpu[0].running && fake.vcpu[1].running);
}

static void a_pause_is_no_time_in_which_a_vm_proves_sound(void **state)
{
    (void)state;
    fake_vm_start_with(1, VMM_ON_CRASH_RESTART);
    vm_crash(0, 0x1234, "it fell over");
    much_time_passes(10);
    reset_done(0);
    wfi(0);
    fake_vm_command(CONTROL_PAUSE);
    much_time_passes(1000);
    fake_vm_command(CONTROL_RESUME);
    fake_vm_output();
    vm_crash(0, 0x1234, "it fell over");
    said("restarts in 2 s");
}

static void the_watchdog_of_a_paused_vm_stands_still(void **state)
{
    (void)state;
    fake_vm_start_with(1, VMM_ON_CRASH_RESTART);
    start_watchdog(); /* 10 s */
    much_time_passes(50);
    wfi(0);
    fake_vm_command(CONTROL_PAUSE);
    much_time_passes(1000);
    fake_vm_command(CONTROL_RESUME);
    much_time_passes(49);
    assert_true(vm_running());
    much_time_passes(2);
    said("its watchdog has expired");
}

static void a_resetting_vm_that_cannot_is_stopped(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    fake_vm_smc(0, SYSTEM_RESET, 0, 0, 0);
    fake_vm_data_abort(0, FAKE_VM_GICD_GPA + 0x10000, 1u << 24 | 2u << 22 | 1u << 6 | 7);
    assert_false(fake.vcpu[0].running);
    said("stopped");
}

static void a_running_vm_gets_its_keys(void **state)
{
    struct mmio_access access = {.offset = 0, .width = 4};

    (void)state;
    fake_vm_start(1, false);
    notified(FAKE_VM_CONSOLE_CHANNEL);
    fake_vm_type("q\r");
    assert_true(mmio_route(FAKE_VM_PL011_GPA, &access));
    assert_int_equal(access.value, 'q');
    assert_int_equal(fake.vcpu[0].restarts, 1);
}

/* ---- Idling ---- */

/* Of two vCPUs, each from the moment that it is on to the moment that it is off. */
static void the_time_of_vcpus_is_counted(void **state)
{
    (void)state;
    const struct stats_machine *stats = &fake_vm.stats;
    uint64_t second = fake.frequency;

    fake_vm_start(2, false);
    enable_interrupts(2);
    uint64_t begin = stats_running(stats->vcpu_time, fake.counter);
    fake.counter += second;
    assert_int_equal(stats_running(stats->vcpu_time, fake.counter), begin + second);
    assert_int_equal(stats_running(stats->busy_time, fake.counter), begin + second);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    fake.counter += second;
    assert_int_equal(stats_running(stats->vcpu_time, fake.counter), begin + 3 * second);
    assert_int_equal(stats_running(stats->busy_time, fake.counter), begin + 3 * second);
    wfi(0);
    fake.counter += second;
    assert_int_equal(stats_running(stats->vcpu_time, fake.counter), begin + 5 * second);
    assert_int_equal(stats_running(stats->busy_time, fake.counter), begin + 4 * second);
    raise_line(SPI);
    fake.counter += second;
    assert_int_equal(stats_running(stats->busy_time, fake.counter), begin + 6 * second);
    fake_vm_command(CONTROL_PAUSE); /* a pause is no work */
    touch_device(0);
    touch_device(1);
    fake.counter += second;
    assert_int_equal(stats_running(stats->busy_time, fake.counter), begin + 6 * second);
    fake_vm_command(CONTROL_KILL);
    fake.counter += second;
    assert_int_equal(stats_running(stats->vcpu_time, fake.counter), begin + 9 * second);
    assert_int_equal(stats_running(stats->busy_time, fake.counter), begin + 6 * second);
}

static void events_are_counted(void **state)
{
    (void)state;
    const struct stats_machine *stats = &fake_vm.stats;

    fake_vm_start(1, false);
    enable_interrupts(1);
    uint64_t hypercalls = stats->exits_hypercall;
    assert_int_equal(stats->starts, 1);
    wfi(0);
    assert_int_equal(stats->exits_wfx, 1);
    raise_line(SPI);
    assert_int_equal(stats->interrupts, 1);
    fake_vm_smc(0, CPU_ON, 7, PC, 0);
    assert_int_equal(stats->exits_hypercall, hypercalls + 1);
    touch_device(0);
    assert_int_equal(stats->exits_mmio, 1);
    assert_int_equal(stats->crashes, 0);
    vm_crash(0, 0x1234, "it fell over");
    fake_vm_type("\r");
    reset_done(0);
    assert_int_equal(stats->crashes, 1);
    assert_int_equal(stats->starts, 2);
}

static void wfi_parks_until_an_interrupt(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    fake.vcpu[0].context.pc = PC;
    wfi(0);
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake_vm.timer_calls, 0); /* its timer is off */
    raise_line(SPI);
    assert_true(fake.vcpu[0].running);
    assert_true(fake_find_lr(0, SPI) >= 0);
    assert_int_equal(fake.vcpu[0].context.pc, PC);
}

/* The interrupt is taken before anything else. Its handler returns to what is behind the WFI. */
static void wfi_with_interrupts_open_ends(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    fake.vcpu[0].context.pc = PC;
    fake.vcpu[0].context.spsr &= ~(uint64_t)PSTATE_I;
    wfi(0);
    assert_false(fake.vcpu[0].running);
    raise_line(SPI);
    assert_true(fake.vcpu[0].running);
    assert_int_equal(fake.vcpu[0].context.pc, PC + 4);
}

/* A 16-bit instruction of AArch32, at EL0. */
static void short_wfi_ends(void **state)
{
    seL4_Word syndrome = (seL4_Word)EC_WFX << 26;

    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    fake.vcpu[0].context.pc = PC;
    fake.vcpu[0].context.spsr = PSTATE_AARCH32;
    fake_fault(0, seL4_Fault_VCPUFault, 1, &syndrome);
    raise_line(SPI);
    assert_int_equal(fake.vcpu[0].context.pc, PC + 2);
    syndrome |= 1; /* a WFE */
    fake_fault(0, seL4_Fault_VCPUFault, 1, &syndrome);
    assert_int_equal(fake.vcpu[0].context.pc, PC + 4);
}

/* The console has made room while the guest was on its way here: it is not to wait for the news. */
static void wfi_after_room_for_output_goes_on(void **state)
{
    struct mmio_access data = {.offset = 0, .width = 4, .write = true, .value = 'x'};
    struct mmio_access mask = {.offset = 0x38, .width = 4, .write = true, .value = 1u << 5};
    struct mmio_access clear = {.offset = 0x44, .width = 4, .write = true, .value = 0x7ff};

    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    for (unsigned i = 0; i < 4096 + 256; i++) {
        data.value = 'x';
        assert_true(mmio_route(FAKE_VM_PL011_GPA, &data));
    }
    assert_true(mmio_route(FAKE_VM_PL011_GPA + 0x44, &clear));
    assert_true(mmio_route(FAKE_VM_PL011_GPA + 0x38, &mask));
    assert_false(vgic_pending(0));
    (void)fake_vm_output();
    wfi(0);
    assert_true(vgic_pending(0));
    assert_true(fake.vcpu[0].running);
}

static void wfi_with_an_interrupt_pending_goes_on(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    raise_line(SPI);
    fake.vcpu[0].context.pc = PC;
    wfi(0);
    assert_true(fake.vcpu[0].running);
    assert_int_equal(fake.vcpu[0].context.pc, PC + 4);
}

static void an_interrupt_that_is_disabled_does_not_wake(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    write_gicd(0, GICD_CTLR, 4, 1);
    wfi(0);
    raise_line(SPI);
    assert_false(fake.vcpu[0].running);
}

static void the_timer_wakes_a_parked_vcpu(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    set_timer(0, 1, 500);
    wfi(0);
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake_vm.timer_deadline, fake.counter + 500);
    time_passes(499);
    assert_false(fake.vcpu[0].running);
    time_passes(1);
    assert_true(fake.vcpu[0].running);
    /* Its timer fires as soon as it runs. */
    assert_true(fake_fault(0, seL4_Fault_VPPIEvent, 1, (seL4_Word[]){27}));
    assert_true(fake_find_lr(0, 27) >= 0);
}

static void an_expired_timer_does_not_park(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    set_timer(0, 1, 0);
    wfi(0);
    assert_true(fake.vcpu[0].running);
    assert_int_equal(fake_vm.timer_calls, 0);
}

/* Whether it is on is asked when its time has come. */
static void a_timer_that_is_off_wakes_nobody(void **state)
{
    unsigned calls;

    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    for (unsigned control = 0; control < 4; control += control == 0 ? 2 : 1) { /* 0, 2, 3 */
        set_timer(0, control, 500);
        wfi(0);
        time_passes(500);
        assert_false(fake.vcpu[0].running);
        calls = fake_vm.timer_calls;
        time_passes(500);
        assert_false(fake.vcpu[0].running);
        assert_int_equal(fake_vm.timer_calls, calls);
        wake(0);
    }
    set_timer(0, 1, 500);
    wfi(0);
    time_passes(500);
    assert_true(fake.vcpu[0].running);
}

static void a_timer_that_cannot_interrupt_is_not_armed(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    set_timer(0, 3, 0); /* masked */
    wfi(0);
    assert_false(fake.vcpu[0].running);
    wake(0);
    set_timer(0, 4, 0); /* not enabled */
    wfi(0);
    assert_false(fake.vcpu[0].running);
    wake(0);
    set_timer(0, 1, 0);
    write_gicd(0, 0x180, 4, 1u << 27); /* disabled in the distributor */
    wfi(0);
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake_vm.timer_calls, 0);
}

static void a_timer_beyond_all_time_is_not_armed(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    fake.vcpu[0].reg[seL4_VCPUReg_CNTV_CTL] = 1;
    fake.vcpu[0].reg[seL4_VCPUReg_CNTV_CVAL] = UINT64_MAX;
    wfi(0);
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake_vm.timer_calls, 0);
}

static void an_earlier_wake_up_serves(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    set_timer(0, 1, 500);
    wfi(0);
    assert_int_equal(fake_vm.timer_calls, 1);
    for (unsigned i = 0; i < 10; i++) {
        wake(0);
        set_timer(0, 1, 600 + i);
        wfi(0);
    }
    assert_int_equal(fake_vm.timer_calls, 1); /* later ones cost nothing now */
    time_passes(500);
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake_vm.timer_calls, 2); /* but one call then */
    time_passes(109);
    assert_true(fake.vcpu[0].running);
    set_timer(0, 1, 100);
    wfi(0);
    wake(0);
    set_timer(0, 1, 50);
    wfi(0);
    assert_int_equal(fake_vm.timer_calls, 4); /* an earlier one is told at once */
}

static void each_vcpu_has_its_deadline(void **state)
{
    (void)state;
    fake_vm_start(3, false);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    fake_vm_smc(0, CPU_ON, 2, PC, 0);
    enable_interrupts(3);
    for (uint8_t v = 0; v < 3; v++) {
        set_timer(v, 1, 100u * (3u - v));
        wfi(v);
    }
    assert_int_equal(fake_vm.timer_calls, 3);
    time_passes(100);
    assert_true(fake.vcpu[2].running);
    assert_false(fake.vcpu[1].running);
    time_passes(100);
    assert_true(fake.vcpu[1].running);
    assert_false(fake.vcpu[0].running);
    time_passes(100);
    assert_true(fake.vcpu[0].running);
}

static void one_interrupt_wakes_one_vcpu(void **state)
{
    (void)state;
    fake_vm_start(2, false);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    enable_interrupts(2);
    write_gicd(0, GICD_ITARGETSR + SPI, 1, 2);
    wfi(0);
    wfi(1);
    raise_line(SPI);
    assert_true(fake.vcpu[1].running);
    assert_false(fake.vcpu[0].running);
    write_gicd(1, 0xf00, 4, 1u << 16 | 3); /* and sends it on by an SGI */
    assert_false(fake.vcpu[0].running);    /* not before the sender goes on */
    vcpu_start_woken();
    assert_true(fake.vcpu[0].running);
    assert_true(fake_find_lr(0, 3) >= 0);
}

static void wfe(uint8_t vcpu)
{
    fake.vcpu[vcpu].context.pc = PC;
    fake_vm_trap(vcpu, EC_WFX, 1);
}

static void spinning_gives_way_to_others(void **state)
{
    (void)state;
    fake_vm_start(2, false);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    enable_interrupts(2);
    wfe(0);
    assert_false(fake.vcpu[0].running);
    wfi(1); /* now there is nobody to give way to */
    assert_true(fake.vcpu[0].running);
    assert_int_equal(fake.vcpu[0].context.pc, PC + 4);
    wfe(0);
    assert_true(fake.vcpu[0].running);
    assert_int_equal(fake.vcpu[0].context.pc, PC + 4);
}

static void spinning_ends_after_a_while(void **state)
{
    uint64_t length;

    (void)state;
    fake_vm_start(2, false);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    enable_interrupts(2);
    length = fake.frequency / 10000;
    wfe(0);
    time_passes(length - 1);
    assert_false(fake.vcpu[0].running);
    time_passes(1);
    assert_true(fake.vcpu[0].running);
    set_timer(0, 1, 10); /* its own timer ends it before, */
    wfe(0);
    time_passes(10);
    assert_true(fake.vcpu[0].running);
    wfe(0); /* but not one that has expired: interrupts are masked */
    assert_false(fake.vcpu[0].running);
    raise_line(SPI);
    assert_true(fake.vcpu[0].running);
}

/* A store to the device, after the guest has run for some ticks. */
static void store(uint8_t vcpu, uint64_t after)
{
    fake.counter += after;
    fake_vm_data_abort(vcpu, FAKE_VM_DEVICE_GPA, 1u << 24 | 2u << 22 | 1u << 6 | 0xf);
}

/* The equals have had their turn, of so many ticks. */
static void turn_passes(uint64_t ticks)
{
    fake.counter += ticks;
    notified(FAKE_VM_TURN_CHANNEL);
}

static void a_guest_that_does_nothing_but_exit_gets_half(void **state)
{
    uint64_t millisecond, running = 0, begin;

    (void)state;
    fake_vm_start(1, false);
    millisecond = fake.frequency / 1000;
    fake_vm.device_cost = millisecond / 100;
    begin = fake.counter;
    while (fake.counter - begin < 1000 * millisecond) {
        uint64_t before = fake.counter;

        store(0, millisecond / 1000);
        running += fake.counter - before;
        if (!fake.vcpu[0].running) {
            raise_line(SPI); /* an interrupt is no way out */
            assert_false(fake.vcpu[0].running);
            turn_passes(2 * millisecond);
            assert_true(fake.vcpu[0].running);
        }
    }
    assert_in_range(running, 450 * millisecond, 550 * millisecond);
}

static void a_guest_that_exits_is_not_held_where_nobody_waits(void **state)
{
    uint64_t millisecond;
    unsigned asked = 0;

    (void)state;
    fake_vm_start(1, false);
    millisecond = fake.frequency / 1000;
    store(0, 0);
    store(0, 0); /* no time in between: the kernel's part costs nothing */
    fake_vm.device_cost = millisecond / 100;
    for (unsigned i = 0; i < 100000; i++) {
        store(0, millisecond / 80);
        if (!fake.vcpu[0].running) {
            asked++;
            turn_passes(millisecond / 100);
        }
        assert_true(fake.vcpu[0].running);
    }
    assert_in_range(asked, 450, 550);
}

/* One that is woken while the others are held waits with them. */
static void all_vcpus_of_a_machine_are_held_together(void **state)
{
    uint64_t millisecond;

    (void)state;
    fake_vm_start(3, false);
    fake_vm_smc(0, CPU_ON, 1, PC, 0);
    fake_vm_smc(0, CPU_ON, 2, PC, 0);
    wfi(2);
    millisecond = fake.frequency / 1000;
    fake_vm.device_cost = millisecond;
    while (fake.vcpu[0].running) {
        store(0, 0);
    }
    while (fake.vcpu[1].running) { /* until it exits, too */
        store(1, 0);
    }
    assert_false(fake.vcpu[1].running);
    for (unsigned i = 0; i < 4 && !fake.vcpu[0].running; i++) {
        turn_passes(2 * millisecond);
    }
    assert_true(fake.vcpu[0].running);
    assert_true(fake.vcpu[1].running);
    assert_false(fake.vcpu[2].running);
    while (fake.vcpu[0].running) {
        store(0, 0);
    }
    while (fake.vcpu[1].running) {
        store(1, 0);
    }
    vm_stop(VM_BY_GUEST); /* held ones, too */
    turn_passes(2 * millisecond);
    time_passes(1000 * millisecond);
    assert_false(fake.vcpu[0].running);
    assert_false(fake.vcpu[1].running);
}

static void a_fault_that_would_be_answered_is_held_as_well(void **state)
{
    uint64_t millisecond;

    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    millisecond = fake.frequency / 1000;
    fake_vm.device_cost = millisecond;
    while (fake.vcpu[0].running) {
        store(0, 0);
    }
    vcpu_unthrottle(0);
    assert_false(fake_fault(0, seL4_Fault_VPPIEvent, 1, (seL4_Word[]){27}));
    assert_false(fake.vcpu[0].running);
    turn_passes(2 * millisecond);
    assert_true(fake.vcpu[0].running);
}

/* Asking the timer driver takes the message registers, which hold what the exit is about. */
static void a_limited_machine_is_held_at_an_exit_that_is_handled(void **state)
{
    uint64_t millisecond, pc;
    unsigned held = 0;

    (void)state;
    fake_vm_start_limited(1, 3000, 10000);
    millisecond = fake.frequency / 1000;
    fake_vm.device_cost = millisecond;
    pc = fake.vcpu[0].context.pc;
    for (unsigned i = 1; i <= 20; i++) {
        store(0, 0);
        assert_int_equal(fake_vm.device_writes, i);
        assert_int_equal(fake.vcpu[0].context.pc, pc + 4 * i);
        while (!fake.vcpu[0].running) {
            held++;
            time_passes(10 * millisecond);
        }
    }
    assert_in_range(held, 5, 20);
}

static void pass_and_expect_expiries(uint64_t ticks, unsigned expiries)
{
    time_passes(ticks);
    assert_int_equal(fake_vm.timer_expiries, expiries);
}

static void coalescing_timer_expires_in_time(void **state)
{
    uint64_t millisecond;

    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    millisecond = fake.frequency / 1000;
    timer_set_coalescing(4 * millisecond, 2 * millisecond);
    pass_and_expect_expiries(2 * millisecond, 0); /* no vCPU has been parked */
    pass_and_expect_expiries(2 * millisecond - 1, 0);
    pass_and_expect_expiries(1, 1);
    pass_and_expect_expiries(100 * millisecond, 1); /* once */

    timer_set_coalescing(4 * millisecond, 2 * millisecond);
    timer_set_coalescing(5 * millisecond, millisecond / 2);
    pass_and_expect_expiries(millisecond, 1);
    wfi(0); /* it may be waiting for it */
    assert_int_equal(fake_vm.idled, 1);
    pass_and_expect_expiries(millisecond / 2 - 1, 1);
    wake(0); /* not for that */
    pass_and_expect_expiries(millisecond, 1);
    wfi(0);
    pass_and_expect_expiries(millisecond / 2 - 1, 1);
    pass_and_expect_expiries(1, 2);
}

/* One call of the driver's for the timer and for the vCPU that is parked soon after. */
static void coalescing_of_a_vcpu_that_is_parked_soon_asks_once(void **state)
{
    uint64_t millisecond;
    unsigned calls;

    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    calls = fake.ppcalls[FAKE_VM_TIMER_CHANNEL];
    millisecond = fake.frequency / 1000;
    timer_set_coalescing(4 * millisecond, 2 * millisecond);
    pass_and_expect_expiries(millisecond / 5, 0);
    wfi(0);
    assert_int_equal(fake.ppcalls[FAKE_VM_TIMER_CHANNEL], calls + 1);
    pass_and_expect_expiries(2 * millisecond - millisecond / 5 - 1, 0);
    pass_and_expect_expiries(1, 1); /* a fifth of a millisecond early */
    pass_and_expect_expiries(100 * millisecond, 1);
}

static void polling_timer_expires_while_a_vcpu_runs(void **state)
{
    uint64_t millisecond;

    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    millisecond = fake.frequency / 1000;
    timer_set_polling(millisecond);
    pass_and_expect_expiries(millisecond - 1, 0);
    pass_and_expect_expiries(1, 1);
    timer_set_polling(millisecond);
    pass_and_expect_expiries(millisecond / 2, 1);
    wfi(0);
    pass_and_expect_expiries(100 * millisecond, 1); /* what would there be to poll */
    raise_line(SPI);                                /* by a device that nobody is notified of */
    timer_resumed();
    assert_true(fake.vcpu[0].running);
    pass_and_expect_expiries(millisecond - 1, 1);
    pass_and_expect_expiries(1, 2);
}

/* A machine that was throttled goes on, and so does the polling of its queues. */
static void polling_timer_goes_on_after_throttling(void **state)
{
    uint64_t millisecond;

    (void)state;
    fake_vm_start(1, false);
    millisecond = fake.frequency / 1000;
    timer_set_polling(millisecond);
    fake_vm.device_cost = millisecond;
    while (fake.vcpu[0].running) {
        store(0, 0);
    }
    time_passes(5 * millisecond);
    assert_int_equal(fake_vm.timer_expiries, 0);
    turn_passes(2 * millisecond);
    assert_true(fake.vcpu[0].running);
    pass_and_expect_expiries(millisecond - 1, 0);
    pass_and_expect_expiries(1, 1);
}

/* What would come for nothing is put off, which costs less. */
static void a_wake_up_in_vain_is_put_off(void **state)
{
    uint64_t millisecond;

    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    millisecond = fake.frequency / 1000;
    set_timer(0, 1, millisecond);
    wfi(0);
    wake(0);
    set_timer(0, 1, 10 * millisecond);
    wfi(0);
    assert_int_equal(fake_vm.timer_calls, 2);
    assert_int_equal(fake_vm.timer_deadline, fake.counter + 10 * millisecond);
}

static void a_parked_vm_can_be_reset_and_stopped(void **state)
{
    (void)state;
    fake_vm_start(2, false);
    enable_interrupts(2);
    set_timer(0, 1, 500);
    wfi(0);
    vm_stop(VM_BY_GUEST);
    time_passes(1000);
    raise_line(SPI);
    assert_false(fake.vcpu[0].running);
    vgic_set_level(SPI, false);
}

/* ---- A device that is handed to the machine ---- */

static void end_forwarded(void)
{
    int index = fake_find_lr(0, FAKE_VM_FORWARD_INTID);

    assert_true(index >= 0);
    fake_eoi(0, (unsigned)index);
}

static void a_device_of_the_boards_wakes_its_machine(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    wfi(0);
    assert_false(fake.vcpu[0].running);
    notified(FAKE_VM_FORWARD_CHANNEL);
    assert_true(fake.vcpu[0].running);
    assert_int_equal(fake.irq_acks[FAKE_VM_FORWARD_CHANNEL], 0);
    end_forwarded();
    assert_int_equal(fake.irq_acks[FAKE_VM_FORWARD_CHANNEL], 1);
}

static void a_device_interrupts_a_machine_that_is_off_once(void **state)
{
    (void)state;
    fake_vm_start(1, true);
    notified(FAKE_VM_FORWARD_CHANNEL);
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake.irq_acks[FAKE_VM_FORWARD_CHANNEL], 0);
    fake_vm_type("\r");
    assert_int_equal(fake.irq_acks[FAKE_VM_FORWARD_CHANNEL], 0);
    enable_interrupts(1); /* the driver that has set the device up looks whether it interrupts */
    assert_int_equal(fake.irq_acks[FAKE_VM_FORWARD_CHANNEL], 1);
    notified(FAKE_VM_FORWARD_CHANNEL);
    vm_restart(VM_BY_GUEST);
    assert_int_equal(fake.irq_acks[FAKE_VM_FORWARD_CHANNEL], 2);
    notified(FAKE_VM_FORWARD_CHANNEL);
    assert_int_equal(fake.irq_acks[FAKE_VM_FORWARD_CHANNEL], 2);
}

/* It interrupts again at each end. The machine pays, and while it does there is no end. */
static void a_device_that_storms_is_its_machines_loss(void **state)
{
    uint64_t millisecond, begin;

    (void)state;
    fake_vm_start(1, false);
    enable_interrupts(1);
    millisecond = fake.frequency / 1000;
    begin = fake.counter;
    notified(FAKE_VM_FORWARD_CHANNEL);
    while (fake.vcpu[0].running) {
        assert_in_range(fake.counter - begin, 0, 4 * millisecond);
        fake.counter += millisecond / 100;
        end_forwarded();
        notified(FAKE_VM_FORWARD_CHANNEL);
    }
    begin = fake.irq_acks[FAKE_VM_FORWARD_CHANNEL];
    fake.counter += millisecond;
    assert_false(fake.vcpu[0].running);
    assert_true(fake_find_lr(0, FAKE_VM_FORWARD_INTID) >= 0);
    assert_int_equal(fake.irq_acks[FAKE_VM_FORWARD_CHANNEL], begin);
    turn_passes(2 * millisecond);
    assert_true(fake.vcpu[0].running);
    end_forwarded();
}

static void parking_sends_an_unfinished_line(void **state)
{
    struct mmio_access access = {.width = 1, .write = true, .value = '>'};

    (void)state;
    fake_vm_start(1, false);
    assert_true(mmio_route(FAKE_VM_PL011_GPA, &access));
    assert_string_equal(fake_vm_output(), "");
    wfi(0);
    assert_string_equal(fake_vm_output(), ">");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vm_starts_by_itself),
        cmocka_unit_test(a_held_vm_starts_at_enter),
        cmocka_unit_test(a_vm_with_bad_images_is_not_started),
        cmocka_unit_test(a_vm_waits_for_its_devices_to_quiesce),
        cmocka_unit_test(reset_is_pristine),
        cmocka_unit_test(a_restart_leaves_the_others_half),
        cmocka_unit_test(a_restart_leaves_equals_their_turns),
        cmocka_unit_test(a_first_start_is_loaded_in_pieces_too),
        cmocka_unit_test(nothing_else_moves_a_vm_that_is_loading),
        cmocka_unit_test(a_vm_that_is_loading_can_be_switched_off),
        cmocka_unit_test(list_registers_are_emptied_before_the_next_guest),
        cmocka_unit_test(the_reset_program_ends_interrupts_in_the_guests_own_interface),
        cmocka_unit_test(a_gicv3_guest_restarts),
        cmocka_unit_test(off_and_on_again),
        cmocka_unit_test(a_crashed_vm_can_be_started_again),
        cmocka_unit_test(a_panicked_vm_is_restarted_by_enter),
        cmocka_unit_test(a_crashed_vm_is_restarted_five_times),
        cmocka_unit_test(enter_does_not_wait),
        cmocka_unit_test(what_a_guest_asks_for_is_no_crash),
        cmocka_unit_test(a_panic_is_a_crash),
        cmocka_unit_test(pvpanic_tells_at_once),
        cmocka_unit_test(what_pvpanic_tells_is_not_denied),
        cmocka_unit_test(a_panic_that_is_told_ends_with_the_machine),
        cmocka_unit_test(a_silent_guest_is_restarted_by_its_watchdog),
        cmocka_unit_test(who_restarts_a_vm_stops_its_watchdog),
        cmocka_unit_test(a_throttled_vm_is_restarted_too),
        cmocka_unit_test(a_vm_that_waits_can_be_stopped),
        cmocka_unit_test(the_line_comes_in_any_pieces),
        cmocka_unit_test(only_the_line_is_the_line),
        cmocka_unit_test(any_text_is_survived),
        cmocka_unit_test(what_is_printed_afterwards_denies_a_panic),
        cmocka_unit_test(a_vm_that_waits_has_not_panicked),
        cmocka_unit_test(the_console_learns_how_the_vm_is),
        cmocka_unit_test(a_person_has_power_over_a_vm),
        cmocka_unit_test(stop_presses_the_button_and_waits),
        cmocka_unit_test(commands_come_while_a_vm_starts),
        cmocka_unit_test(a_paused_vm_stands_still),
        cmocka_unit_test(the_timer_of_a_vm_that_was_paused_expires_later),
        cmocka_unit_test(a_vcpu_without_exits_is_paused_all_the_same),
        cmocka_unit_test(a_pause_that_is_taken_back_at_once_is_none),
        cmocka_unit_test(a_throttled_vm_that_is_paused_waits_for_both),
        cmocka_unit_test(a_vm_that_starts_is_paused_in_front_of_its_guest),
        cmocka_unit_test(a_timers_event_that_a_pause_withdraws_comes_again),
        cmocka_unit_test(a_panic_is_not_told_because_of_a_pause),
        cmocka_unit_test(a_paused_vm_can_be_stopped_and_restarted),
        cmocka_unit_test(a_vcpu_that_is_switched_on_meanwhile_is_paused_too),
        cmocka_unit_test(a_pause_is_no_time_in_which_a_vm_proves_sound),
        cmocka_unit_test(the_watchdog_of_a_paused_vm_stands_still),
        cmocka_unit_test(a_resetting_vm_that_cannot_is_stopped),
        cmocka_unit_test(a_vcpu_that_comes_back_is_offered_interrupts_then),
        cmocka_unit_test(a_running_vm_gets_its_keys),
        cmocka_unit_test(the_time_of_vcpus_is_counted),
        cmocka_unit_test(events_are_counted),
        cmocka_unit_test(wfi_parks_until_an_interrupt),
        cmocka_unit_test(wfi_with_interrupts_open_ends),
        cmocka_unit_test(short_wfi_ends),
        cmocka_unit_test(wfi_after_room_for_output_goes_on),
        cmocka_unit_test(wfi_with_an_interrupt_pending_goes_on),
        cmocka_unit_test(an_interrupt_that_is_disabled_does_not_wake),
        cmocka_unit_test(the_timer_wakes_a_parked_vcpu),
        cmocka_unit_test(coalescing_timer_expires_in_time),
        cmocka_unit_test(coalescing_of_a_vcpu_that_is_parked_soon_asks_once),
        cmocka_unit_test(polling_timer_expires_while_a_vcpu_runs),
        cmocka_unit_test(polling_timer_goes_on_after_throttling),
        cmocka_unit_test(a_wake_up_in_vain_is_put_off),
        cmocka_unit_test(an_expired_timer_does_not_park),
        cmocka_unit_test(a_timer_that_is_off_wakes_nobody),
        cmocka_unit_test(a_timer_that_cannot_interrupt_is_not_armed),
        cmocka_unit_test(a_timer_beyond_all_time_is_not_armed),
        cmocka_unit_test(an_earlier_wake_up_serves),
        cmocka_unit_test(each_vcpu_has_its_deadline),
        cmocka_unit_test(one_interrupt_wakes_one_vcpu),
        cmocka_unit_test(spinning_gives_way_to_others),
        cmocka_unit_test(spinning_ends_after_a_while),
        cmocka_unit_test(a_guest_that_does_nothing_but_exit_gets_half),
        cmocka_unit_test(a_guest_that_exits_is_not_held_where_nobody_waits),
        cmocka_unit_test(all_vcpus_of_a_machine_are_held_together),
        cmocka_unit_test(a_fault_that_would_be_answered_is_held_as_well),
        cmocka_unit_test(a_limited_machine_is_held_at_an_exit_that_is_handled),
        cmocka_unit_test(a_parked_vm_can_be_reset_and_stopped),
        cmocka_unit_test(a_device_of_the_boards_wakes_its_machine),
        cmocka_unit_test(a_device_interrupts_a_machine_that_is_off_once),
        cmocka_unit_test(a_device_that_storms_is_its_machines_loss),
        cmocka_unit_test(parking_sends_an_unfinished_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
