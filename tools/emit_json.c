/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <string.h>
#include "emit.h"

static void add_string(struct buffer *out, const char *name, const char *value, const char *end)
{
    buffer_print(out, "\"%s\": \"", name);
    buffer_add_quoted(out, value);
    buffer_print(out, "\"%s", end);
}

static void emit_interface(const struct layout *layout, const struct interface *interface,
                           struct buffer *out)
{
    const struct interface_settings *settings = &interface->settings;
    const struct device *device =
        &layout->vms[interface->vm->index].interface_devices[interface->index];

    buffer_print(out, "        {");
    add_string(out, "switch", interface->network->name, ", ");
    buffer_print(out, "\"port\": %u, ", interface->port);
    add_string(out, "path", interface_is_vhost(interface) ? "vhost" : "isolated", ", ");
    add_string(out, "mac", value_format(VALUE_MAC, interface->mac), ", ");
    if (settings->ip.line != 0) {
        add_string(out, "ip", value_format(VALUE_IPV4_NET, settings->ip.number), ", ");
    }
    if (interface->lease != 0) {
        add_string(out, "lease", value_format(VALUE_IPV4, interface->lease), ", ");
    }
    if (settings->gateway.line != 0) {
        add_string(out, "gateway", value_format(VALUE_IPV4, settings->gateway.number), ", ");
    }
    if (settings->vlan.line != 0) {
        buffer_print(out, "\"vlan\": %" PRIu64 ", ", settings->vlan.number);
    }
    if (interface->trunk[0] != 0) {
        buffer_print(out, "\"trunk\": [");
        for (size_t i = 0; interface->trunk[i] != 0; i++) {
            buffer_print(out, "%s%u", i == 0 ? "" : ", ", interface->trunk[i]);
        }
        buffer_print(out, "], ");
    }
    if (interface_is_limited(interface)) {
        buffer_print(out,
                     "\"rate\": {\"send\": %" PRIu64 ", \"receive\": %" PRIu64
                     ", \"burst_us\": %" PRIu64 "}, ",
                     settings->of_rate.send.number, settings->of_rate.receive.number,
                     settings->of_rate.burst.number);
    }
    buffer_print(out, "\"gpa\": %" PRIu64 ", \"intid\": %u}", device->gpa, device->intid);
}

static void emit_devices(const struct vm_layout *place, const struct vm *vm, struct buffer *out)
{
    if (vm->device_count == 0) {
        return;
    }
    buffer_print(out, ",\n      \"ram_gpa\": %" PRIu64 ",\n      \"devices\": [", place->ram_gpa);
    for (unsigned i = 0; i < vm->device_count; i++) {
        const struct board_device *device = vm->devices[i];
        buffer_print(out, "%s\n        {", i == 0 ? "" : ",");
        add_string(out, "name", device->name, ", ");
        buffer_print(out, "\"gpa\": %" PRIu64 ", \"interrupts\": [", place->devices[i].gpa);
        for (unsigned k = 0; k < device->interrupt_count; k++) {
            buffer_print(out, "%s{\"physical\": %u, \"intid\": %u}", k == 0 ? "" : ", ",
                         device->interrupts[k], place->devices[i].first_intid + k);
        }
        buffer_print(out, "]}");
    }
    buffer_print(out, "]");
}

static void emit_shared(const struct vm_layout *place, const struct vm *vm, struct buffer *out)
{
    if (vm->shared_count == 0) {
        return;
    }
    buffer_print(out, ",\n      \"shared\": [");
    for (unsigned i = 0; i < vm->shared_count; i++) {
        const struct shared *shared = vm->shared[i];
        const struct shared_layout *at = &place->shared[i];
        buffer_print(out, "%s\n        {", i == 0 ? "" : ",");
        add_string(out, "name", shared->name, ", ");
        buffer_print(out,
                     "\"number\": %u, \"machines\": %u, \"writable\": %s, \"gpa\": %" PRIu64
                     ", \"size\": %" PRIu64 ", \"registers\": %" PRIu64 ", \"intid\": %u}",
                     at->number, shared->machine_count,
                     (shared->writers >> at->number & 1) != 0 ? "true" : "false", shared->gpa,
                     shared->settings.size.number, at->device.gpa, at->device.intid);
    }
    buffer_print(out, "]");
}

