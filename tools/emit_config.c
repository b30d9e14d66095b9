/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include "emit.h"
#include "vmm/config.h"

#define FIELD_POINTER "(void *)0x%" PRIx64

static void emit_head(const struct layout *layout, const char *kind, struct buffer *out)
{
    buffer_print(out,
                 "/* Made by braid-gen from the system '%s'; changes will be lost. */\n"
                 "#include \"%s/config.h\"\n",
                 layout->system->name, kind);
}

static void emit_mac(uint64_t mac, struct buffer *out)
{
    for (int shift = 40; shift >= 0; shift -= 8) {
        buffer_print(out, "0x%02x%s", (unsigned)(mac >> shift & 255), shift == 0 ? "" : ", ");
    }
}

static void emit_timer(const struct layout *layout, struct buffer *out)
{
    buffer_print(out,
                 "\nconst struct timer_config timer_config = {\n"
                 "    .irq_channel = %u,\n"
                 "    .client_count = %zu,\n"
                 "};\n",
                 layout->timer->irqs.items[0].channel, layout->timer_client_count);
}

static void emit_uart(const struct layout *layout, struct buffer *out)
{
    const struct link *link = &layout->uart_link;

    buffer_print(out,
                 "\nconst struct uart_config uart_config = {\n"
                 "    .registers = 0x%" PRIx64 ",\n"
                 "    .irq_channel = %u,\n"
                 "    .client_channel = %u,\n"
                 "    .transmit = " FIELD_POINTER ",\n"
                 "    .receive = " FIELD_POINTER ",\n"
                 "    .ring_size = 0x%" PRIx64 ",\n"
                 "};\n",
                 layout->uart_registers, layout->uart->irqs.items[0].channel, link->server_channel,
                 link->server_up, link->server_down, link->ring_up);
}

static void emit_client(const char *name, const struct link *link, struct buffer *out)
{
    buffer_print(out,
                 "        {\n"
                 "            .name = \"%s\",\n"
                 "            .channel = %u,\n"
                 "            .log = %s,\n"
                 "            .output = " FIELD_POINTER ",\n",
                 name, link->server_channel, link->ring_down == 0 ? "true" : "false",
                 link->server_up);
    if (link->ring_down != 0) {
        buffer_print(out, "            .input = " FIELD_POINTER ",\n", link->server_down);
    }
    buffer_print(out,
                 "            .output_size = 0x%" PRIx64 ",\n"
                 "            .input_size = 0x%" PRIx64 ",\n"
                 "        },\n",
                 link->ring_up, link->ring_down);
}

static void emit_console(const struct layout *layout, struct buffer *out)
{
    const struct system *system = layout->system;
    const struct link *uart = &layout->uart_link;
    size_t count = system->vms.count;

    for (size_t i = 0; i < system->networks.count; i++) {
        count += layout->switches[i] != NULL;
    }
    count += layout->disk.block != NULL ? 2 : 0;
    count += layout->uplink.driver != NULL;
    buffer_print(out,
                 "\nconst struct console_config console_config = {\n"
                 "    .uart_channel = %u,\n"
                 "    .uart_transmit = " FIELD_POINTER ",\n"
                 "    .uart_receive = " FIELD_POINTER ",\n"
                 "    .uart_ring_size = 0x%" PRIx64 ",\n"
                 "    .has_timer = true,\n"
                 "    .timer_channel = %u,\n"
                 "    .client_count = %zu,\n"
                 "    .clients = {\n",
                 uart->client_channel, uart->client_up, uart->client_down, uart->ring_up,
                 layout->console_timer_channel, count);
    for (size_t i = 0; i < system->vms.count; i++) {
        emit_client(system->vms.items[i]->name, &layout->vms[i].console, out);
    }
    for (size_t i = 0; i < system->networks.count; i++) {
        if (layout->switches[i] != NULL) {
            emit_client(system->networks.items[i]->name, &layout->log_links[i], out);
        }
    }
    if (layout->disk.block != NULL) {
        emit_client("disk", &layout->disk.driver_log, out);
        emit_client("block", &layout->disk.block_log, out);
    }
    if (layout->uplink.driver != NULL) {
        emit_client("uplink", &layout->uplink.log, out);
    }
    buffer_print(out, "    },\n};\n");
}

