/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <string.h>
#include "emit.h"

#define FONT "Helvetica,Arial,sans-serif"

/* Behind a priority: on which core that is. */
static const char *core_text(const struct system *system, unsigned core)
{
    return has_several_cores(system) ? memory_format(", core %u", core) : "";
}

/* Behind the number of a machine's vCPUs: their cores in their order, or the one core of all. */
static const char *cores_text(const struct system *system, const struct vm *vm)
{
    const char *text = memory_format("%u", vm->cores[0]);
    bool same = true;

    if (!has_several_cores(system)) {
        return "";
    }
    for (uint64_t id = 1; id < vm->settings.vcpus.number; id++) {
        text = memory_format("%s, %u", text, vm->cores[id]);
        same = same && vm->cores[id] == vm->cores[0];
    }
    return same ? memory_format(", core %u", vm->cores[0]) : memory_format(", cores %s", text);
}

/* A machine stands on its monitor. */
static void emit_machine(const struct layout *layout, const struct vm *vm, struct buffer *out)
{
    const struct vm_settings *settings = &vm->settings;
    const struct pd *monitor = layout->monitors[vm->index];

    buffer_print(out,
                 "    vmm_%u [shape=plain, fillcolor=none, label=<<table border=\"0\" "
                 "cellborder=\"1\" cellspacing=\"0\" cellpadding=\"6\">"
                 "<tr><td bgcolor=\"#d5e8d4\" color=\"#82b366\"><b>%s</b><br/>"
                 "<font point-size=\"9\">%s RAM, %" PRIu64 " vCPU%s%s",
                 vm->index, vm->name, value_format(VALUE_SIZE, settings->memory.number),
                 settings->vcpus.number, settings->vcpus.number == 1 ? "" : "s",
                 cores_text(layout->system, vm));
    for (unsigned i = 0; i < vm->interface_count; i++) {
        const struct interface *interface = &vm->interfaces[i];
        buffer_print(out, "<br/>eth%u %s", i,
                     interface->settings.ip.line == 0
                         ? value_format(VALUE_MAC, interface->mac)
                         : value_format(VALUE_IPV4_NET, interface->settings.ip.number));
    }
    buffer_print(out,
                 "</font></td></tr><tr><td port=\"m\" bgcolor=\"#dae8fc\" color=\"#6c8ebf\">%s<br/>"
                 "<font point-size=\"9\">priority %u%s</font></td></tr></table>>];\n",
                 monitor->name, monitor->priority, core_text(layout->system, monitor->core));
}

static void emit_machines(const struct layout *layout, struct buffer *out)
{
    const struct system *system = layout->system;

    for (size_t i = 0; i < system->vms.count; i++) {
        emit_machine(layout, system->vms.items[i], out);
    }
    buffer_print(out, "    { rank=same; edge [style=invis]; ");
    for (size_t i = 0; i < system->vms.count; i++) { /* in the file's order, from left to right */
        buffer_print(out, "%svmm_%zu", i == 0 ? "" : " -> ", i);
    }
    buffer_print(out, "; }\n");
}

/* What the monitors start their guests from: one copy for all, where the SDK can do that. */
static void emit_images(const struct layout *layout, struct buffer *out)
{
    const struct system *system = layout->system;

    if (!system->options->prefill) {
        return;
    }
    buffer_print(out, "    images [shape=cylinder, fillcolor=\"#e1d5e7\", color=\"#9673a6\", "
                      "label=<images, read-only<font point-size=\"9\">");
    for (size_t i = 0; i < system->images.count; i++) {
        const struct image *image = system->images.items[i];
        buffer_print(out, "<br/>");
        buffer_add_xml(out, strrchr(image->path, '/') + 1);
        buffer_print(out, " %s", layout_mebibytes(image->size));
    }
    buffer_print(out, "</font>>];\n");
    for (size_t i = 0; i < system->vms.count; i++) {
        buffer_print(out, "    vmm_%zu:m -> images [dir=back, style=dotted, color=\"#9673a6\"];\n",
                     i);
    }
}

static void emit_service(const struct layout *layout, const struct pd *pd, const char *id,
                         const char *fill, const char *line, struct buffer *out)
{
    buffer_print(out,
                 "    %s [fillcolor=\"%s\", color=\"%s\", label=<%s<br/>"
                 "<font point-size=\"9\">priority %u%s</font>>];\n",
                 id, fill, line, pd->name, pd->priority, core_text(layout->system, pd->core));
}

