/* SPDX-License-Identifier: BSD-2-Clause */

#include "vm.h"

#include <stdio.h>
#include "boot.h"
#include "command.h"
#include "console_port.h"
#include "crash.h"
#include "entropy.h"
#include "exits.h"
#include "freeze.h"
#include "idle.h"
#include "lib/cpu.h"
#include "lib/log.h"
#include "pace.h"
#include "panic.h"
#include "pl011.h"
#include "pl031.h"
#include "reset_program.h"
#include "shared.h"
#include "stats.h"
#include "throttle.h"
#include "timer.h"
#include "vcpu.h"
#include "vgic.h"
#include "vmm/virtio/virtio.h"
#include "watchdog.h"

/* Loading goes on for this part of a second in an event. Its steps are short (boot.h). */
#define PIECES_PER_SECOND 1000u

enum vm_state { VM_OFF = 0, VM_QUIESCING, VM_RESETTING, VM_LOADING, VM_RUNNING };

static struct {
    const struct vmm_config *config;
    struct guest_memory memory;
    enum vm_state state;
    bool bootable;
    bool pause_at_start; /* a person has paused it while it started */
    uint32_t used;       /* bit v: vCPU v has run */
    uint32_t resetting;  /* bit v: vCPU v runs the reset program */
    struct {
        uint64_t entry;
        uint64_t x0;
    } next[VMM_MAX_VCPUS]; /* where a vCPU that resets while the VM runs starts afterwards */
} vm;

#define START_HINT "press Enter to start it"

const struct guest_memory *vm_memory(void)
{
    return &vm.memory;
}

bool vm_running(void)
{
    return vm.state == VM_RUNNING;
}

static void power_on(uint8_t vcpu, uint64_t entry, uint64_t x0)
{
    vm.used |= 1u << vcpu;
    vcpu_power_on(vcpu, entry, x0, timer_clock_offset());
}

static void enter_kernel(void)
{
    timer_start_clock();
    crash_guest_begins();
    vm.state = VM_RUNNING;
    power_on(0, boot_entry(vm.config), vm.config->dtb.gpa);
    if (vm.pause_at_start) {
        vm.pause_at_start = false;
        vm_pause();
    }
}

void vm_load(void)
{
    uint64_t piece = cpu_counter_frequency() / PIECES_PER_SECOND;

    if (vm.state != VM_LOADING || pace_pauses()) {
        return;
    }
    if (throttle_active()) {
        pace_pause(0);
        return;
    }
    while (!boot_step()) {
        if (pace_elapsed() >= piece) {
            pace_pause(piece);
            return;
        }
    }
    enter_kernel();
}

static void start_loading(bool clean)
{
    vm.state = VM_LOADING;
    boot_start(vm.config, &vm.memory, clean);
    vm_load();
}

static void reset_vcpu(uint8_t vcpu)
{
    vm.resetting |= 1u << vcpu;
    vcpu_reset(vcpu, reset_program_entry(), reset_program_argument(vcpu));
}

static void reset_vcpus(void)
{
    vm.state = VM_RESETTING;
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (vm.used & (1u << v)) {
            reset_vcpu(v);
        }
    }
}

void vm_check_quiesced(void)
{
    if (vm.state != VM_QUIESCING || !virtio_quiesced()) {
        return;
    }
    if (vm.used == 0) {
        start_loading(true);
    } else {
        reset_vcpus();
    }
}

static void start(enum vm_by by)
{
    if (by == VM_BY_PERSON) {
        crash_forget();
    }
    STATS_COUNT_ONE(starts);
    vm.state = VM_QUIESCING;
    console_port_tell(CONSOLE_RUNNING);
    vm_check_quiesced();
}

/* Reset everything but the contents of memory to the state after power-on. */
static void stop(enum console_state how)
{
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (vcpu_state(v) != VCPU_OFF) {
            vcpu_power_off(v);
        }
    }
    vm.state = VM_OFF;
    vm.resetting = 0;
    vm.pause_at_start = false;
    freeze_reset();
    command_reset();
    virtio_reset();
    pl011_reset();
    panic_reset();
    console_port_tell(how);
    pl031_reset();
    watchdog_reset();
    vgic_reset();
    shared_reset();
    exits_report();
}

static const char *hint(void)
{
    return vm.config->console.present ? "; " START_HINT : "";
}

void vm_init(const struct vmm_config *config)
{
    const char *wrong;

    _Static_assert(VMM_SECRET_SIZE == ENTROPY_SECRET_SIZE, "the build's is this one");
    vm.config = config;
    entropy_init(config->secret);
    panic_reset();
    crash_init(config->on_crash);
    vm.state = VM_OFF;
    vm.used = 0;
    vm.memory = (struct guest_memory){config->ram, config->ram_gpa, config->ram_size};
    reset_program_init(config->reset_page, config->reset_gpa, config->gic_version,
                       config->gicd_gpa + VGIC_V2_CPU_INTERFACE);
    wrong = boot_check(config, &vm.memory);
    vm.bootable = wrong == NULL;
    if (wrong) {
        log_printf("cannot boot: %s", wrong);
    } else if (config->start_held) {
        log_printf("held%s", hint());
    } else {
        start(VM_BY_PERSON);
    }
    if (vm.state == VM_OFF) {
        console_port_tell(CONSOLE_OFF);
        vm_console_input(); /* asks for a notification when a key comes */
    }
}