static const char *trunk_name(const struct interface *port)
{
    return memory_format("trunk_%u", port->port);
}

static void emit_trunks(const struct network *network, struct buffer *out)
{
    for (unsigned p = 0; p < network->port_count; p++) {
        const struct interface *port = network->ports[p];
        if (port->trunk[0] == 0) {
            continue;
        }
        buffer_print(out, "\nstatic const uint16_t %s[] = {", trunk_name(port));
        for (size_t i = 0; port->trunk[i] != 0; i++) {
            buffer_print(out, "%u, ", port->trunk[i]);
        }
        buffer_print(out, "0};\n");
    }
}

static void emit_port(const struct layout *layout, const struct network *network, unsigned p,
                      struct buffer *out)
{
    const struct interface *port = network->ports[p];
    const struct vm_layout *place = &layout->vms[port->vm->index];
    const struct link *link = &place->interfaces[port->index];
    bool vhost = interface_is_vhost(port);

    buffer_print(out,
                 "        {\n"
                 "            .name = \"%s\",\n"
                 "            .path = %s,\n"
                 "            .channel = %u,\n"
                 "            .mac_fixed = %s,\n"
                 "            .mac = {",
                 port->vm->name, vhost ? "SWITCH_PATH_VHOST" : "SWITCH_PATH_ISOLATED",
                 link->server_channel, port->settings.any_mac.number ? "false" : "true");
    emit_mac(port->mac, out);
    buffer_print(out,
                 "},\n"
                 "            .may_reach = 0x%" PRIx64 ",\n"
                 "            .access_vlan = %" PRIu64 ",\n",
                 network->may_reach[p], port->settings.vlan.number);
    if (port->trunk[0] != 0) {
        buffer_print(out, "            .trunk_vlans = %s,\n", trunk_name(port));
    }
    if (vhost) {
        buffer_print(out,
                     "            .vhost_page = " FIELD_POINTER ",\n"
                     "            .ram = " FIELD_POINTER ",\n"
                     "            .ram_gpa = 0x%llx,\n"
                     "            .ram_size = 0x%" PRIx64 ",\n"
                     "        },\n",
                     link->server_up, place->switch_ram[port->index], GUEST_RAM,
                     port->vm->settings.memory.number);
        return;
    }
    buffer_print(out,
                 "            .from_port = " FIELD_POINTER ",\n"
                 "            .to_port = " FIELD_POINTER ",\n"
                 "            .ring_size = 0x%" PRIx64 ",\n"
                 "        },\n",
                 link->server_up, link->server_down, link->ring_up);
}

static void emit_uplink_vlans(const struct uplink *uplink, struct buffer *out)
{
    if (uplink == NULL || uplink->vlans[0] == 0) {
        return;
    }
    buffer_print(out, "\nstatic const uint16_t uplink_vlans[] = {");
    for (size_t i = 0; uplink->vlans[i] != 0; i++) {
        buffer_print(out, "%u, ", uplink->vlans[i]);
    }
    buffer_print(out, "0};\n");
}

static void emit_uplink_port(const struct layout *layout, const struct uplink *uplink,
                             struct buffer *out)
{
    const struct link *link = &layout->uplink.link;

    buffer_print(out,
                 "        {\n"
                 "            .name = \"uplink\",\n"
                 "            .path = SWITCH_PATH_UPLINK,\n"
                 "            .channel = %u,\n"
                 "            .may_reach = 0x%" PRIx64 ",\n"
                 "            .access_vlan = %" PRIu64 ",\n"
                 "            .flood_limit = %" PRIu64 ",\n",
                 link->server_channel, uplink->network->may_reach[uplink->port],
                 uplink->settings.native.number, uplink->settings.flood.number);
    if (uplink->vlans[0] != 0) {
        buffer_print(out, "            .trunk_vlans = uplink_vlans,\n");
    }
    buffer_print(out,
                 "            .from_port = " FIELD_POINTER ",\n"
                 "            .to_port = " FIELD_POINTER ",\n"
                 "            .ring_size = 0x%" PRIx64 ",\n"
                 "        },\n",
                 link->server_up, link->server_down, link->ring_up);
}

