/* SPDX-License-Identifier: BSD-2-Clause */

/* The configuration of a PD: the services of every system here, the others in emit_config_*.c. */

#include "emit_config.h"

#include <inttypes.h>
#include "emit.h"
#include "lib/control.h"
#include "lib/stats.h"

static void emit_head(const struct layout *layout, const char *kind, struct buffer *out)
{
    buffer_print(out,
                 "/* Made by braid-gen from the system '%s'; changes will be lost. */\n"
                 "#include \"%s/config.h\"\n",
                 layout->system->name, kind);
}

void emit_mac(uint64_t mac, struct buffer *out)
{
    for (int shift = 40; shift >= 0; shift -= 8) {
        buffer_print(out, "0x%02x%s", (unsigned)(mac >> shift & 255), shift == 0 ? "" : ", ");
    }
}

static void emit_timer(const struct layout *layout, struct buffer *out)
{
    size_t words = has_domains(layout->system) ? layout->system->vms.count : 0;

    if (words != 0) {
        buffer_print(out, "\nstatic const uint64_t *const words[] = {\n");
        for (size_t i = 0; i < words; i++) {
            buffer_print(out, "    " FIELD_POINTER ",\n", layout->vms[i].driver_timer_word);
        }
        buffer_print(out, "};\n");
    }
    buffer_print(out, "\nconst struct timer_config timer_config = {\n");
    if (words != 0) {
        buffer_print(out, "    .words = words,\n    .word_count = %zu,\n", words);
    }
    if (layout->timer_registers != 0) {
        buffer_print(out, "    .registers = 0x%" PRIx64 ",\n", layout->timer_registers);
    }
    buffer_print(out,
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

/* The console's clients: machines, switches, those of the disk, the uplink. */
static size_t client_of_switch(const struct layout *layout, size_t network)
{
    size_t client = layout->system->vms.count;

    for (size_t i = 0; i < network; i++) {
        client += layout->switches[i] != NULL;
    }
    return client;
}

static size_t client_of_uplink(const struct layout *layout)
{
    return client_of_switch(layout, layout->system->networks.count) +
           (layout->disk.block != NULL ? 2 : 0);
}

static void emit_clients(const struct layout *layout, struct buffer *out)
{
    const struct system *system = layout->system;

    buffer_print(out, "    .client_count = %zu,\n    .clients = {\n",
                 client_of_uplink(layout) + (layout->uplink.driver != NULL));
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
    buffer_print(out, "    },\n");
}

static void emit_set(const char *kind, size_t client, unsigned number, size_t of_switch,
                     uint64_t address, struct buffer *out)
{
    buffer_print(out, "    {STATS_%s, %zu, %u, %zu, " FIELD_POINTER "},\n", kind, client, number,
                 of_switch, address);
}

static void emit_port_set(const struct layout *layout, const struct network *network, unsigned port,
                          size_t client, unsigned number, struct buffer *out)
{
    emit_set("PORT", client, number, client_of_switch(layout, network->index),
             layout->stats[network->index].console + port * sizeof(struct stats_port), out);
}

static size_t emit_sets(const struct layout *layout, struct buffer *out)
{
    const struct system *system = layout->system;
    unsigned disk = 0; /* of all machines' */
    size_t count = 0;

    buffer_print(out, "\nstatic const struct console_set sets[] = {\n");
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];

        emit_set("MACHINE", i, 0, CONTROL_NOBODY, layout->vms[i].stats.console, out);
        for (unsigned k = 0; k < vm->interface_count; k++) {
            emit_port_set(layout, vm->interfaces[k].network, vm->interfaces[k].port, i, k, out);
        }
        for (unsigned k = 0; k < vm->slice_count; k++, disk++) {
            emit_set("DISK", i, k, CONTROL_NOBODY,
                     layout->disk.stats.console + disk * sizeof(struct stats_disk), out);
        }
        count += 1 + vm->interface_count + vm->slice_count;
    }
    if (layout->uplink.driver != NULL) {
        emit_port_set(layout, system->uplink.network, system->uplink.port, client_of_uplink(layout),
                      0, out);
        count++;
    }
    buffer_print(out, "};\n");
    return count;
}

static void emit_console(const struct layout *layout, struct buffer *out)
{
    const struct link *uart = &layout->uart_link;
    size_t sets = emit_sets(layout, out);

    buffer_print(out,
                 "\nconst struct console_config console_config = {\n"
                 "    .uart_channel = %u,\n"
                 "    .uart_transmit = " FIELD_POINTER ",\n"
                 "    .uart_receive = " FIELD_POINTER ",\n"
                 "    .uart_ring_size = 0x%" PRIx64 ",\n"
                 "    .has_timer = true,\n"
                 "    .timer_channel = %u,\n"
                 "    .set_count = %zu,\n"
                 "    .sets = sets,\n",
                 uart->client_channel, uart->client_up, uart->client_down, uart->ring_up,
                 layout->console_timer_channel, sets);
    emit_clients(layout, out);
    buffer_print(out, "};\n");
}

static void emit_turn(const struct turn_layout *turn, struct buffer *out)
{
    buffer_print(out,
                 "\nconst struct turn_config turn_config = {\n"
                 "    .has_timer = %s,\n"
                 "    .timer_channel = %u,\n"
                 "    .client_count = %u,\n"
                 "};\n",
                 turn->has_timer ? "true" : "false", turn->timer_channel, turn->client_count);
}

void emit_config(const struct layout *layout, const struct pd *pd, struct buffer *out)
{
    emit_head(layout, pd->kind, out);
    for (size_t i = 0; i < layout->turns.count; i++) {
        if (pd == layout->turns.items[i].pd) {
            emit_turn(&layout->turns.items[i], out);
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
        emit_block_config(layout, out);
    } else if (pd == layout->disk.driver) {
        emit_disk_driver_config(layout, out);
    } else if (pd == layout->uplink.driver) {
        emit_card_driver_config(layout, out);
    } else if (pd->network != NULL) {
        emit_switch_config(layout, pd->network, out);
    } else {
        emit_vm_config(layout, pd->vm, out);
    }
}
