/* SPDX-License-Identifier: BSD-2-Clause */

/* The configuration of switches, and of the network card's driver. */

#include <inttypes.h>
#include "emit_config.h"

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

static void emit_limit(const struct layout *layout, const struct interface *port,
                       struct buffer *out)
{
    const struct rate_settings *rate = &port->settings.of_rate;

    if (!interface_is_limited(port)) {
        return;
    }
    buffer_print(out,
                 "            .send_rate = %" PRIu64 ",\n"
                 "            .receive_rate = %" PRIu64 ",\n"
                 "            .burst_us = %" PRIu64 ",\n",
                 rate->send.number, rate->receive.number, rate->burst.number);
    if (rate->receive.number != 0) {
        buffer_print(out,
                     "            .queue = " FIELD_POINTER ",\n"
                     "            .queue_size = 0x%" PRIx64 ",\n",
                     layout->vms[port->vm->index].waiting[port->index],
                     port->network->settings.queue.number);
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
    emit_limit(layout, port, out);
    if (vhost) {
        buffer_print(out,
                     "            .vhost_page = " FIELD_POINTER ",\n"
                     "            .ram = " FIELD_POINTER ",\n"
                     "            .ram_gpa = 0x%" PRIx64 ",\n"
                     "            .ram_size = 0x%" PRIx64 ",\n"
                     "        },\n",
                     link->server_up, place->switch_ram[port->index], place->ram_gpa,
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

void emit_switch_config(const struct layout *layout, const struct network *network,
                        struct buffer *out)
{
    const struct link *log = &layout->log_links[network->index];

    emit_trunks(network, out);
    emit_uplink_vlans(network->uplink, out);
    buffer_print(out,
                 "\nconst struct switch_config switch_config = {\n"
                 "    .name = \"%s\",\n"
                 "    .mtu = %" PRIu64 ",\n"
                 "    .age_seconds = %" PRIu64 ",\n"
                 "    .mirror_port = %d,\n"
                 "    .log = " FIELD_POINTER ",\n"
                 "    .log_size = 0x%" PRIx64 ",\n"
                 "    .log_channel = %u,\n"
                 "    .stats = " FIELD_POINTER ",\n"
                 "    .port_count = %u,\n",
                 network->name, network->settings.mtu.number,
                 network->settings.ageing.number / 1000000, network->mirror_port, log->client_up,
                 log->ring_up, log->client_channel, layout->stats[network->index].writer,
                 network_port_count(network));
    buffer_print(out, "    .has_timer = true,\n    .timer_channel = %u,\n",
                 layout->switch_timer_channel);
    buffer_print(out, "    .ports = {\n");
    for (unsigned p = 0; p < network->port_count; p++) {
        emit_port(layout, network, p, out);
    }
    if (network->uplink != NULL) {
        emit_uplink_port(layout, network->uplink, out);
    }
    buffer_print(out, "    },\n};\n");
}

void emit_card_driver_config(const struct layout *layout, struct buffer *out)
{
    const struct uplink_layout *place = &layout->uplink;

    buffer_print(out, "\n/* The SDK's tool writes the physical address here. */\n"
                      "uint64_t dma_paddr = UINT64_MAX;\n");
    if (place->rings != 0) {
        buffer_print(out, "uint64_t rings_paddr = UINT64_MAX;\n");
    }
    buffer_print(out,
                 "\nconst struct net_driver_config net_driver_config = {\n"
                 "    .registers = 0x%" PRIx64 ",\n"
                 "    .irq_channel = %u,\n"
                 "    .switch_channel = %u,\n"
                 "    .to_switch = " FIELD_POINTER ",\n"
                 "    .from_switch = " FIELD_POINTER ",\n"
                 "    .ring_size = 0x%" PRIx64 ",\n"
                 "    .dma = " FIELD_POINTER ",\n"
                 "    .dma_paddr = &dma_paddr,\n",
                 place->registers, place->driver->irqs.items[0].channel, place->link.client_channel,
                 place->link.client_up, place->link.client_down, place->link.ring_up, place->dma);
    if (place->rings != 0) {
        buffer_print(out, "    .rings = " FIELD_POINTER ",\n    .rings_paddr = &rings_paddr,\n",
                     place->rings);
    }
    buffer_print(out,
                 "    .log = " FIELD_POINTER ",\n"
                 "    .log_size = 0x%" PRIx64 ",\n"
                 "    .log_channel = %u,\n"
                 "};\n",
                 place->log.client_up, place->log.ring_up, place->log.client_channel);
}
