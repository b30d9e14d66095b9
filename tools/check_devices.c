/* SPDX-License-Identifier: BSD-2-Clause */

/* Devices that are handed to machines: who may have which. */

#include "check_devices.h"

#include <inttypes.h>
#include <string.h>
#include "diagnostics.h"
#include "layout.h"

#define PAGE 0x1000ULL

/* ---- What our own drivers have ---- */

struct own_device {
    const char *name;
    bool used;
    const struct setting *address;
    const struct setting *interrupt;
};

/* Whether none of our drivers uses the device's pages or interrupts. */
static bool check_own(const struct system *system, const struct vm *vm, int line,
                      const struct board_device *device)
{
    const struct board *board = &system->board;
    const struct own_device own[] = {
        {"uart", true, &board->uart.address, &board->uart.interrupt},
        {"timer", true, &board->timer.address, &board->timer.interrupt},
        {"disk", system->disk.slice_count != 0, &board->disk.address, &board->disk.interrupt},
        {"network", system->uplink.network != NULL, &board->network.address,
         &board->network.interrupt}};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        uint64_t address = own[i].address->number;
        if (!own[i].used) {
            continue;
        }
        if (own[i].address->line != 0 && address >= device->page &&
            address - device->page < device->pages_size) {
            error_at(system->path, line, vm->where,
                     "devices: '%s': its registers are in a page of the board's %s, which this "
                     "system uses: take another device",
                     device->name, own[i].name);
            return false;
        }
        for (unsigned k = 0; k < device->interrupt_count; k++) {
            if (own[i].interrupt->number == device->interrupts[k]) {
                error_at(system->path, line, vm->where,
                         "devices: '%s': its interrupt %u is that of the board's %s, which this "
                         "system uses: take another device",
                         device->name, device->interrupts[k], own[i].name);
                return false;
            }
        }
    }
    return true;
}

/* ---- What other machines have ---- */

static bool share_page(const struct board_device *a, const struct board_device *b)
{
    return a->page < b->page + b->pages_size && b->page < a->page + a->pages_size;
}

static bool share_interrupt(const struct board_device *a, const struct board_device *b)
{
    for (unsigned i = 0; i < a->interrupt_count; i++) {
        for (unsigned k = 0; k < b->interrupt_count; k++) {
            if (a->interrupts[i] == b->interrupts[k]) {
                return true;
            }
        }
    }
    return false;
}

/* Check a device against one that a machine has already. Returns whether it is free of that. */
static bool check_other(const struct system *system, const struct vm *vm, int line,
                        const struct board_device *device, const struct vm *owner,
                        const struct board_device *other)
{
    if (device == other && owner == vm) {
        error_at(system->path, line, vm->where, "devices: '%s' given twice: once is enough",
                 device->name);
    } else if (device == other) {
        error_at(system->path, line, vm->where,
                 "devices: '%s': vm '%s' has it already: a device has one owner", device->name,
                 owner->name);
    } else if (owner != vm && share_page(device, other)) {
        error_at(
            system->path, line, vm->where,
            "devices: '%s': in a page with '%s', which vm '%s' has, and who has a page has all "
            "that is in it: hand both to one machine",
            device->name, other->name, owner->name);
    } else if (share_interrupt(device, other)) {
        error_at(system->path, line, vm->where,
                 "devices: '%s': it shares an interrupt with '%s', which vm '%s' has: take one of "
                 "them",
                 device->name, other->name, owner->name);
    } else {
        return true;
    }
    return false;
}

static bool check_others(const struct system *system, const struct vm *vm, int line,
                         const struct board_device *device)
{
    for (size_t i = 0; i <= vm->index; i++) {
        const struct vm *owner = system->vms.items[i];
        for (unsigned k = 0; k < owner->device_count; k++) {
            if (!check_other(system, vm, line, device, owner, owner->devices[k])) {
                return false;
            }
        }
    }
    return true;
}

/* ---- A machine's list ---- */

static void report_unknown(const struct system *system, const struct vm *vm, int line,
                           const char *name)
{
    const struct board *board = &system->board;
    struct nearest nearest = {0};
    const char *list = "";

    for (size_t i = 0; i < board->devices.count; i++) {
        nearest_weigh(&nearest, name, board->devices.items[i]->name);
        list = memory_format("%s%s%s", list, i == 0 ? "" : ", ", board->devices.items[i]->name);
    }
    if (nearest.word != NULL) {
        error_at(system->path, line, vm->where,
                 "devices: '%.40s': the board '%s' has no such device: did you mean '%s'?", name,
                 board->name, nearest.word);
    } else if (board->devices.count != 0) {
        error_at(system->path, line, vm->where,
                 "devices: '%.40s': the board '%s' has no such device: it has %s", name,
                 board->name, list);
    } else {
        error_at(
            system->path, line, vm->where,
            "devices: '%.40s': the board '%s' has none to hand out: name it under 'devices' in "
            "%s",
            name, board->name, board->path);
    }
}