static void emit_switch(const struct layout *layout, const struct network *network,
                        struct buffer *out)
{
    const struct link *log = &layout->log_links[network->index];

    emit_trunks(network, out);
    emit_uplink_vlans(network->uplink, out);
    buffer_print(out,
                 "\nconst struct switch_config switch_config = {\n"
                 "    .name = \"%s\",\n"
                 "    .age_seconds = %" PRIu64 ",\n"
                 "    .mirror_port = %d,\n"
                 "    .log = " FIELD_POINTER ",\n"
                 "    .log_size = 0x%" PRIx64 ",\n"
                 "    .log_channel = %u,\n"
                 "    .port_count = %u,\n"
                 "    .ports = {\n",
                 network->name, network->settings.ageing.number / 1000000, network->mirror_port,
                 log->client_up, log->ring_up, log->client_channel, network_port_count(network));
    for (unsigned p = 0; p < network->port_count; p++) {
        emit_port(layout, network, p, out);
    }
    if (network->uplink != NULL) {
        emit_uplink_port(layout, network->uplink, out);
    }
    buffer_print(out, "    },\n};\n");
}

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
    buffer_print(out, "},\n"
                      "            .mtu = 1500,\n");
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

static void emit_vm_disk(const struct vm_layout *place, const struct slice *slice,
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
                 "            .intid = %u,\n"
                 "        },\n",
                 link->client_channel, slice->index, link->client_up, link->client_down,
                 link->ring_up, link->ring_down, device->registers, device->gpa, device->intid);
}

static void emit_vm(const struct layout *layout, const struct vm *vm, struct buffer *out)
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
                 "    .vcpu_count = %" PRIu64 ",\n"
                 "    .has_others = %s,\n"
                 "    .ram = " FIELD_POINTER ",\n"
                 "    .ram_gpa = 0x%llx,\n"
                 "    .ram_size = 0x%" PRIx64 ",\n"
                 "    .ram_piece = 0x%" PRIx64 ",\n",
                 vm->name, vm->settings.start.number ? "true" : "false", vm->settings.vcpus.number,
                 layout->system->vms.count > 1 ? "true" : "false", place->ram, GUEST_RAM,
                 vm->settings.memory.number,
                 vm->slice_count == 0 ? 0 : layout->system->board.settings.region_max.number);
    emit_image("kernel", "embedded_kernel", &place->kernel, out);
    emit_image("initrd", "embedded_initramfs", &place->initramfs, out);
    buffer_print(out,
                 "    .dtb = {.data = embedded_dtb, .size = %zu, .gpa = 0x%" PRIx64 "},\n"
                 "    .seed_offset = 0x%zx,\n"
                 "    .secret = embedded_secret,\n"
                 "    .gicd_gpa = 0x%llx,\n"
                 "    .reset_page = " FIELD_POINTER ",\n"
                 "    .reset_gpa = 0x%llx,\n"
                 "    .timer_channel = %u,\n"
                 "    .budget_us = %" PRIu64 ",\n"
                 "    .period_us = %" PRIu64 ",\n"
                 "    .has_equals = %s,\n"
                 "    .turn_channel = %u,\n",
                 place->dtb.length, place->dtb_gpa, dtb_seed_offset(&place->dtb), GUEST_GICD,
                 place->reset, GUEST_RESET, place->timer_channel, vm->settings.budget.number,
                 vm->settings.period.number, place->has_equals ? "true" : "false",
                 place->turn_channel);
    emit_vm_console(vm, place, out);
    buffer_print(out, "    .interface_count = %u,\n    .interfaces = {\n", vm->interface_count);
    for (unsigned i = 0; i < vm->interface_count; i++) {
        emit_vm_interface(place, &vm->interfaces[i], out);
    }
    buffer_print(out, "    },\n    .disk_count = %u,\n    .disks = {\n", vm->slice_count);
    for (unsigned i = 0; i < vm->slice_count; i++) {
        emit_vm_disk(place, &vm->slices[i], out);
    }
    buffer_print(out, "    },\n};\n");
}

