/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"

#include <inttypes.h>
#include <string.h>
#include "check_devices.h"
#include "check_disks.h"
#include "check_domains.h"
#include "check_network.h"
#include "check_shared.h"
#include "diagnostics.h"
#include "layout.h"
#include "placement.h"

/* If a machine does not fit into memory that is all its own, the board's file is wrong. */
static uint64_t memory_for_vms(const struct system *system)
{
    const struct board_settings *board = &system->board.settings;
    uint64_t total = board->memory_size.number;
    uint64_t reserved = board->memory_reserved.number;

    return total > reserved ? total - reserved : 0;
}

static int setting_line(const struct setting *setting, int otherwise)
{
    return setting->line == 0 ? otherwise : setting->line;
}

static const char *memory_text(const struct vm *vm)
{
    return value_format(VALUE_SIZE, vm->settings.memory.number);
}

/* With a GICv2 the registers of the distributor have a bit for each vCPU. */
static void check_vcpus(const struct system *system)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        uint64_t vcpus = vm->settings.vcpus.number;
        if (system->board.gic.version.number == 2 && vcpus > VMM_MAX_VCPUS_GICV2 && vm->copy == 0) {
            error_at(system->path, setting_line(&vm->settings.vcpus, vm->line), vm->where,
                     "vcpus %" PRIu64 ": the board '%s' has a GICv2, which serves %d: take that at "
                     "most, or a board with a GICv3",
                     vcpus, system->board.name, VMM_MAX_VCPUS_GICV2);
        }
    }
}

#define FIRMWARE_RAM_MIN (64u << 20)

/* The same of a kernel that belongs to one place. */
static void check_placed_fits(const struct system *system, const struct vm *vm)
{
    const struct image *kernel = vm->kernel;
    const struct setting *setting =
        vm->settings.load.line != 0 ? &vm->settings.load : &vm->settings.kernel;
    uint64_t ram = layout_ram_gpa(system, vm);
    uint64_t memory = vm->settings.memory.number;
    struct guest_places places;

    if (kernel->address < ram || kernel->memory_size > memory ||
        kernel->address - ram > memory - kernel->memory_size) {
        error_at(system->path, setting_line(setting, vm->line), vm->where,
                 "kernel '%s': belongs at 0x%" PRIx64 " to 0x%" PRIx64
                 ", and the machine's memory is at 0x%" PRIx64 " to 0x%" PRIx64 ": %s",
                 vm->settings.kernel.text, kernel->address, kernel->address + kernel->memory_size,
                 ram, ram + memory,
                 kernel->load != 0 ? "load it there, or give the machine more"
                                   : "link it for there, or give the machine more");
    } else if (!layout_guest(system, vm, &places)) {
        error_at(system->path, setting_line(&vm->settings.memory, vm->line), vm->where,
                 "memory %s: too little for its kernel (%s), and beside it the device tree (2 MiB) "
                 "and the initramfs (%s)",
                 memory_text(vm), layout_mebibytes(kernel->memory_size),
                 layout_mebibytes(vm->initramfs == NULL ? 0 : vm->initramfs->size));
    }
}

/* Whether kernel, initramfs and device tree fit into the machine's own memory. */
static void check_vm_fits(const struct system *system, const struct vm *vm)
{
    uint64_t memory = vm->settings.memory.number;

    if (vm->kernel == NULL || vm->kernel->memory_size == 0 || vm->copy != 0) {
        return; /* reported already */
    }
    if (vm->kernel->is_placed) {
        check_placed_fits(system, vm);
        return;
    }
    if (vm->kernel->is_firmware) {
        if (layout_ram_gpa(system, vm) != GUEST_RAM) {
            error_at(
                system->path, vm->settings.firmware.line, vm->where,
                "firmware: wants RAM at 0x%llx, and the machine has its RAM elsewhere because of a "
                "device that masters the bus: give that to a machine with a kernel",
                GUEST_RAM);
        }
        if (memory < FIRMWARE_RAM_MIN) {
            error_at(system->path, setting_line(&vm->settings.memory, vm->line), vm->where,
                     "memory %s: too little for a firmware and what it loads: %s or more",
                     memory_text(vm), layout_mebibytes(FIRMWARE_RAM_MIN));
        }
        return;
    }
    uint64_t need = guest_memory_needed(vm);
    if (memory < need) {
        error_at(system->path, setting_line(&vm->settings.memory, vm->line), vm->where,
                 "memory %s: too little for its kernel (%s) and initramfs (%s%s): %s or more",
                 memory_text(vm), layout_mebibytes(vm->kernel->memory_size),
                 layout_mebibytes(vm->initramfs == NULL ? 0 : vm->initramfs->size),
                 vm->initramfs == NULL || vm->kernel->linux_version == NULL
                     ? ""
                     : memory_format(", unpacked %s", layout_mebibytes(vm->initramfs->unpacked)),
                 value_format(VALUE_SIZE, need));
    }
}