static void emit_vm(const struct layout *layout, const struct vm *vm, struct buffer *out)
{
    const struct vm_settings *settings = &vm->settings;

    buffer_print(out, "    {\n      ");
    add_string(out, "name", vm->name, ",\n      ");
    add_string(out, "hostname", settings->hostname.text, ",\n      ");
    add_string(out, "monitor", layout->monitors[vm->index]->name, ",\n      ");
    buffer_print(out,
                 "\"memory\": %" PRIu64 ",\n      \"vcpus\": %" PRIu64
                 ",\n      \"priority\": %" PRIu64 ",\n      \"budget_us\": %" PRIu64
                 ",\n      \"period_us\": %" PRIu64 ",\n      ",
                 settings->memory.number, settings->vcpus.number, settings->priority.number,
                 settings->budget.number, settings->period.number);
    if (has_several_cores(layout->system)) {
        buffer_print(out, "\"cores\": [");
        for (uint64_t id = 0; id < settings->vcpus.number; id++) {
            buffer_print(out, "%s%u", id == 0 ? "" : ", ", vm->cores[id]);
        }
        buffer_print(out, "],\n      ");
    }
    buffer_print(out, "\"console\": %s,\n      \"held\": %s,\n      \"console_index\": %u,\n      ",
                 settings->console.number ? "true" : "false",
                 settings->start.number ? "true" : "false", vm->index);
    add_string(out, vm->kernel->is_firmware ? "firmware" : "kernel", vm->kernel->path, ",\n      ");
    if (vm->initramfs != NULL) {
        add_string(out, "initramfs", vm->initramfs->path, ",\n      ");
    }
    add_string(out, "bootargs", vm->kernel->is_firmware ? "" : layout_bootargs(vm), ",\n");
    buffer_print(out, "      \"interfaces\": [");
    for (unsigned i = 0; i < vm->interface_count; i++) {
        buffer_print(out, "%s\n", i == 0 ? "" : ",");
        emit_interface(layout, &vm->interfaces[i], out);
    }
    buffer_print(out, "]");
    emit_devices(&layout->vms[vm->index], vm, out);
    emit_shared(&layout->vms[vm->index], vm, out);
    buffer_print(out, "\n    }");
}

static void emit_uplink(const struct uplink *uplink, struct buffer *out)
{
    const char *comma = "";

    buffer_print(out, ", \"uplink\": {\"port\": %u, ", uplink->port);
    if (uplink->settings.to.line != 0) {
        add_string(out, "to", uplink->settings.to.text, ", ");
    }
    if (uplink->settings.native.line != 0) {
        buffer_print(out, "\"native\": %" PRIu64 ", ", uplink->settings.native.number);
    }
    buffer_print(out, "\"vlans\": [");
    for (size_t i = 0; uplink->vlans[i] != 0; i++) {
        buffer_print(out, "%s%u", i == 0 ? "" : ", ", uplink->vlans[i]);
    }
    buffer_print(out, "], \"forward\": [");
    for (size_t i = 0; i < uplink->forwards.count; i++) {
        const struct forward *forward = &uplink->forwards.items[i];

        buffer_print(out, "%s{\"protocol\": \"%s\", \"host_port\": %u, ", comma, forward->protocol,
                     forward->host_port);
        add_string(out, "address", value_format(VALUE_IPV4, forward->address), ", ");
        buffer_print(out, "\"port\": %u}", forward->port);
        comma = ", ";
    }
    buffer_print(out, "]}");
}

