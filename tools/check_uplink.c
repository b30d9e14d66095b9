/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_uplink.h"

#include <ctype.h>
#include <string.h>
#include "diagnostics.h"
#include "image.h"
#include "lib/net_port.h"

#define VLAN_MAX 4094
#define PORT_MAX 65535

/* All become one argument of QEMU's, which Linux limits to 128 KiB. */
#define FORWARDS_MAX 1000

/* ---- VLANs ---- */

/* Which VLANs ports are on, by their numbers. */
struct vlans {
    bool has[VLAN_MAX + 1];
};

static void add_vlan(struct uplink *uplink, struct vlans *taken, uint64_t vlan, size_t *count)
{
    if (vlan != 0 && !taken->has[vlan]) {
        taken->has[vlan] = true;
        uplink->vlans[(*count)++] = (uint16_t)vlan;
    }
}

/* All that the switch's ports are on. */
static void take_all_vlans(struct uplink *uplink)
{
    const struct network *network = uplink->network;
    struct vlans taken = {0};
    size_t count = 0;

    for (unsigned p = 0; p < network->port_count; p++) {
        const struct interface *port = network->ports[p];

        add_vlan(uplink, &taken, port->settings.vlan.number, &count);
        for (size_t i = 0; port->trunk[i] != 0; i++) {
            add_vlan(uplink, &taken, port->trunk[i], &count);
        }
    }
}

static void find_vlans(const struct network *network, struct vlans *found)
{
    *found = (struct vlans){0};
    for (unsigned p = 0; p < network->port_count; p++) {
        const struct interface *port = network->ports[p];

        found->has[port->settings.vlan.number] = true;
        for (size_t i = 0; port->trunk[i] != 0; i++) {
            found->has[port->trunk[i]] = true;
        }
    }
}

static void read_vlans(const struct system *system, struct yaml_file *file, struct uplink *uplink)
{
    static const struct schema_key vlan_key = {
        .name = "vlans", .kind = VALUE_COUNT, .minimum = 1, .maximum = VLAN_MAX};
    const struct setting *vlans = &uplink->settings.vlans;
    struct vlans taken = {0};
    struct vlans inside;
    size_t count = 0;

    if (vlans->node->type != YAML_SEQUENCE_NODE || yaml_item_count(vlans->node) == 0) {
        error_at(system->path, vlans->line, uplink->where,
                 "vlans: a list of VLANs belongs here, like [10, 20]");
        return;
    }
    find_vlans(uplink->network, &inside);
    for (size_t i = 0; i < yaml_item_count(vlans->node); i++) {
        yaml_node_t *item = yaml_node(file, vlans->node->data.sequence.items.start[i]);
        struct setting vlan = {0};
        if (!schema_read_value(&vlan_key, system->path, uplink->where, "vlans: VLAN", item,
                               &vlan)) {
            continue;
        }
        if (taken.has[vlan.number]) {
            error_at(system->path, yaml_line(item), uplink->where, "vlans: VLAN %s given twice",
                     vlan.text);
        } else if (!inside.has[vlan.number]) {
            error_at(system->path, yaml_line(item), uplink->where,
                     "vlans: VLAN %s: no machine on the switch is on it", vlan.text);
        } else {
            add_vlan(uplink, &taken, vlan.number, &count);
        }
    }
}

static void check_native(const struct system *system, const struct uplink *uplink)
{
    const struct setting *native = &uplink->settings.native;
    struct vlans inside;

    find_vlans(uplink->network, &inside);
    if (native->line != 0 && !inside.has[native->number]) {
        error_at(system->path, native->line, uplink->where,
                 "native %s: no machine on the switch is on that VLAN", native->text);
    }
}

/* ---- Addresses in QEMU's user network ---- */

/* Whether the interface gets untagged frames, which are what QEMU sends. */
static bool is_untagged(const struct uplink *uplink, const struct interface *interface)
{
    return interface->trunk[0] == 0 &&
           interface->settings.vlan.number == uplink->settings.native.number;
}

static bool address_is_taken(const struct network *network, uint32_t address)
{
    for (unsigned p = 0; p < network->port_count; p++) {
        const struct interface *port = network->ports[p];

        if (interface_has_address(port) && VALUE_IPV4_BITS(port->settings.ip.number) == address) {
            return true;
        }
    }
    return false;
}

/*
 * Choose the address that each machine will ask QEMU's DHCP server for. QEMU has to know at its
 * start which address a forwarded port leads to.
 */
static void plan_leases(const struct system *system, struct uplink *uplink)
{
    uint32_t next = USER_NETWORK + USER_NETWORK_LEASE;
    uint32_t end = next + USER_NETWORK_LEASES;

    for (unsigned p = 0; p < uplink->network->port_count; p++) {
        struct interface *port = uplink->network->ports[p];

        if (port->settings.ip.number != VALUE_IPV4_DHCP || !is_untagged(uplink, port)) {
            continue;
        }
        while (next < end && address_is_taken(uplink->network, next)) {
            next++;
        }
        if (next == end) {
            error_at(system->path, port->settings.ip.line, port->where,
                     "ip dhcp: QEMU's user network has %u addresses, and they are taken",
                     USER_NETWORK_LEASES);
            return;
        }
        port->lease = next++;
    }
}

