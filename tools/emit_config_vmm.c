/* SPDX-License-Identifier: BSD-2-Clause */

/* The configuration of monitors, and the files that they carry. */

#include <inttypes.h>
#include "emit.h"
#include "emit_config.h"
#include "vmm/config.h"

#define SECONDS_PER_DAY 86400u

static void emit_image(const char *field, const char *symbol, const struct guest_image *place,
                       struct buffer *out)
{
    if (place->image == NULL) {
        return;
    }
    buffer_print(out, "    .%s = {.data = ", field);
    if (place->vaddr != 0) {
        buffer_print(out, FIELD_POINTER, place->vaddr);
    } else {
        buffer_print(out, "%s", symbol);
    }
    buffer_print(out, ", .size = %" PRIu64 ", .gpa = 0x%" PRIx64 "},\n", place->image->size,
                 place->gpa);
}

static void emit_images(const struct vm *vm, const struct vm_layout *place, struct buffer *out)
{
    emit_image("kernel", "embedded_kernel", &place->kernel, out);
    if (place->flash != 0) {
        buffer_print(out,
                     "    .flash = " FIELD_POINTER ",\n"
                     "    .flash_size = 0x%" PRIx64 ",\n"
                     "    .variables_gpa = 0x%llx,\n"
                     "    .variables_size = 0x%llx,\n",
                     place->flash, place->flash_size, GUEST_VARS, GUEST_VARS_SIZE);
    }
    if (vm->kernel->is_placed) {
        buffer_print(out,
                     "    .entry = 0x%" PRIx64 ",\n"
                     "    .kernel_memory = 0x%" PRIx64 ",\n",
                     vm->kernel->entry, vm->kernel->memory_size);
    }
    emit_image("initrd", "embedded_initramfs", &place->initramfs, out);
}

static void emit_vm_console(const struct vm *vm, const struct vm_layout *place, struct buffer *out)
{
    const struct link *link = &place->console;

    buffer_print(out,
                 "    .console = {\n"
                 "        .present = %s,\n"
                 "        .channel = %u,\n"
                 "        .output = " FIELD_POINTER ",\n"
                 "        .output_size = 0x%" PRIx64 ",\n",
                 vm->settings.console.number ? "true" : "false", link->client_channel,
                 link->client_up, link->ring_up);
    if (vm->settings.console.number) {
        buffer_print(out,
                     "        .input = " FIELD_POINTER ",\n"
                     "        .input_size = 0x%" PRIx64 ",\n"
                     "        .registers = " FIELD_POINTER ",\n"
                     "        .gpa = 0x%" PRIx64 ",\n"
                     "        .intid = %u,\n"
                     "        .pl011_gpa = 0x%llx,\n"
                     "        .pl011_intid = %u,\n",
                     link->client_down, link->ring_down, place->console_device.registers,
                     place->console_device.gpa, place->console_device.intid, GUEST_PL011,
                     GUEST_PL011_INTID);
    }
    buffer_print(out, "    },\n");
}

/* Where the board has a clock, the day will do, and a file that is only touched changes nothing. */
static uint32_t build_date(const struct layout *layout, const struct vm_layout *place)
{
    uint32_t date = layout->system->date;

    return place->clock == 0 ? date : date - date % SECONDS_PER_DAY;
}

static void emit_vm_clock(const struct layout *layout, const struct vm *vm,
                          const struct vm_layout *place, struct buffer *out)
{
    if (!layout_has_clock(vm)) {
        return;
    }
    buffer_print(out,
                 "    .clock = {\n"
                 "        .gpa = 0x%llx,\n"
                 "        .intid = %u,\n"
                 "        .build_date = %" PRIu32 ",\n",
                 GUEST_CLOCK, GUEST_CLOCK_INTID, build_date(layout, place));
    if (place->clock != 0) {
        buffer_print(out, "        .board = " FIELD_POINTER ",\n", place->clock);
    }
    buffer_print(out, "    },\n");
}