/* Says so if it cannot. */
static bool can_boot(void)
{
    if (!vm.bootable) {
        log_printf("it cannot boot, as was said at its start");
    }
    return vm.bootable;
}

void vm_start(enum vm_by by)
{
    if (vm.state != VM_OFF || !can_boot()) {
        return;
    }
    if (by == VM_BY_POLICY) {
        log_printf("restarting, %u of %u", crash_restarts(), CRASH_RESTARTS);
    } else {
        log_printf("starting");
    }
    start(by);
}

void vm_stop(enum vm_by by)
{
    stop(CONSOLE_OFF);
    crash_forget();
    log_printf(by == VM_BY_GUEST ? "powered off%s" : "stopped%s", hint());
    vm_console_input();
}

void vm_restart(enum vm_by by)
{
    if (!can_boot()) {
        return;
    }
    stop(CONSOLE_OFF);
    log_printf("restarting");
    start(by);
}

void vm_pause(void)
{
    if (!vm_running()) {
        vm.pause_at_start = vm.state != VM_OFF;
        return;
    }
    if (freeze_active()) {
        return;
    }
    freeze_begin();
    console_port_tell(CONSOLE_PAUSED);
    log_printf("paused");
}

void vm_resume(void)
{
    vm.pause_at_start = false;
    if (!freeze_active()) {
        return;
    }
    log_printf("goes on");
    console_port_tell(panic_stands() ? CONSOLE_PANICKED : CONSOLE_RUNNING);
    freeze_end();
    panic_resumed();
    vm_check_crash(); /* its watchdog stood still, too */
}

void vm_cpu_on(uint8_t vcpu, uint64_t entry, uint64_t context_id)
{
    if (vm.used & (1u << vcpu)) {
        vm.next[vcpu].entry = entry;
        vm.next[vcpu].x0 = context_id;
        reset_vcpu(vcpu);
    } else {
        power_on(vcpu, entry, context_id);
        vgic_vcpu_on(vcpu);
    }
}

void vm_cpu_off(uint8_t vcpu)
{
    vcpu_power_off(vcpu);
    idle_left(vcpu);
    vgic_vcpu_off(vcpu);
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (vcpu_state(v) != VCPU_OFF) {
            return;
        }
    }
    vm_stop(VM_BY_GUEST);
}

bool vm_reset_done(uint8_t vcpu)
{
    if (!(vm.resetting & (1u << vcpu))) {
        return false;
    }
    vcpu_power_off(vcpu);
    vgic_lr_cleared(vcpu);
    vm.resetting &= ~(1u << vcpu);
    if (vm.state == VM_RUNNING) {
        power_on(vcpu, vm.next[vcpu].entry, vm.next[vcpu].x0);
        vgic_vcpu_on(vcpu);
    } else if (vm.resetting == 0) {
        start_loading(false);
    }
    return true;
}

static bool next_key(uint8_t *byte)
{
    do {
        if (console_port_read(byte, 1) == 1) {
            return true;
        }
    } while (console_port_await_data());
    return false;
}

/* What has been typed before is not an answer to a message. The guest will not read it either. */
static void drop_keys(void)
{
    uint8_t byte;

    while (next_key(&byte)) {
    }
}

/* The machine has crashed, or is to count as that: stop it, and see what the policy is. */
static void crashed(const char *cause)
{
    unsigned delay;

    stop(CONSOLE_STOPPED);
    drop_keys();
    delay = crash_happened();
    if (delay != 0) {
        log_printf("stopped: %s; restarts in %u s%s", cause, delay,
                   vm.config->console.present ? ", or at Enter" : "");
    } else if (crash_restarts() != 0) {
        log_printf("stopped: %s; held: it has been restarted %u times in a row%s", cause,
                   crash_restarts(), hint());
    } else {
        log_printf("stopped: %s%s", cause, hint());
    }
    vm_console_input();
}

void vm_crash(uint8_t vcpu, uint64_t pc, const char *cause)
{
    char text[128];

    snprintf(text, sizeof(text), "vCPU %u at 0x%llx: %s", vcpu, (unsigned long long)pc, cause);
    crashed(text);
}

bool vm_console_input(void)
{
    uint8_t byte;

    if (vm_running() && !panic_stands()) {
        return false;
    }
    while ((vm.state == VM_OFF || panic_stands()) && next_key(&byte)) {
        if (byte != '\r' && byte != '\n') {
            continue;
        }
        if (vm.state == VM_OFF) {
            vm_start(VM_BY_PERSON);
        } else {
            vm_restart(VM_BY_PERSON);
        }
    }
    return true;
}

static void panicked(void)
{
    if (vm.config->on_crash != VMM_ON_CRASH_HOLD) {
        crashed("its kernel has panicked");
        return;
    }
    drop_keys();
    log_printf("panicked; press Enter to restart it");
}

void vm_check_crash(void)
{
    if (freeze_active()) {
        return;
    }
    if (panic_timer_expired()) {
        panicked();
    }
    if (watchdog_timer_expired()) {
        crashed("its watchdog has expired");
    }
    if (crash_timer_expired()) {
        vm_start(VM_BY_POLICY);
    }
}