static void emit_network(const struct layout *layout, const struct network *network,
                         struct buffer *out)
{
    buffer_print(out, "    {");
    add_string(out, "name", network->name, ", ");
    add_string(out, "pd", layout->switches[network->index]->name, ", ");
    buffer_print(out, "\"mtu\": %" PRIu64 ", \"mirror_port\": %d, \"ports\": [",
                 network->settings.mtu.number, network->mirror_port);
    for (unsigned p = 0; p < network->port_count; p++) {
        buffer_print(out, "%s{\"vm\": \"%s\", \"interface\": %u, \"reaches\": [",
                     p == 0 ? "" : ", ", network->ports[p]->vm->name, network->ports[p]->index);
        const char *comma = "";
        for (unsigned q = 0; q < network_port_count(network); q++) {
            if (network->may_reach[p] >> q & 1) {
                buffer_print(out, "%s%u", comma, q);
                comma = ", ";
            }
        }
        buffer_print(out, "]}");
    }
    buffer_print(out, "]");
    if (network->uplink != NULL) {
        emit_uplink(network->uplink, out);
    }
    buffer_print(out, "}");
}

static void emit_slice(const struct slice *slice, struct buffer *out)
{
    buffer_print(out, "    {\"vm\": \"%s\", \"index\": %u, \"read_only\": %s, ", slice->vm->name,
                 slice->index, slice->settings.read_only.number ? "true" : "false");
    if (slice_is_limited(slice)) {
        const struct disk_rate_settings *rate = &slice->settings.of_rate;

        buffer_print(out,
                     "\"rate\": {\"bytes\": %" PRIu64 ", \"operations\": %" PRIu64
                     ", \"burst_us\": %" PRIu64 "}, ",
                     rate->bytes.number, rate->operations.number, rate->burst.number);
    }
    if (slice->content != NULL) {
        add_string(out, "content", slice->content, ", ");
    }
    if (slice->image != NULL) {
        add_string(out, "image", slice->image, ", ");
    }
    if (slice->kind == BLOCK_SLICE_RANGE) {
        buffer_print(out, "\"offset\": %" PRIu64 ", \"size\": %" PRIu64 "}", slice->offset,
                     slice->size);
    } else {
        add_string(out, "partition", slice->settings.partition.text, "}");
    }
}

/* The size of the image's file. That of QEMU's SD cards is a power of two. */
static uint64_t image_size(const struct system *system)
{
    uint64_t size = system->disk.size;

    if (strstr(system->board.disk.drive.text, "if=sd") != NULL) {
        for (size = 1; size < system->disk.size; size *= 2) {
        }
    }
    return size;
}

static void emit_disk(const struct system *system, struct buffer *out)
{
    const char *comma = "";

    buffer_print(out, "\"disk\": {\"size\": %" PRIu64 ", ", image_size(system));
    if (system->disk.is_given) {
        add_string(out, "file", system->disk.path, ", ");
    }
    buffer_print(out, "\"slices\": [");
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        for (unsigned k = 0; k < vm->slice_count; k++) {
            buffer_print(out, "%s\n", comma);
            comma = ",";
            emit_slice(&vm->slices[k], out);
        }
    }
    buffer_print(out, "]},\n  ");
}

static void emit_pd(const struct system *system, const struct pd *pd, struct buffer *out)
{
    buffer_print(out, "    {");
    add_string(out, "name", pd->name, ", ");
    add_string(out, "kind", pd->kind, ", ");
    buffer_print(out, "\"priority\": %u, ", pd->priority);
    if (has_several_cores(system)) {
        buffer_print(out, "\"core\": %u, ", pd->core);
    }
    if (has_domains(system)) {
        add_string(out, "domain", system->domains.items[pd->domain], ", ");
    }
    if (pd->budget != 0) {
        buffer_print(out, "\"budget_us\": %" PRIu64 ", \"period_us\": %" PRIu64 ", ", pd->budget,
                     pd->period);
    }
    buffer_print(out, "\"maps\": [");
    for (size_t i = 0; i < pd->maps.count; i++) {
        const struct map *map = &pd->maps.items[i];
        buffer_print(out,
                     "%s\n      {\"region\": \"%s\", \"vaddr\": %" PRIu64 ", \"perms\": \"%s\"}",
                     i == 0 ? "" : ",", map->region->name, map->vaddr, map->perms);
    }
    buffer_print(out, "]}");
}

