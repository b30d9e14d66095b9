/* SPDX-License-Identifier: BSD-2-Clause */

/* Interfaces: the switch that each is on, its VLANs, its MAC and IP addresses. */

#include "check_interface.h"

#include <string.h>
#include "diagnostics.h"
#include "rates.h"

#define VLAN_MAX 4094

static struct network *find_network(const struct system *system, const char *name)
{
    for (size_t i = 0; i < system->networks.count; i++) {
        if (strcmp(system->networks.items[i]->name, name) == 0) {
            return system->networks.items[i];
        }
    }
    return NULL;
}

/* For an error about an unknown switch: which one may be meant, or which there are. */
static const char *known_networks(const struct system *system, const char *name)
{
    struct nearest nearest = {0};
    const char *list = "";

    for (size_t i = 0; i < system->networks.count; i++) {
        const char *known = system->networks.items[i]->name;
        nearest_weigh(&nearest, name, known);
        list = memory_format("%s%s'%s'", list, i == 0 ? "" : ", ", known);
    }
    return nearest.word != NULL ? memory_format("did you mean '%s'?", nearest.word)
                                : memory_format("there is %s", list);
}

/* Ports. */

static void plug_in(struct system *system, struct interface *interface)
{
    struct interface_settings *settings = &interface->settings;
    struct network *network = NULL;

    if (settings->on_switch.text == NULL) {
        network = system->networks.count == 0 ? NULL : system->networks.items[0];
    } else {
        network = find_network(system, settings->on_switch.text);
        if (network == NULL) {
            error_at(system->path, settings->on_switch.line, interface->where, "no switch '%s': %s",
                     settings->on_switch.text, known_networks(system, settings->on_switch.text));
        }
    }
    if (network == NULL) {
        return;
    }
    if (network->port_count == SWITCH_MAX_PORTS) {
        error_at(system->path, interface->line, interface->where,
                 "switch '%s' is full: it has %d ports", network->name, SWITCH_MAX_PORTS);
        return;
    }
    interface->network = network;
    interface->port = network->port_count;
    network->ports[network->port_count++] = interface;
}

static void add_interface(struct system *system, struct vm *vm,
                          const struct interface_settings *settings, int line, const char *where)
{
    struct interface *interface = &vm->interfaces[vm->interface_count];

    interface->vm = vm;
    interface->index = vm->interface_count++;
    interface->settings = *settings;
    interface->line = line;
    interface->where = where;
    plug_in(system, interface);
}

/* Where there is a list `interfaces`, the settings of an interface belong into it. */
static void check_alone(const struct system *system, const struct vm *vm)
{
    const unsigned char *own = (const unsigned char *)&vm->settings.interface;
    const unsigned char *common = (const unsigned char *)&system->common.interface;

    for (size_t i = 0; i < interface_schema.count; i++) {
        const struct schema_key *key = &interface_schema.keys[i];
        int line = ((const struct setting *)(own + key->offset))->line;
        if (line != ((const struct setting *)(common + key->offset))->line) {
            error_at(system->path, line, vm->where,
                     "'%s' beside 'interfaces': put it into the list", key->name);
        }
    }
}

static void read_interfaces(struct system *system, struct yaml_file *file, struct vm *vm)
{
    const struct setting *list = &vm->settings.interfaces;
    yaml_node_t *node = list->node;

    check_alone(system, vm);
    if (yaml_text(node) != NULL && strcmp(yaml_text(node), "none") == 0) {
        return;
    }
    if (node->type != YAML_SEQUENCE_NODE) {
        error_at(system->path, list->line, vm->where,
                 "interfaces: %s: a list belongs here, or 'none'", yaml_kind(node));
        return;
    }
    size_t count = yaml_item_count(node);
    if (count > VMM_MAX_INTERFACES) {
        error_at(system->path, list->line, vm->where, "interfaces: %zu of them: %d at most", count,
                 VMM_MAX_INTERFACES);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *item = yaml_node(file, node->data.sequence.items.start[i]);
        struct interface_settings settings = vm->settings.interface;
        const char *where = memory_format("%s: interface %zu", vm->where, i);
        if (vm->copy == 0) {
            schema_read(&interface_schema, file, item, where, false, &settings);
            interface_rate_read(file, where, &settings);
        } else { /* the errors were reported for the first machine of the group */
            settings = system->vms.items[vm->index - vm->copy]->interfaces[i].settings;
        }
        add_interface(system, vm, &settings, yaml_line(item), where);
    }
}

/* VLANs. */

