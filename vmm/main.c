/* SPDX-License-Identifier: BSD-2-Clause */

/* The monitor of one virtual machine: the entry points of its PD. */

#include <microkit.h>
#include <stdio.h>
#include "command.h"
#include "config.h"
#include "console_port.h"
#include "fault.h"
#include "freeze.h"
#include "idle.h"
#include "lib/cpu.h"
#include "lib/gicv3.h"
#include "lib/log.h"
#include "lib/notify.h"
#include "mmio.h"
#include "pace.h"
#include "pl011.h"
#include "pl031.h"
#include "pvpanic.h"
#include "shared.h"
#include "stats.h"
#include "throttle.h"
#include "timer.h"
#include "vcpu.h"
#include "vgic.h"
#include "vm.h"
#include "vmm/virtio/virtio.h"
#include "watchdog.h"

static void init_messages(void)
{
    static char who[MICROKIT_PD_NAME_LENGTH];

    console_port_init(&vmm_config.console);
    snprintf(who, sizeof(who), "vmm %s", vmm_config.name);
    log_init(who, console_port_output(), vmm_config.console.channel);
}

/* What is read-only memory to the guest ignores what is written to it, as a ROM does. */
static bool ignore(void *unused, struct mmio_access *access)
{
    (void)unused;
    return access->write;
}

static void attach(uint64_t gpa, uint64_t size, mmio_handler handler)
{
    if (!mmio_attach(gpa, size, handler, NULL)) {
        log_printf("no room on the bus for the device at 0x%llx", (unsigned long long)gpa);
    }
}

static void attach_gic(void)
{
    if (vmm_config.gic_version == 2) {
        attach(vmm_config.gicd_gpa, VGIC_V2_SIZE, vgic_v2_access);
        return;
    }
    attach(vmm_config.gicd_gpa, GICD_SIZE, vgic_v3_access);
    attach(vmm_config.gicr_gpa, vmm_config.vcpu_count * (uint64_t)GICR_SIZE,
           vgic_redistributor_access);
}

static void forward_interrupts(void)
{
    for (uint32_t i = 0; i < vmm_config.forward_count && i < VMM_MAX_FORWARDS; i++) {
        if (!vgic_forward(&vmm_config.forwards[i])) {
            log_printf("interrupt %u cannot be forwarded", (unsigned)vmm_config.forwards[i].intid);
        }
    }
}

static void init_devices(void)
{
    static struct guest_memory memory; /* kept by the devices */

    memory = (struct guest_memory){vmm_config.ram, vmm_config.ram_gpa, vmm_config.ram_size};
    virtio_init(&vmm_config, &memory);
    attach_gic();
    forward_interrupts();
    shared_init(&vmm_config);
    if (vmm_config.console.present) {
        pl011_init(vmm_config.console.pl011_intid);
        attach(vmm_config.console.pl011_gpa, PL011_SIZE, pl011_access);
    }
    if (vmm_config.clock.gpa != 0) {
        if (!pl031_init(&vmm_config.clock)) {
            log_printf("%s: the time is that of the build",
                       vmm_config.clock.board ? "the board's clock is before the build"
                                              : "no clock of the board to read");
        }
        attach(vmm_config.clock.gpa, PL031_SIZE, pl031_access);
    }
    if (vmm_config.watchdog.gpa != 0) {
        watchdog_init(&vmm_config.watchdog);
        attach(vmm_config.watchdog.gpa, WATCHDOG_SIZE, watchdog_access);
    }
    if (vmm_config.pvpanic_gpa != 0) {
        attach(vmm_config.pvpanic_gpa, PVPANIC_SIZE, pvpanic_access);
    }
    if (vmm_config.flash != NULL) {
        attach(vmm_config.kernel.gpa, vmm_config.flash_size, ignore);
        attach(vmm_config.variables_gpa, vmm_config.variables_size, ignore);
    }
}

void init(void)
{
    uint32_t max_vcpus;

    pace_init(vmm_config.has_others, vmm_config.has_equals);
    pace_begin(cpu_counter());
    init_messages();
    max_vcpus = vgic_max_vcpus(vmm_config.gic_version);
    if (vmm_config.vcpu_count == 0 || vmm_config.vcpu_count > max_vcpus) {
        log_printf("%u vCPUs on a GICv%u: 1 to %u are possible", (unsigned)vmm_config.vcpu_count,
                   (unsigned)vmm_config.gic_version, (unsigned)max_vcpus);
        return;
    }
    vcpu_init(vmm_config.vcpu_count);
    idle_init(vmm_config.vcpu_core);
    vgic_init(vmm_config.gic_version, vmm_config.vcpu_count);
    timer_init(&vmm_config);
    throttle_init(&vmm_config);
    command_init();
    init_devices();
    vm_init(&vmm_config);
}

static void console_notified(microkit_channel ch)
{
    command_check();
    vm_console_input();
    /* There may be room for output again, also where a kernel that has panicked has no keys. */
    if (vm_running()) {
        virtio_notified(ch);
        pl011_notified();
    }
}

static void start_woken(void)
{
    if (!throttle_active() && !freeze_active() && vcpu_start_woken()) {
        timer_resumed();
    }
}

static void dispatch(microkit_channel ch)
{
    if (ch == vmm_config.timer_channel) {
        if (timer_notified()) {
            virtio_timer_expired();
        }
        pl031_timer_expired();
        vm_check_crash();
        freeze_timer_expired(cpu_counter());
        command_timer_expired();
        if (throttle_expired(cpu_counter())) {
            timer_resumed();
        }
    } else if (vmm_config.has_equals && ch == vmm_config.turn_channel) {
        if (throttle_turn_over(cpu_counter())) {
            timer_resumed();
        }
    } else if (vmm_config.console.present && ch == vmm_config.console.channel) {
        console_notified(ch);
    } else if (!vgic_forward_notified(ch) && !shared_notified(ch)) {
        virtio_notified(ch);
        vm_check_quiesced();
    }
}

void notified(microkit_channel ch)
{
    uint64_t begin = cpu_counter();

    pace_begin(begin);
    dispatch(ch);
    if (pace_over()) {
        virtio_resumed();
        vm_load();
    }
    shared_settle();
    start_woken();
    uint64_t end = cpu_counter();
    throttle_charge_notification(begin, end);
    stats_add(&vmm_config.stats->monitor_time, end - begin);
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    uint64_t begin = cpu_counter();
    uint8_t vcpu = (uint8_t)child;
    bool answer;

    if (child >= vcpu_count()) {
        return seL4_False;
    }
    pace_begin(begin);
    vcpu_exit_begins(vcpu);
    fault_handle(vcpu, msginfo);
    shared_settle();
    start_woken();
    *reply_msginfo = microkit_msginfo_new(0, 0);
    bool restart = microkit_have_signal;
    if (!restart) {
        vcpu_settle(vcpu);
    }
    uint64_t end = cpu_counter();
    answer = throttle_exit_ends(vcpu, vcpu_exit_ends(), begin, end);
    stats_add(&vmm_config.stats->monitor_time, end - begin);
    answer = freeze_exit_ends(vcpu, answer);
    /*
     * What is deferred goes out with the next wait, and so when the vCPU is ready again. Otherwise
     * a PD of higher priority would run first and resume another machine, and this vCPU, which is
     * resumed later, would go in front of that (vcpu_exit_ends).
     */
    if (answer && restart) {
        vcpu_restart(vcpu);
        throttle_charge_more(cpu_counter());
        return seL4_False;
    }
    return answer;
}