/* ---- Forwarded ports ---- */

static const char *skip_blanks(const char *text)
{
    while (*text == ' ') {
        text++;
    }
    return text;
}

/* Read a port's number at *text, and move *text behind it and blanks. False after an error. */
static bool read_port(const struct system *system, const struct uplink *uplink, int line,
                      const char *whole, const char **text, unsigned *port)
{
    const char *start = *text;
    uint64_t number = 0;
    size_t length;

    while (isdigit((unsigned char)**text)) {
        (*text)++;
    }
    length = (size_t)(*text - start);
    if (length != 0 && length <= 9) {
        value_parse(VALUE_COUNT, NULL, memory_copy(start, length), &number);
    }
    if (number == 0 || number > PORT_MAX) {
        error_at(system->path, line, uplink->where,
                 "forward '%.80s': port %.*s: 1 to %d belong there", whole,
                 length > 20 ? 20 : (int)length, start, PORT_MAX);
        return false;
    }
    *port = (unsigned)number;
    *text = skip_blanks(*text);
    return true;
}

static const struct vm *find_vm(const struct system *system, const char *name,
                                struct nearest *nearest)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        if (strcmp(system->vms.items[i]->name, name) == 0) {
            return system->vms.items[i];
        }
        nearest_weigh(nearest, name, system->vms.items[i]->name);
    }
    return NULL;
}

/* The machine's address on the uplink's network; 0 after an error. */
static uint32_t find_address(const struct system *system, const struct uplink *uplink, int line,
                             const char *whole, const char *name)
{
    struct nearest nearest = {0};
    const struct vm *vm = find_vm(system, name, &nearest);
    bool is_there = false;

    if (vm == NULL) {
        error_at(system->path, line, uplink->where, "forward '%.80s': no vm '%.40s': %s", whole,
                 name,
                 nearest.word == NULL ? "name one of this file"
                                      : memory_format("did you mean '%s'?", nearest.word));
        return 0;
    }
    for (unsigned i = 0; i < vm->interface_count; i++) {
        const struct interface *interface = &vm->interfaces[i];
        uint32_t address = interface_has_address(interface)
                               ? VALUE_IPV4_BITS(interface->settings.ip.number)
                               : interface->lease;

        if (interface->network != uplink->network || !is_untagged(uplink, interface)) {
            continue;
        }
        is_there = true;
        if ((address & USER_NETWORK_MASK) == USER_NETWORK) {
            return address;
        }
    }
    error_at(system->path, line, uplink->where, "forward '%.80s': %s: %s", whole, vm->where,
             is_there ? "has no address in QEMU's network: give it 'ip: dhcp'"
                      : "is not on this switch where frames have no tags");
    return 0;
}

static bool is_forwarded(const struct uplink *uplink, const struct forward *forward)
{
    for (size_t i = 0; i < uplink->forwards.count; i++) {
        const struct forward *other = &uplink->forwards.items[i];

        if (other->host_port == forward->host_port &&
            strcmp(other->protocol, forward->protocol) == 0) {
            return true;
        }
    }
    return false;
}

/* An item "tcp:2222->vm0:22". */
static void read_forward(const struct system *system, struct uplink *uplink, const char *whole,
                         int line)
{
    struct forward forward = {.protocol = strncmp(whole, "udp", 3) == 0 ? "udp" : "tcp"};
    const char *text = whole;
    const char *colon;

    if (strncmp(text, forward.protocol, 3) != 0 || text[3] != ':') {
        error_at(system->path, line, uplink->where,
                 "forward '%.80s': not understood: write it like 'tcp:2222->vm0:22'", whole);
        return;
    }
    text += 4;
    if (!read_port(system, uplink, line, whole, &text, &forward.host_port)) {
        return;
    }
    colon = strchr(text, ':');
    if (strncmp(text, "->", 2) != 0 || colon == NULL) {
        error_at(system->path, line, uplink->where,
                 "forward '%.80s': not understood: write it like 'tcp:2222->vm0:22'", whole);
        return;
    }
    text = skip_blanks(text + 2);
    forward.address =
        find_address(system, uplink, line, whole, memory_copy(text, (size_t)(colon - text)));
    text = colon + 1;
    if (forward.address == 0 || !read_port(system, uplink, line, whole, &text, &forward.port)) {
        return;
    }
    if (*text != '\0') {
        error_at(system->path, line, uplink->where, "forward '%.80s': '%.40s' behind its end",
                 whole, text);
    } else if (is_forwarded(uplink, &forward)) {
        error_at(system->path, line, uplink->where,
                 "forward '%.80s': the host's port %u is forwarded already", whole,
                 forward.host_port);
    } else {
        *list_add(&uplink->forwards) = forward;
    }
}