static void check_memory(const struct system *system)
{
    uint64_t available = memory_for_vms(system);
    uint64_t sum = 0;
    bool each_fits = true;

    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        check_vm_fits(system, vm);
        if (vm->settings.memory.number > available) {
            each_fits = false;
            if (vm->copy != 0) {
                continue;
            }
            error_at(system->path, setting_line(&vm->settings.memory, vm->line), vm->where,
                     "memory %s: the board has %s", memory_text(vm),
                     value_format(VALUE_SIZE, system->board.settings.memory_size.number));
            continue;
        }
        sum += vm->settings.memory.number;
    }
    uint64_t shared = layout_overhead(system);
    if (each_fits && sum + shared > available) {
        error_at(
            system->path, system->settings.vms.line, "",
            "vms: the machines' memory is %s in all, their %s take %s: the board has %s, of which "
            "%s are reserved: take %s away",
            layout_mebibytes(sum),
            system->shared.count == 0 ? "images and queues" : "images, queues and shared memory",
            layout_mebibytes(shared),
            value_format(VALUE_SIZE, system->board.settings.memory_size.number),
            value_format(VALUE_SIZE, system->board.settings.memory_reserved.number),
            layout_mebibytes(sum + shared - available));
    }
}

static void check_threads(const struct system *system)
{
    uint64_t vcpus = 0;
    size_t turns = layout_turn_count(system);
    size_t members = system->vms.count + system->networks.count;
    size_t programs = members + PROGRAMS_ALWAYS + (turns > TURNS_MAX ? turns : TURNS_MAX);

    if (members + PROGRAMS_ALWAYS + turns > PROGRAMS_MAX) {
        error_at(system->path, system->settings.vms.line, "",
                 "vms: %zu machines and switches, and %zu priorities that machines of one core "
                 "share: %d in all: use fewer of either",
                 members, turns, PROGRAMS_MAX - PROGRAMS_ALWAYS);
    }
    for (size_t i = 0; i < system->vms.count; i++) {
        vcpus += system->vms.items[i]->settings.vcpus.number;
    }
    if (vcpus + programs > THREADS_MAX) {
        error_at(system->path, system->settings.vms.line, "",
                 "vms: %llu vCPUs in all: %zu at most beside %zu programs",
                 (unsigned long long)vcpus, THREADS_MAX - programs, programs);
    }
}

static void check_share(const struct system *system, const char *where,
                        const struct setting *budget, const struct setting *period)
{
    if (budget->number > period->number) {
        error_at(system->path, setting_line(budget, period->line), where,
                 "budget %s: more than the period of %s: take that at most, or a longer 'period'",
                 value_format(VALUE_DURATION, budget->number),
                 value_format(VALUE_DURATION, period->number));
    }
}

/* A program that serves machines: a period without a budget leaves open what its limit is. */
static void check_program(const struct system *system, const char *where,
                          const struct setting *budget, const struct setting *period)
{
    if (budget->line == 0 && period->line != 0) {
        error_at(system->path, period->line, where,
                 "period %s: without a 'budget': say how much of it", period->text);
        return;
    }
    check_share(system, where, budget, period);
}