static void emit_services(const struct layout *layout, struct buffer *out)
{
    const struct board *board = &layout->system->board;

    for (size_t i = 0; i < layout->system->networks.count; i++) {
        if (layout->switches[i] != NULL) {
            emit_service(layout, layout->switches[i], memory_format("switch_%zu", i), "#ffe6cc",
                         "#d79b00", out);
        }
    }
    emit_service(layout, layout->console, "console", "#fff2cc", "#d6b656", out);
    buffer_print(out, "    { rank=same; timer; uart; }\n");
    emit_service(layout, layout->timer, "timer", "#f8cecc", "#b85450", out);
    for (size_t i = 0; i < layout->turns.count; i++) {
        emit_service(layout, layout->turns.items[i].pd, memory_format("turn_%zu", i), "#f8cecc",
                     "#b85450", out);
        buffer_print(out, "    turn_%zu -> timer [style=dashed, color=\"#b85450\"];\n", i);
    }
    emit_service(layout, layout->uart, "uart", "#f8cecc", "#b85450", out);
    buffer_print(
        out,
        "    uart_device [shape=component, fillcolor=\"#f5f5f5\", color=\"#666666\", "
        "label=<UART<br/><font point-size=\"9\">0x%" PRIx64 ", INTID %" PRIu64 "</font>>];\n"
        "    timer_device [shape=component, fillcolor=\"#f5f5f5\", color=\"#666666\", "
        "label=<timer<br/><font point-size=\"9\">INTID %" PRIu64 "</font>>];\n"
        "    uart -> uart_device [color=\"#666666\"];\n"
        "    timer -> timer_device [color=\"#666666\"];\n"
        "    console -> uart [dir=both, color=\"#d6b656\", label=\" 2 x %s\"];\n"
        "    console -> timer [style=dashed, color=\"#b85450\"];\n",
        board->uart.address.number, board->uart.interrupt.number, board->timer.interrupt.number,
        value_format(VALUE_SIZE, layout->uart_link.ring_up));
}

static void emit_port_label(const struct interface *interface, const struct link *link,
                            struct buffer *out)
{
    if (interface_is_vhost(interface)) {
        buffer_print(out, " eth%u\\n vhost", interface->index);
    } else {
        buffer_print(out, " eth%u\\n 2 x %s", interface->index,
                     value_format(VALUE_SIZE, link->ring_up));
    }
    if (interface->settings.vlan.line != 0) {
        buffer_print(out, "\\nVLAN %" PRIu64, interface->settings.vlan.number);
    }
    for (size_t i = 0; interface->trunk[i] != 0; i++) {
        buffer_print(out, "%s%u", i == 0 ? "\\ntrunk " : ",", interface->trunk[i]);
    }
    if (interface->network->mirror_port == (int)interface->port) {
        buffer_print(out, "\\nmirror");
    }
}

static void emit_links(const struct layout *layout, struct buffer *out)
{
    const struct system *system = layout->system;

    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        const struct vm_layout *place = &layout->vms[i];
        for (unsigned k = 0; k < vm->interface_count; k++) {
            buffer_print(out,
                         "    vmm_%zu:m -> switch_%u [dir=both, penwidth=2, color=\"#d79b00\", "
                         "label=\"",
                         i, vm->interfaces[k].network->index);
            emit_port_label(&vm->interfaces[k], &place->interfaces[k], out);
            buffer_print(out, "\"];\n");
        }
        buffer_print(out, "    vmm_%zu:m -> console [dir=%s, color=\"#d6b656\"];\n", i,
                     place->console.ring_down == 0 ? "forward" : "both");
        buffer_print(out, "    vmm_%zu:m -> timer [style=dashed, color=\"#b85450\"];\n", i);
        for (size_t k = 0; k < layout->turns.count; k++) {
            const struct pd *turn = layout->turns.items[k].pd;
            if (place->has_equals && turn->core == monitor_core(vm) &&
                turn->priority == vm->settings.priority.number) {
                buffer_print(out,
                             "    vmm_%zu:m -> turn_%zu [dir=both, style=dotted, "
                             "color=\"#b85450\"];\n",
                             i, k);
            }
        }
    }
    for (size_t i = 0; i < system->networks.count; i++) {
        if (layout->switches[i] != NULL) {
            buffer_print(out,
                         "    switch_%zu -> console [style=dotted, color=\"#d6b656\", "
                         "label=\" log\"];\n",
                         i);
        }
    }
}