static void emit_slice(const struct layout *layout, const struct slice *slice, struct buffer *out)
{
    const struct vm_layout *place = &layout->vms[slice->vm->index];
    const struct link *link = &place->slices[slice->index];

    buffer_print(out,
                 "        {\n"
                 "            .name = \"%s disk%u\",\n"
                 "            .channel = %u,\n"
                 "            .read_only = %s,\n",
                 slice->vm->name, slice->index, link->server_channel,
                 slice->settings.read_only.number ? "true" : "false");
    if (slice->part == BLOCK_PART_RANGE) {
        buffer_print(out,
                     "            .part = BLOCK_PART_RANGE,\n"
                     "            .offset = 0x%" PRIx64 ",\n"
                     "            .size = 0x%" PRIx64 ",\n",
                     slice->offset, slice->size);
    } else if (slice->part == BLOCK_PART_NUMBER) {
        buffer_print(out,
                     "            .part = BLOCK_PART_NUMBER,\n"
                     "            .number = %u,\n",
                     slice->number);
    } else {
        buffer_print(out, "            .part = BLOCK_PART_NAME,\n            .partition = \"");
        buffer_add_quoted(out, slice->settings.partition.text);
        buffer_print(out, "\",\n");
    }
    buffer_print(out,
                 "            .requests = " FIELD_POINTER ",\n"
                 "            .replies = " FIELD_POINTER ",\n"
                 "            .request_ring_size = 0x%" PRIx64 ",\n"
                 "            .reply_ring_size = 0x%" PRIx64 ",\n"
                 "            .first_region = %zu,\n"
                 "            .region_count = %zu,\n"
                 "        },\n",
                 link->server_up, link->server_down, link->ring_up, link->ring_down,
                 place->first_data_region, place->data_region_count);
}

static void emit_block(const struct layout *layout, struct buffer *out)
{
    const struct disk_layout *disk = &layout->disk;

    buffer_print(out, "\nstatic const uint64_t region_sizes[] = {\n");
    for (size_t i = 0; i < disk->data_regions.count; i++) {
        buffer_print(out, "    0x%" PRIx64 ", /* %s */\n", disk->data_regions.items[i]->size,
                     disk->data_regions.items[i]->name);
    }
    buffer_print(out,
                 "};\n"
                 "\nconst struct block_config block_config = {\n"
                 "    .driver_channel = %u,\n"
                 "    .requests = " FIELD_POINTER ",\n"
                 "    .replies = " FIELD_POINTER ",\n"
                 "    .request_ring_size = 0x%" PRIx64 ",\n"
                 "    .reply_ring_size = 0x%" PRIx64 ",\n"
                 "    .buffer = " FIELD_POINTER ",\n"
                 "    .region_sizes = region_sizes,\n"
                 "    .region_count = %zu,\n"
                 "    .log = " FIELD_POINTER ",\n"
                 "    .log_size = 0x%" PRIx64 ",\n"
                 "    .log_channel = %u,\n"
                 "    .client_count = %u,\n"
                 "    .clients = {\n",
                 disk->link.client_channel, disk->link.client_up, disk->link.client_down,
                 disk->link.ring_up, disk->link.ring_down, disk->buffer, disk->data_regions.count,
                 disk->block_log.client_up, disk->block_log.ring_up, disk->block_log.client_channel,
                 layout->disk_client_count);
    for (size_t i = 0; i < layout->system->vms.count; i++) {
        const struct vm *vm = layout->system->vms.items[i];
        for (unsigned k = 0; k < vm->slice_count; k++) {
            emit_slice(layout, &vm->slices[k], out);
        }
    }
    buffer_print(out, "    },\n};\n");
}