static void read_forwards(const struct system *system, struct yaml_file *file,
                          struct uplink *uplink)
{
    const struct setting *list = &uplink->settings.forward;

    if (list->node->type != YAML_SEQUENCE_NODE) {
        error_at(system->path, list->line, uplink->where,
                 "forward: %s: a list belongs here, like ['tcp:2222->vm0:22']",
                 yaml_kind(list->node));
        return;
    }
    if (yaml_item_count(list->node) > FORWARDS_MAX) {
        error_at(system->path, list->line, uplink->where, "forward: %zu of them: %d at most",
                 yaml_item_count(list->node), FORWARDS_MAX);
        return;
    }
    for (size_t i = 0; i < yaml_item_count(list->node); i++) {
        yaml_node_t *item = yaml_node(file, list->node->data.sequence.items.start[i]);

        if (yaml_text(item) == NULL) {
            error_at(system->path, yaml_line(item), uplink->where,
                     "forward: %s: write it like 'tcp:2222->vm0:22'", yaml_kind(item));
            continue;
        }
        read_forward(system, uplink, yaml_text(item), yaml_line(item));
    }
}

/* ---- The uplink ---- */

static void check_other_end(const struct system *system, const struct uplink *uplink)
{
    const struct setting *to = &uplink->settings.to;

    if (to->line == 0) {
        return;
    }
    if (strcmp(to->text, system->name) == 0) {
        error_at(system->path, to->line, uplink->where, "to %s: that is this system", to->text);
    } else if (find_file(system, memory_format("%s.yaml", to->text)) == NULL) {
        error_at(system->path, to->line, uplink->where,
                 "to %s: no such system: there is no %s.yaml beside this file", to->text, to->text);
    }
    if (uplink->settings.forward.line != 0) {
        error_at(system->path, uplink->settings.forward.line, uplink->where,
                 "forward beside 'to': QEMU's user network forwards ports, a cable does not");
    }
}

static void plug_in(const struct system *system, struct uplink *uplink, struct network *network)
{
    if (uplink->network != NULL) {
        error_at(system->path, uplink->line, uplink->where,
                 "switch '%s' has the board's network card already: there is one",
                 uplink->network->name);
        return;
    }
    if (system->board.settings.network.node == NULL) {
        error_at(system->path, uplink->line, uplink->where, "the board '%s' has no network card",
                 system->board.name);
    }
    if (network->port_count == SWITCH_MAX_PORTS) {
        error_at(system->path, uplink->line, uplink->where, "the switch is full: it has %d ports",
                 SWITCH_MAX_PORTS);
        return;
    }
    if (network->settings.mtu.number > NET_MTU) {
        error_at(system->path, network->settings.mtu.line, network->where,
                 "mtu %s: frames outside hold %u bytes: take that at most beside an 'uplink', or "
                 "another switch for the machines that need more",
                 network->settings.mtu.text, NET_MTU);
    }
    uplink->network = network;
    uplink->port = network->port_count;
    network->uplink = uplink;
}

static bool is_wanted(const struct system *system, const struct network *network)
{
    static const struct schema_key yes_key = {.name = "uplink", .kind = VALUE_SWITCHED};
    yaml_node_t *node = network->settings.uplink.node;
    struct setting yes = {0};

    if (node == NULL) {
        return false;
    }
    if (node->type != YAML_SCALAR_NODE || yaml_is_null(node)) {
        return true;
    }
    return schema_read_value(&yes_key, system->path, network->where, "uplink", node, &yes) &&
           yes.number != 0;
}

static void read_uplink(struct system *system, struct yaml_file *file, struct network *network)
{
    struct uplink *uplink = &system->uplink;
    yaml_node_t *node = network->settings.uplink.node;
    size_t errors = error_count();

    uplink->where = memory_format("%s: uplink", network->where);
    uplink->line = network->settings.uplink.line;
    plug_in(system, uplink, network);
    if (network->uplink == NULL) {
        return;
    }
    schema_defaults(&uplink_schema, &uplink->settings);
    if (node->type != YAML_SCALAR_NODE) {
        schema_read(&uplink_schema, file, node, uplink->where, false, &uplink->settings);
    }
    if (uplink->settings.vlans.node != NULL) {
        read_vlans(system, file, uplink);
    } else {
        take_all_vlans(uplink);
    }
    check_native(system, uplink);
    check_other_end(system, uplink);
    if (uplink->settings.to.line == 0 && error_count() == errors) {
        plan_leases(system, uplink);
    }
    if (uplink->settings.forward.line != 0 && error_count() == errors) {
        read_forwards(system, file, uplink);
    }
}

void uplink_check(struct system *system, struct yaml_file *file)
{
    for (size_t i = 0; i < system->networks.count; i++) {
        if (is_wanted(system, system->networks.items[i])) {
            read_uplink(system, file, system->networks.items[i]);
        }
    }
}