static void emit_shared(const struct layout *layout, struct buffer *out)
{
    const struct system *system = layout->system;

    for (size_t i = 0; i < system->shared.count; i++) {
        const struct shared *shared = system->shared.items[i];
        buffer_print(out,
                     "    shared_%zu [shape=cylinder, fillcolor=\"#d5e8d4\", color=\"#82b366\", "
                     "label=<%s<br/><font point-size=\"9\">%s, shared, 0x%" PRIx64 "</font>>];\n",
                     i, shared->name, value_format(VALUE_SIZE, shared->settings.size.number),
                     shared->gpa);
        for (unsigned number = 0; number < shared->machine_count; number++) {
            bool writes = (shared->writers >> number & 1) != 0;
            buffer_print(out,
                         "    shared_%zu -> vmm_%u [dir=%s, color=\"#82b366\", penwidth=2, "
                         "label=\" %u%s\"];\n",
                         i, shared->machines[number]->index, writes ? "both" : "forward", number,
                         writes ? "" : ", read-only");
        }
    }
}

static void emit_disk(const struct layout *layout, struct buffer *out)
{
    const struct system *system = layout->system;
    const struct board_disk_settings *board = &system->board.disk;

    if (layout->disk.block == NULL) {
        return;
    }
    emit_service(layout, layout->disk.block, "block", "#ffe6cc", "#d79b00", out);
    emit_service(layout, layout->disk.driver, "block_driver", "#f8cecc", "#b85450", out);
    buffer_print(
        out,
        "    disk_device [shape=component, fillcolor=\"#f5f5f5\", color=\"#666666\", "
        "label=<disk, %s<br/><font point-size=\"9\">0x%" PRIx64 ", INTID %" PRIu64 "</font>>];\n"
        "    block_driver -> disk_device [color=\"#666666\"];\n"
        "    block -> block_driver [dir=both, color=\"#4d9a9a\", penwidth=2];\n"
        "    block -> console [style=dotted, color=\"#d6b656\"];\n",
        layout_mebibytes(system->disk.size), board->address.number, board->interrupt.number);
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        for (unsigned k = 0; k < vm->slice_count; k++) {
            const struct slice *slice = &vm->slices[k];
            buffer_print(out,
                         "    vmm_%zu:m -> block [dir=both, color=\"#4d9a9a\", penwidth=2, "
                         "label=\" vd%c\\n ",
                         i, 'a' + (char)k);
            buffer_add_quoted(out, slice->kind == BLOCK_SLICE_RANGE
                                       ? value_format(VALUE_SIZE, slice->size)
                                       : slice->settings.partition.text);
            buffer_print(out, "%s\"];\n", slice->settings.read_only.number ? ", read-only" : "");
        }
    }
}

static void emit_uplink(const struct layout *layout, struct buffer *out)
{
    const struct uplink *uplink = &layout->system->uplink;
    const struct board_network_settings *board = &layout->system->board.network;

    if (layout->uplink.driver == NULL) {
        return;
    }
    emit_service(layout, layout->uplink.driver, "net_driver", "#f8cecc", "#b85450", out);
    buffer_print(out,
                 "    card_device [shape=component, fillcolor=\"#f5f5f5\", color=\"#666666\", "
                 "label=<network card<br/><font point-size=\"9\">0x%" PRIx64 ", INTID %" PRIu64
                 "</font>>];\n"
                 "    net_driver -> card_device [color=\"#666666\"];\n"
                 "    switch_%u -> net_driver [dir=both, penwidth=2, color=\"#d79b00\", "
                 "label=\" uplink\\n 2 x %s",
                 board->address.number, board->interrupt.number, uplink->network->index,
                 value_format(VALUE_SIZE, layout->uplink.link.ring_up));
    for (size_t i = 0; uplink->vlans[i] != 0; i++) {
        buffer_print(out, "%s%u", i == 0 ? "\\ntrunk " : ",", uplink->vlans[i]);
    }
    buffer_print(out, "\"];\n    net_driver -> console [style=dotted, color=\"#d6b656\"];\n");
}

void emit_dot(const struct layout *layout, struct buffer *out)
{
    buffer_print(out,
                 "digraph system {\n"
                 "    graph [label=<<b>%s</b><br/><font point-size=\"10\">green: virtual machine; "
                 "blue: its monitor; thick: frames; thin: console; dashed: calls of the timer; "
                 "dotted, red: whose turn it is; "
                 "sizes are those of the rings</font>>, labelloc=t, fontname=\"" FONT "\", "
                 "rankdir=TB, nodesep=0.35, ranksep=0.55];\n"
                 "    node [shape=box, style=filled, fontname=\"" FONT "\", fontsize=12];\n"
                 "    edge [fontname=\"" FONT "\", fontsize=9];\n",
                 layout->system->name);
    emit_machines(layout, out);
    emit_services(layout, out);
    emit_images(layout, out);
    emit_links(layout, out);
    emit_shared(layout, out);
    emit_disk(layout, out);
    emit_uplink(layout, out);
    buffer_print(out, "}\n");
}