static void emit_crash(const struct vm *vm, struct buffer *out)
{
    static const char *const policies[] = {"HOLD", "STOP", "RESTART"};
    uint64_t watchdog = vm->settings.watchdog.number;

    buffer_print(out,
                 "    .on_crash = VMM_ON_CRASH_%s,\n"
                 "    .pvpanic_gpa = 0x%llx,\n",
                 policies[vm->settings.on_crash.number], GUEST_PVPANIC);
    if (watchdog != 0) {
        buffer_print(out, "    .watchdog = {.gpa = 0x%llx, .intid = %u, .seconds = %" PRIu64 "},\n",
                     GUEST_WATCHDOG, GUEST_WATCHDOG_INTID, watchdog / 1000000);
    }
}

static void emit_vm_interface(const struct vm_layout *place, const struct interface *interface,
                              struct buffer *out)
{
    const struct link *link = &place->interfaces[interface->index];
    const struct device *device = &place->interface_devices[interface->index];

    buffer_print(out,
                 "        {\n"
                 "            .channel = %u,\n"
                 "            .mac = {",
                 link->client_channel);
    emit_mac(interface->mac, out);
    buffer_print(out,
                 "},\n"
                 "            .mtu = %" PRIu64 ",\n",
                 interface->network->settings.mtu.number);
    if (!interface->settings.any_mac.number) {
        buffer_print(out, "            .mac_fixed = true,\n");
    }
    if (interface_is_vhost(interface)) {
        buffer_print(out,
                     "            .vhost = true,\n"
                     "            .vhost_page = " FIELD_POINTER ",\n",
                     link->client_up);
    } else {
        buffer_print(out,
                     "            .to_switch = " FIELD_POINTER ",\n"
                     "            .from_switch = " FIELD_POINTER ",\n"
                     "            .ring_size = 0x%" PRIx64 ",\n",
                     link->client_up, link->client_down, link->ring_up);
    }
    buffer_print(out,
                 "            .registers = " FIELD_POINTER ",\n"
                 "            .gpa = 0x%" PRIx64 ",\n"
                 "            .intid = %u,\n"
                 "        },\n",
                 device->registers, device->gpa, device->intid);
}

static void emit_vm_disk(const struct vm_layout *place, const struct slice *slice, bool is_coherent,
                         struct buffer *out)
{
    const struct link *link = &place->slices[slice->index];
    const struct device *device = &place->slice_devices[slice->index];

    buffer_print(out,
                 "        {\n"
                 "            .channel = %u,\n"
                 "            .id = \"disk%u\",\n"
                 "            .requests = " FIELD_POINTER ",\n"
                 "            .replies = " FIELD_POINTER ",\n"
                 "            .request_ring_size = 0x%" PRIx64 ",\n"
                 "            .reply_ring_size = 0x%" PRIx64 ",\n"
                 "            .registers = " FIELD_POINTER ",\n"
                 "            .gpa = 0x%" PRIx64 ",\n"
                 "            .intid = %u,\n",
                 link->client_channel, slice->index, link->client_up, link->client_down,
                 link->ring_up, link->ring_down, device->registers, device->gpa, device->intid);
    if (!is_coherent) {
        buffer_print(out, "            .noncoherent = true,\n");
    }
    buffer_print(out, "        },\n");
}

static void emit_cores(const struct vm *vm, struct buffer *out)
{
    buffer_print(out, "    .vcpu_core = {");
    for (unsigned id = 0; id < vm->settings.vcpus.number; id++) {
        buffer_print(out, "%s%u", id == 0 ? "" : ", ", vm->cores[id]);
    }
    buffer_print(out, "},\n");
}

