/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"
#include "check_disks.h"
#include "check_network.h"
#include "diagnostics.h"
#include "layout.h"

#include <inttypes.h>
#include <string.h>

/* The board's file is at fault if a machine does not fit into memory that is all its own. */
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

/* Whether kernel, initramfs and device tree fit into the machine's own memory. */
static void check_vm_fits(const struct system *system, const struct vm *vm)
{
    uint64_t memory = vm->settings.memory.number;

    if (vm->kernel == NULL || vm->kernel->memory_size == 0) {
        return; /* reported already */
    }
    uint64_t need = guest_memory_needed(vm);
    if (memory < need) {
        error_at(system->path, setting_line(&vm->settings.memory, vm->line), vm->where,
                 "memory %s: too little for its kernel (%s) and initramfs (%s): %s or more",
                 memory_text(vm), layout_mebibytes(vm->kernel->memory_size),
                 layout_mebibytes(vm->initramfs == NULL ? 0 : vm->initramfs->size),
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
            error_at(system->path, setting_line(&vm->settings.memory, vm->line), vm->where,
                     "memory %s: the board has %s", memory_text(vm),
                     value_format(VALUE_SIZE, system->board.settings.memory_size.number));
            each_fits = false;
            continue;
        }
        sum += vm->settings.memory.number;
    }
    uint64_t shared = layout_overhead(system);
    if (each_fits && sum + shared > available) {
        error_at(system->path, system->settings.vms.line, "",
                 "vms: the machines' memory is %s in all, their images and queues take %s: "
                 "the board has %s, of which %s are reserved: take %s away",
                 layout_mebibytes(sum), layout_mebibytes(shared),
                 value_format(VALUE_SIZE, system->board.settings.memory_size.number),
                 value_format(VALUE_SIZE, system->board.settings.memory_reserved.number),
                 layout_mebibytes(sum + shared - available));
    }
}

static void check_vcpus(const struct system *system)
{
    uint64_t vcpus = 0;
    size_t programs = system->vms.count + system->networks.count + PROGRAMS_ALWAYS;

    for (size_t i = 0; i < system->vms.count; i++) {
        vcpus += system->vms.items[i]->settings.vcpus.number;
    }
    if (vcpus + programs > THREADS_MAX) {
        error_at(system->path, system->settings.vms.line, "",
                 "vms: %llu vCPUs in all: %zu at most beside %zu programs",
                 (unsigned long long)vcpus, THREADS_MAX - programs, programs);
    }
}

static void check_schedule(const struct system *system, struct vm *vm)
{
    struct vm_settings *settings = &vm->settings;

    if (settings->budget.line == 0) {
        settings->budget.number = settings->period.number;
    } else if (settings->budget.number > settings->period.number) {
        error_at(system->path, settings->budget.line, vm->where,
                 "budget %s: more than the period of %s", settings->budget.text,
                 value_format(VALUE_DURATION, settings->period.number));
    }
}

static void check_priorities(const struct system *system)
{
    unsigned shared = 0;

    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        uint64_t priority = vm->settings.priority.number;
        bool is_first = true;
        for (size_t k = 0; k < i; k++) {
            is_first = is_first && system->vms.items[k]->settings.priority.number != priority;
        }
        if (is_first && layout_equals(system, priority) > 1 && ++shared > TURNS_MAX) {
            error_at(system->path, setting_line(&vm->settings.priority, vm->line), vm->where,
                     "priority %" PRIu64 ": %d priorities at most are several machines': give these "
                     "one of the others", priority, TURNS_MAX);
            return;
        }
    }
}

/* Two machines of one name on a network are found by nobody; `_` is no part of a host name. */
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
    size_t length = strlen(layout_bootargs(vm));

    if (length >= COMMAND_LINE_SIZE) {
        error_at(system->path, setting_line(&vm->settings.cmdline, vm->line), vm->where,
                 "cmdline: makes %zu bytes with ours: the kernel takes %d", length,
                 COMMAND_LINE_SIZE - 1);
    }
}

void system_check(struct system *system, struct yaml_file *file)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        check_schedule(system, system->vms.items[i]);
        choose_hostname(system->vms.items[i]);
    }
    networks_check(system, file);
    disks_check(system, file);
    for (size_t i = 0; i < system->vms.count; i++) {
        check_cmdline(system, system->vms.items[i]);
    }
    check_vcpus(system);
    check_priorities(system);
    check_memory(system);
}