/* The variables have contents, so that they lie in the program's file, where the tool sets them. */
static void emit_disk_driver(const struct layout *layout, struct buffer *out)
{
    const struct disk_layout *disk = &layout->disk;

    buffer_print(out, "\n/* The SDK's tool writes physical addresses here. */\n");
    for (size_t i = 0; i < disk->driver->setvars.count; i++) {
        buffer_print(out, "uint64_t %s = UINT64_MAX;\n", disk->driver->setvars.items[i].symbol);
    }
    buffer_print(out, "\nstatic const struct block_driver_region regions[] = {\n");
    for (size_t i = 0; i < disk->data_regions.count; i++) {
        buffer_print(out, "    {.paddr = &data_paddr_%zu, .size = 0x%" PRIx64 "}, /* %s */\n", i,
                     disk->data_regions.items[i]->size, disk->data_regions.items[i]->name);
    }
    buffer_print(out,
                 "};\n"
                 "\nconst struct block_driver_config block_driver_config = {\n"
                 "    .registers = 0x%" PRIx64 ",\n"
                 "    .irq_channel = %u,\n"
                 "    .client_channel = %u,\n"
                 "    .requests = " FIELD_POINTER ",\n"
                 "    .replies = " FIELD_POINTER ",\n"
                 "    .request_ring_size = 0x%" PRIx64 ",\n"
                 "    .reply_ring_size = 0x%" PRIx64 ",\n"
                 "    .dma = " FIELD_POINTER ",\n"
                 "    .dma_paddr = &dma_paddr,\n"
                 "    .regions = regions,\n"
                 "    .region_count = %zu,\n"
                 "    .log = " FIELD_POINTER ",\n"
                 "    .log_size = 0x%" PRIx64 ",\n"
                 "    .log_channel = %u,\n"
                 "};\n",
                 disk->registers, disk->driver->irqs.items[0].channel, disk->link.server_channel,
                 disk->link.server_up, disk->link.server_down, disk->link.ring_up,
                 disk->link.ring_down, disk->dma, disk->data_regions.count,
                 disk->driver_log.client_up, disk->driver_log.ring_up,
                 disk->driver_log.client_channel);
}

static void emit_card_driver(const struct layout *layout, struct buffer *out)
{
    const struct uplink_layout *place = &layout->uplink;

    buffer_print(out,
                 "\n/* The SDK's tool writes the physical address here. */\n"
                 "uint64_t dma_paddr = UINT64_MAX;\n"
                 "\nconst struct net_driver_config net_driver_config = {\n"
                 "    .registers = 0x%" PRIx64 ",\n"
                 "    .irq_channel = %u,\n"
                 "    .switch_channel = %u,\n"
                 "    .to_switch = " FIELD_POINTER ",\n"
                 "    .from_switch = " FIELD_POINTER ",\n"
                 "    .ring_size = 0x%" PRIx64 ",\n"
                 "    .dma = " FIELD_POINTER ",\n"
                 "    .dma_paddr = &dma_paddr,\n"
                 "    .log = " FIELD_POINTER ",\n"
                 "    .log_size = 0x%" PRIx64 ",\n"
                 "    .log_channel = %u,\n"
                 "};\n",
                 place->registers, place->driver->irqs.items[0].channel, place->link.client_channel,
                 place->link.client_up, place->link.client_down, place->link.ring_up, place->dma,
                 place->log.client_up, place->log.ring_up, place->log.client_channel);
}

static void emit_turn(const struct turn_layout *turn, struct buffer *out)
{
    buffer_print(out,
                 "\nconst struct turn_config turn_config = {\n"
                 "    .timer_channel = %u,\n"
                 "    .client_count = %u,\n"
                 "};\n",
                 turn->timer_channel, turn->client_count);
}

void emit_config(const struct layout *layout, const struct pd *pd, struct buffer *out)
{
    emit_head(layout, pd->kind, out);
    for (size_t i = 0; i < layout->turn_count; i++) {
        if (pd == layout->turns[i].pd) {
            emit_turn(&layout->turns[i], out);
            return;
        }
    }
    if (pd == layout->timer) {
        emit_timer(layout, out);
    } else if (pd == layout->uart) {
        emit_uart(layout, out);
    } else if (pd == layout->console) {
        emit_console(layout, out);
    } else if (pd == layout->disk.block) {
        emit_block(layout, out);
    } else if (pd == layout->disk.driver) {
        emit_disk_driver(layout, out);
    } else if (pd == layout->uplink.driver) {
        emit_card_driver(layout, out);
    } else if (pd->network != NULL) {
        emit_switch(layout, pd->network, out);
    } else {
        emit_vm(layout, pd->vm, out);
    }
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