static void emit_forwards(const struct vm_layout *place, struct buffer *out)
{
    if (place->forwards.count == 0) {
        return;
    }
    buffer_print(out, "    .forward_count = %zu,\n    .forwards = {\n", place->forwards.count);
    for (size_t i = 0; i < place->forwards.count; i++) {
        const struct forward_layout *forward = &place->forwards.items[i];
        buffer_print(out, "        {.channel = %u, .edge = %s, .intid = %u},\n", forward->channel,
                     forward->edge ? "true" : "false", forward->intid);
    }
    buffer_print(out, "    },\n");
}

static void emit_shared(const struct shared *shared, const struct shared_layout *place,
                        struct buffer *out)
{
    buffer_print(out,
                 "        {\n"
                 "            .name = \"%s\",\n"
                 "            .registers = " FIELD_POINTER ",\n"
                 "            .gpa = 0x%" PRIx64 ",\n"
                 "            .intid = %u,\n"
                 "            .memory_gpa = 0x%" PRIx64 ",\n"
                 "            .size = 0x%" PRIx64 ",\n"
                 "            .machines = %u,\n"
                 "            .number = %u,\n"
                 "            .writers = 0x%" PRIx32 ",\n",
                 shared->name, place->device.registers, place->device.gpa, place->device.intid,
                 shared->gpa, shared->settings.size.number, shared->machine_count, place->number,
                 shared->writers);
    for (unsigned i = 0; i < shared->machine_count; i++) {
        if (i != place->number) {
            buffer_print(out,
                         "            .channels[%u] = %u,\n"
                         "            .pages[%u] = " FIELD_POINTER ",\n",
                         i, place->channels[i], i, place->pages[i]);
        }
    }
    buffer_print(out, "        },\n");
}

static void emit_all_shared(const struct vm *vm, const struct vm_layout *place, struct buffer *out)
{
    if (vm->shared_count == 0) {
        return;
    }
    buffer_print(out, "    .shared_count = %u,\n    .shared = {\n", vm->shared_count);
    for (unsigned i = 0; i < vm->shared_count; i++) {
        emit_shared(vm->shared[i], &place->shared[i], out);
    }
    buffer_print(out, "    },\n");
}

static void emit_devices(const struct layout *layout, const struct vm *vm,
                         const struct vm_layout *place, struct buffer *out)
{
    emit_vm_console(vm, place, out);
    emit_vm_clock(layout, vm, place, out);
    emit_crash(vm, out);
    buffer_print(
        out, "    .rng = {.registers = " FIELD_POINTER ", .gpa = 0x%" PRIx64 ", .intid = %u},\n",
        place->rng.registers, place->rng.gpa, place->rng.intid);
    if (vm->settings.power_button.number) {
        buffer_print(out,
                     "    .button = {.registers = " FIELD_POINTER ", .gpa = 0x%" PRIx64
                     ", .intid = %u},\n",
                     place->button.registers, place->button.gpa, place->button.intid);
    }
    buffer_print(out, "    .interface_count = %u,\n    .interfaces = {\n", vm->interface_count);
    for (unsigned i = 0; i < vm->interface_count; i++) {
        emit_vm_interface(place, &vm->interfaces[i], out);
    }
    buffer_print(out, "    },\n    .disk_count = %u,\n    .disks = {\n", vm->slice_count);
    for (unsigned i = 0; i < vm->slice_count; i++) {
        emit_vm_disk(place, &vm->slices[i], layout->system->board.disk.coherent.number != 0, out);
    }
    buffer_print(out, "    },\n");
    emit_forwards(place, out);
    emit_all_shared(vm, place, out);
}