static void check_shares(struct system *system)
{
    const struct disk_settings *disk = &system->disk.settings;
    const struct uplink_settings *uplink = &system->uplink.settings;

    for (size_t i = 0; i < system->vms.count; i++) {
        struct vm *vm = system->vms.items[i];
        const struct monitor_settings *monitor = &vm->settings.of_monitor;
        if (vm->settings.budget.line == 0) {
            vm->settings.budget.number = vm->settings.period.number;
        }
        if (vm->settings.on_crash.line == 0 && vm->settings.watchdog.number != 0) {
            vm->settings.on_crash.number = VMM_ON_CRASH_RESTART;
        }
        check_share(system, vm->where, &vm->settings.budget, &vm->settings.period);
        check_program(system, memory_format("%s: monitor", vm->where), &monitor->budget,
                      &monitor->period);
    }
    for (size_t i = 0; i < system->networks.count; i++) {
        const struct network *network = system->networks.items[i];
        check_program(system, network->where, &network->settings.budget, &network->settings.period);
    }
    check_program(system, "console", &system->console.budget, &system->console.period);
    check_program(system, "disk", &disk->budget, &disk->period);
    if (system->uplink.network != NULL) {
        check_program(system, system->uplink.where, &uplink->budget, &uplink->period);
    }
}

/* How many of the machines up to this one begin a turn on the core of this one's monitor. */
static unsigned turns_up_to(const struct system *system, const struct vm *vm)
{
    unsigned turns = 0;

    for (size_t i = 0; i <= vm->index; i++) {
        const struct vm *other = system->vms.items[i];
        turns += monitor_core(other) == monitor_core(vm) && other->domain == vm->domain &&
                 layout_begins_turn(system, other);
    }
    return turns;
}

static void check_priorities(const struct system *system)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        if (layout_begins_turn(system, vm) && turns_up_to(system, vm) > TURNS_MAX) {
            const char *place =
                has_several_cores(system) ? memory_format(" on core %u", monitor_core(vm)) : "";
            error_at(system->path, setting_line(&vm->settings.priority, vm->line), vm->where,
                     "priority %" PRIu64 ": %d priorities at most are several machines'%s: give "
                     "these one of the others",
                     vm->settings.priority.number, TURNS_MAX, place);
            return;
        }
    }
}

/* Two machines on a network must not have one host name, and `_` is not allowed in it. */
static void choose_hostname(struct vm *vm)
{
    if (vm->settings.hostname.line != 0 && vm->settings.count.line == 0) {
        return;
    }
    const char *name = vm->settings.hostname.line == 0
                           ? vm->name
                           : memory_format("%s%u", vm->settings.hostname.text, vm->copy);
    char *hostname = memory_copy(name, strlen(name));
    for (char *c = hostname; *c != '\0'; c++) {
        *c = *c == '_' ? '-' : *c;
    }
    vm->settings.hostname.text = hostname;
}

static void check_cmdline(const struct system *system, const struct vm *vm)
{
    const struct setting *bootargs = &vm->settings.bootargs;
    const struct setting *cmdline = &vm->settings.cmdline;
    bool is_all = bootargs->line != 0;
    size_t length = strlen(layout_bootargs(vm));

    if (is_all && cmdline->line != 0 && vm->copy == 0) {
        error_at(system->path, bootargs->line, vm->where,
                 "bootargs: together with a 'cmdline': that is '... %s' in 'bootargs'",
                 cmdline->text);
        return;
    }
    if (length >= COMMAND_LINE_SIZE) {
        error_at(system->path, setting_line(is_all ? bootargs : cmdline, vm->line), vm->where,
                 "%s: makes %zu bytes with ours: the kernel takes %d",
                 is_all ? "bootargs" : "cmdline", length, COMMAND_LINE_SIZE - 1);
    }
}

void system_check(struct system *system, struct yaml_file *file)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        choose_hostname(system->vms.items[i]);
    }
    networks_check(system, file);
    disks_check(system, file);
    devices_check(system, file);
    shared_check(system, file);
    check_shares(system);
    place(system, file);
    domains_check(system, file);
    for (size_t i = 0; i < system->vms.count; i++) {
        check_cmdline(system, system->vms.items[i]);
    }
    check_vcpus(system);
    check_threads(system);
    check_priorities(system);
    check_memory(system);
    devices_check_memory(system);
}