static void emit_region(const struct region *region, struct buffer *out)
{
    buffer_print(out, "    {");
    add_string(out, "name", region->name, ", ");
    add_string(out, "purpose", region->purpose, ", ");
    buffer_print(out, "\"size\": %" PRIu64 "", region->size);
    if (region->fixed) {
        buffer_print(out, ", \"phys_addr\": %" PRIu64, region->address);
    }
    buffer_print(out, "}");
}

static void emit_channel(const struct channel *channel, struct buffer *out)
{
    buffer_print(
        out, "    [{\"pd\": \"%s\", \"id\": %u, \"calls\": %s}, {\"pd\": \"%s\", \"id\": %u}]",
        channel->ends[0].pd->name, channel->ends[0].id, channel->ends[0].calls ? "true" : "false",
        channel->ends[1].pd->name, channel->ends[1].id);
}

static void emit_domains(const struct system *system, struct buffer *out)
{
    buffer_print(out, "\"domains\": [");
    for (size_t i = 0; i < system->domain_turns.count; i++) {
        const struct domain_turn *turn = &system->domain_turns.items[i];

        buffer_print(out, "%s{", i == 0 ? "" : ", ");
        add_string(out, "domain", system->domains.items[turn->domain], ", ");
        buffer_print(out, "\"duration_us\": %" PRIu64 "}", turn->duration);
    }
    buffer_print(out, "],\n  ");
}

void emit_json(const struct layout *layout, struct buffer *out)
{
    const struct system *system = layout->system;
    const char *comma = "";

    buffer_print(out, "{\n  ");
    add_string(out, "name", system->name, ",\n  ");
    add_string(out, "description", system->settings.description.text, ",\n  ");
    add_string(out, "board", system->board.name, ",\n  ");
    if (has_several_cores(system)) {
        buffer_print(out, "\"cores\": %" PRIu64 ",\n  ", system->settings.cores.number);
    }
    if (has_domains(system)) {
        emit_domains(system, out);
    }
    buffer_print(out, "\"memory_needed\": %" PRIu64 ",\n  \"vms\": [", layout->memory_needed);
    for (size_t i = 0; i < system->vms.count; i++) {
        buffer_print(out, "%s\n", i == 0 ? "" : ",");
        emit_vm(layout, system->vms.items[i], out);
    }
    buffer_print(out, "],\n  \"switches\": [");
    for (size_t i = 0; i < system->networks.count; i++) {
        if (layout->switches[i] != NULL) {
            buffer_print(out, "%s\n", comma);
            comma = ",";
            emit_network(layout, system->networks.items[i], out);
        }
    }
    buffer_print(out, "],\n  ");
    if (system->disk.slice_count != 0) {
        emit_disk(system, out);
    }
    buffer_print(out, "\"pds\": [");
    for (size_t i = 0; i < layout->pds.count; i++) {
        buffer_print(out, "%s\n", i == 0 ? "" : ",");
        emit_pd(system, layout->pds.items[i], out);
    }
    buffer_print(out, "],\n  \"regions\": [");
    for (size_t i = 0; i < layout->regions.count; i++) {
        buffer_print(out, "%s\n", i == 0 ? "" : ",");
        emit_region(layout->regions.items[i], out);
    }
    buffer_print(out, "],\n  \"channels\": [");
    for (size_t i = 0; i < layout->channels.count; i++) {
        buffer_print(out, "%s\n", i == 0 ? "" : ",");
        emit_channel(&layout->channels.items[i], out);
    }
    buffer_print(out, "]\n}\n");
}