void emit_vm_config(const struct layout *layout, const struct vm *vm, struct buffer *out)
{
    const struct vm_layout *place = &layout->vms[vm->index];

    buffer_print(out, "\nextern const uint8_t embedded_dtb[];\n"
                      "extern const uint8_t embedded_secret[];\n");
    if (!layout->system->options->prefill) {
        buffer_print(out, "extern const uint8_t embedded_kernel[];\n"
                          "extern const uint8_t embedded_initramfs[];\n");
    }
    buffer_print(out,
                 "\nconst struct vmm_config vmm_config = {\n"
                 "    .name = \"%s\",\n"
                 "    .start_held = %s,\n"
                 "    .vcpu_count = %" PRIu64 ",\n",
                 vm->name, vm->settings.start.number ? "true" : "false", vm->settings.vcpus.number);
    emit_cores(vm, out);
    buffer_print(out,
                 "    .has_others = %s,\n"
                 "    .ram = " FIELD_POINTER ",\n"
                 "    .ram_gpa = 0x%" PRIx64 ",\n"
                 "    .ram_size = 0x%" PRIx64 ",\n"
                 "    .ram_region_size = 0x%" PRIx64 ",\n",
                 place->has_others ? "true" : "false", place->ram, place->ram_gpa,
                 vm->settings.memory.number,
                 vm->slice_count == 0 ? 0 : layout->system->board.settings.region_max.number);
    emit_images(vm, place, out);
    buffer_print(out,
                 "    .dtb = {.data = embedded_dtb, .size = %zu, .gpa = 0x%" PRIx64 "},\n"
                 "    .seed_offset = 0x%zx,\n"
                 "    .kaslr_seed_offset = 0x%zx,\n"
                 "    .secret = embedded_secret,\n"
                 "    .gic_version = %" PRIu64 ",\n"
                 "    .gicd_gpa = 0x%llx,\n"
                 "    .gicr_gpa = 0x%llx,\n"
                 "    .reset_page = " FIELD_POINTER ",\n"
                 "    .reset_gpa = 0x%llx,\n"
                 "    .stats = " FIELD_POINTER ",\n"
                 "    .timer_channel = %u,\n"
                 "    .timer_word = " FIELD_POINTER ",\n"
                 "    .timer_late_us = %" PRIu64 ",\n"
                 "    .away_us = %" PRIu64 ",\n"
                 "    .stay_us = %" PRIu64 ",\n"
                 "    .budget_us = %" PRIu64 ",\n"
                 "    .period_us = %" PRIu64 ",\n"
                 "    .has_equals = %s,\n"
                 "    .turn_channel = %u,\n",
                 place->dtb.length, place->dtb_gpa, dtb_seed_offset(&place->dtb),
                 dtb_kaslr_seed_offset(&place->dtb), layout->system->board.gic.version.number,
                 GUEST_GICD, GUEST_GICR, place->reset, GUEST_RESET, place->stats.writer,
                 place->timer_channel, place->timer_word, layout_schedule_us(layout->system),
                 layout_run_us(layout->system, vm->domain, false),
                 layout_run_us(layout->system, vm->domain, true), vm->settings.budget.number,
                 vm->settings.period.number, place->has_equals ? "true" : "false",
                 place->turn_channel);
    emit_devices(layout, vm, place, out);
    buffer_print(out, "};\n");
}

static void emit_incbin(const char *symbol, const char *name, struct buffer *out)
{
    buffer_print(out,
                 "\n    .balign 4096\n"
                 "    .global %s\n"
                 "%s:\n"
                 "    .incbin \"%s\"\n",
                 symbol, symbol, name);
}

void emit_embedded(const struct layout *layout, const struct pd *pd, struct buffer *out)
{
    const struct vm_layout *place = &layout->vms[pd->vm->index];

    buffer_print(out,
                 "/* Made by braid-gen from the system '%s'; changes will be lost. */\n"
                 "    .section .rodata.embedded, \"a\"\n",
                 layout->system->name);
    emit_incbin("embedded_dtb", memory_format("%s.dtb", pd->vm->name), out);
    emit_incbin("embedded_secret", memory_format("%s.secret", pd->vm->name), out);
    if (!layout->system->options->prefill) {
        emit_incbin("embedded_kernel", place->kernel.image->link, out);
        if (place->initramfs.image != NULL) {
            emit_incbin("embedded_initramfs", place->initramfs.image->link, out);
        }
    }
    buffer_print(out, "\n    .section .note.GNU-stack, \"\", %%progbits\n");
}