static void read_trunk(const struct system *system, struct yaml_file *file,
                       struct interface *interface)
{
    static const struct schema_key vlan_key = {
        .name = "trunk", .kind = VALUE_COUNT, .minimum = 1, .maximum = VLAN_MAX};
    const struct setting *trunk = &interface->settings.trunk;
    bool seen[VLAN_MAX + 1] = {false};
    size_t count = 0;

    if (trunk->node->type != YAML_SEQUENCE_NODE || yaml_item_count(trunk->node) == 0) {
        error_at(system->path, trunk->line, interface->where,
                 "trunk: a list of VLANs belongs here, like [10, 20]");
        return;
    }
    if (yaml_item_count(trunk->node) > VLAN_MAX) {
        error_at(system->path, trunk->line, interface->where, "trunk: %zu of them: %d at most",
                 yaml_item_count(trunk->node), VLAN_MAX);
        return;
    }
    for (size_t i = 0; i < yaml_item_count(trunk->node); i++) {
        yaml_node_t *item = yaml_node(file, trunk->node->data.sequence.items.start[i]);
        struct setting vlan = {0};
        if (!schema_read_value(&vlan_key, system->path, interface->where, "trunk: VLAN", item,
                               &vlan)) {
            continue;
        }
        if (seen[vlan.number]) {
            error_at(system->path, yaml_line(item), interface->where, "trunk: VLAN %s given twice",
                     vlan.text);
            continue;
        }
        seen[vlan.number] = true;
        interface->trunk[count++] = (uint16_t)vlan.number;
    }
}

static void check_vlans(const struct system *system, struct yaml_file *file,
                        struct interface *interface)
{
    const struct interface_settings *settings = &interface->settings;

    if (settings->vlan.line != 0 && settings->trunk.line != 0) {
        error_at(system->path, settings->trunk.line, interface->where,
                 "both 'vlan' and 'trunk': a port is of one VLAN or a trunk of several");
    }
    if (settings->trunk.node != NULL) {
        read_trunk(system, file, interface);
    }
}

/* MACs. */

#define MAC_MULTICAST (1ULL << 40) /* IEEE 802: the first bit on the wire */
#define MAC_LOCAL     (2ULL << 40)
#define MAC_BYTES_2_6 0xffffffffffULL

/* A MAC address made of the names alone, so that it stays when other machines change. */
static uint64_t derived_mac(const struct system *system, const struct interface *interface,
                            unsigned attempt)
{
    uint64_t hash = text_hash(TEXT_HASH_START, system->name);

    hash = text_hash(hash, interface->vm->name);
    hash = text_hash(hash, memory_format("%u %u", interface->index, attempt));
    return MAC_LOCAL | ((hash ^ hash >> 40) & MAC_BYTES_2_6);
}

static const struct interface *mac_owner(const struct system *system, uint64_t mac)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        for (unsigned k = 0; k < vm->interface_count; k++) {
            if (vm->interfaces[k].mac == mac) {
                return &vm->interfaces[k];
            }
        }
    }
    return NULL;
}

static void take_given_mac(const struct system *system, struct interface *interface)
{
    const struct setting *mac = &interface->settings.mac;

    if (mac->line == 0) {
        return;
    }
    uint64_t value = mac->number + interface->vm->copy;
    const struct interface *owner = mac_owner(system, value);
    if (mac->number & MAC_MULTICAST) {
        error_at(system->path, mac->line, interface->where,
                 "mac %s: a multicast address: the first byte must be even", mac->text);
    } else if (mac->number == 0) {
        error_at(system->path, mac->line, interface->where,
                 "mac %s: nobody's address: take one like 02:00:00:00:00:01", mac->text);
    } else if (owner != NULL) {
        error_at(system->path, mac->line, interface->where,
                 "mac %s: %s has it already: each interface needs its own",
                 value_format(VALUE_MAC, value), owner->where);
    } else {
        interface->mac = value;
    }
}

static void derive_mac(const struct system *system, struct interface *interface)
{
    if (interface->settings.mac.line != 0) {
        return;
    }
    unsigned attempt = 0;
    uint64_t mac = derived_mac(system, interface, attempt);
    while (mac_owner(system, mac) != NULL) {
        mac = derived_mac(system, interface, ++attempt);
    }
    interface->mac = mac;
}

/* IP addresses. */

static uint32_t net_mask(uint64_t net)
{
    return UINT32_MAX << (32 - VALUE_IPV4_PREFIX(net));
}