static const struct board_device *find_device(const struct board *board, const char *name)
{
    for (size_t i = 0; i < board->devices.count; i++) {
        if (strcmp(board->devices.items[i]->name, name) == 0) {
            return board->devices.items[i];
        }
    }
    return NULL;
}

static void check_dma(const struct system *system, const struct vm *vm, int line,
                      const struct board_device *device)
{
    if (device->bus_master == NULL || vm->settings.dma.number == DMA_TRUSTED) {
        return;
    }
    if (device->settings.bus_master.number) {
        error_at(system->path, line, vm->where,
                 "devices: '%s' masters the bus: its guest can have it read and write all of the "
                 "board's memory. If the guest is trusted with that, say 'dma: trusted'",
                 device->name);
    } else {
        error_at(system->path, line, vm->where,
                 "devices: '%s': in a page with %s, which masters the bus: its guest can have that "
                 "read and write all of the board's memory. If the guest is trusted with that, say "
                 "'dma: trusted'",
                 device->name, device->bus_master);
    }
}

static void take_device(const struct system *system, struct vm *vm, const char *name, int line)
{
    const struct board_device *device = find_device(&system->board, name);

    if (device == NULL) {
        report_unknown(system, vm, line, name);
        return;
    }
    if (!check_own(system, vm, line, device) || !check_others(system, vm, line, device)) {
        return;
    }
    check_dma(system, vm, line, device);
    if (vm->device_count == VM_DEVICES_MAX) {
        error_at(system->path, line, vm->where, "devices: '%s': %d at most", name, VM_DEVICES_MAX);
        return;
    }
    vm->devices[vm->device_count++] = device;
}

static void check_interrupts(const struct system *system, const struct vm *vm)
{
    unsigned count = 0;

    for (unsigned i = 0; i < vm->device_count; i++) {
        count += vm->devices[i]->interrupt_count;
    }
    if (count > VMM_MAX_FORWARDS) {
        error_at(system->path, vm->settings.devices.line, vm->where,
                 "devices: %u interrupts in all: %d at most", count, VMM_MAX_FORWARDS);
    }
}

static void read_devices(const struct system *system, struct yaml_file *file, struct vm *vm)
{
    const struct setting *list = &vm->settings.devices;

    if (list->node == NULL || yaml_is_null(list->node)) {
        return;
    }
    if (list->node->type != YAML_SEQUENCE_NODE ||
        yaml_item_count(list->node) > 2ul * VM_DEVICES_MAX) {
        error_at(system->path, list->line, vm->where,
                 "devices: a list of up to %d names belongs here, like [uart1]", VM_DEVICES_MAX);
        return;
    }
    for (size_t i = 0; i < yaml_item_count(list->node); i++) {
        yaml_node_t *item = yaml_node(file, list->node->data.sequence.items.start[i]);
        const char *name = yaml_text(item);
        if (name == NULL) {
            error_at(system->path, yaml_line(item), vm->where, "devices: %s: a name belongs here",
                     yaml_kind(item));
            continue;
        }
        take_device(system, vm, name, yaml_line(item));
    }
    check_interrupts(system, vm);
}

void devices_check(struct system *system, struct yaml_file *file)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        struct vm *vm = system->vms.items[i];
        size_t errors = error_count();
        read_devices(system, file, vm);
        if (error_count() == errors && vm->settings.dma.number == DMA_TRUSTED &&
            !has_bus_master(vm)) {
            error_at(system->path, vm->settings.dma.line, vm->where,
                     "dma trusted: none of its devices masters the bus: leave it out");
        }
    }
}

/* ---- Memory where devices see it ---- */

void devices_check_memory(const struct system *system)
{
    const struct board_settings *board = &system->board.settings;
    uint64_t sum = 0;

    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        const struct setting *memory = &vm->settings.memory;
        int line = memory->line == 0 ? vm->line : memory->line;
        if (!has_bus_master(vm)) {
            continue;
        }
        sum += memory->number;
        if (sum > board->guest_memory.number) {
            error_at(system->path, line, vm->where,
                     "memory %s: a device masters the bus, so it lies in the board's guest_memory, "
                     "which is %s: take less",
                     value_format(VALUE_SIZE, memory->number),
                     value_format(VALUE_SIZE, board->guest_memory.number));
        } else if (layout_guest_has(vm, layout_ram_gpa(system, vm), memory->number)) {
            error_at(system->path, line, vm->where,
                     "memory %s: a device masters the bus, so it lies at 0x%" PRIx64
                     ", where the machine has its virtual devices: the board's file has to name "
                     "another guest_memory_base",
                     value_format(VALUE_SIZE, memory->number), layout_ram_gpa(system, vm));
        }
    }
}