static void take_address(const struct system *system, struct interface *interface)
{
    struct setting *ip = &interface->settings.ip;

    if (!interface_has_address(interface)) {
        return;
    }
    uint32_t first = VALUE_IPV4_BITS(ip->number);
    uint32_t mask = net_mask(ip->number);
    uint32_t own = first + interface->vm->copy;
    uint32_t host = own & ~mask;
    bool has_ends = VALUE_IPV4_PREFIX(ip->number) < 31; /* RFC 3021 */

    ip->number = (ip->number & ~(uint64_t)UINT32_MAX) | own;
    if (((own ^ first) & mask) != 0 || (has_ends && interface->vm->copy != 0 && host == ~mask)) {
        error_at(system->path, ip->line, interface->where,
                 "ip %s: the network ends before this machine's address: take a shorter prefix",
                 ip->text);
    } else if (has_ends && (host == 0 || host == ~mask)) {
        error_at(system->path, ip->line, interface->where,
                 "ip %s: the %s address of its network: take one between", ip->text,
                 host == 0 ? "first" : "broadcast");
    } else if (own >> 28 >= 14 || own >> 24 == 127 || own >> 24 == 0) {
        error_at(system->path, ip->line, interface->where,
                 "ip %s: not an address that a machine can have", ip->text);
    }
}

static void check_gateway(const struct system *system, const struct interface *interface)
{
    const struct setting *gateway = &interface->settings.gateway;
    const struct setting *ip = &interface->settings.ip;

    if (gateway->line == 0) {
        return;
    }
    if (!interface_has_address(interface)) {
        error_at(system->path, gateway->line, interface->where, "gateway %s: %s", gateway->text,
                 ip->line == 0 ? "the interface has no address: give it an 'ip'"
                               : "the interface gets one by 'ip: dhcp': leave it out");
    } else if ((((uint32_t)gateway->number ^ VALUE_IPV4_BITS(ip->number)) & net_mask(ip->number)) !=
               0) {
        error_at(system->path, gateway->line, interface->where,
                 "gateway %s: not in the network of %s", gateway->text,
                 value_format(VALUE_IPV4_NET, ip->number));
    } else if ((uint32_t)gateway->number == VALUE_IPV4_BITS(ip->number)) {
        error_at(system->path, gateway->line, interface->where,
                 "gateway %s: the interface's own address", gateway->text);
    }
}

static bool same_segment(const struct interface *a, const struct interface *b)
{
    return a->network == b->network && a->settings.vlan.number == b->settings.vlan.number &&
           a->trunk[0] == b->trunk[0];
}

/* Report an address that another interface on the same wire, or of the same machine, has. */
static void check_address_unique(const struct system *system, const struct interface *interface)
{
    const struct setting *ip = &interface->settings.ip;

    if (!interface_has_address(interface)) {
        return;
    }
    for (size_t i = 0; i <= interface->vm->index; i++) {
        const struct vm *vm = system->vms.items[i];
        for (unsigned k = 0; k < vm->interface_count; k++) {
            const struct interface *other = &vm->interfaces[k];
            if (other == interface) {
                return;
            }
            if (interface_has_address(other) &&
                VALUE_IPV4_BITS(other->settings.ip.number) == VALUE_IPV4_BITS(ip->number) &&
                (vm == interface->vm || same_segment(other, interface))) {
                error_at(system->path, ip->line, interface->where,
                         "ip %s: %s has it already: each interface needs its own",
                         value_format(VALUE_IPV4, VALUE_IPV4_BITS(ip->number)), other->where);
                return;
            }
        }
    }
}

static void each_interface(struct system *system,
                           void act(const struct system *system, struct interface *interface))
{
    for (size_t i = 0; i < system->vms.count; i++) {
        struct vm *vm = system->vms.items[i];
        for (unsigned k = 0; k < vm->interface_count; k++) {
            act(system, &vm->interfaces[k]);
        }
    }
}

static void check_addresses(const struct system *system, struct interface *interface)
{
    check_address_unique(system, interface);
    check_gateway(system, interface);
}

void interfaces_check(struct system *system, struct yaml_file *file)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        struct vm *vm = system->vms.items[i];
        if (vm->settings.interfaces.node != NULL) {
            read_interfaces(system, file, vm);
        } else {
            add_interface(system, vm, &vm->settings.interface, vm->line, vm->where);
        }
        for (unsigned k = 0; k < vm->interface_count; k++) {
            check_vlans(system, file, &vm->interfaces[k]);
        }
    }
    each_interface(system, take_given_mac);
    each_interface(system, derive_mac);
    each_interface(system, take_address);
    each_interface(system, check_addresses);
}
