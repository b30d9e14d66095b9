/* SPDX-License-Identifier: BSD-2-Clause */

/* Switches: who may talk to whom, mirrors, queues. */

#include "check_network.h"

#include <string.h>
#include "check_interface.h"
#include "check_uplink.h"
#include "diagnostics.h"

/* The switch's ports of a VM, or of a group of VMs made by `count`. */
static uint64_t ports_of(const struct network *network, const char *name)
{
    uint64_t ports = 0;

    if (network->uplink != NULL && strcmp(name, "uplink") == 0) {
        return 1ULL << network->uplink->port;
    }
    for (unsigned p = 0; p < network->port_count; p++) {
        const struct vm *vm = network->ports[p]->vm;
        if (strcmp(vm->name, name) == 0 || strcmp(vm->group, name) == 0) {
            ports |= 1ULL << p;
        }
    }
    return ports;
}

static uint64_t named_ports(const struct system *system, const struct network *network,
                            const char *key, const char *name, int line)
{
    uint64_t ports = ports_of(network, name);

    if (ports != 0) {
        return ports;
    }
    struct nearest nearest = {0};
    if (network->uplink != NULL) {
        nearest_weigh(&nearest, name, "uplink");
    }
    for (unsigned p = 0; p < network->port_count; p++) {
        nearest_weigh(&nearest, name, network->ports[p]->vm->name);
    }
    error_at(system->path, line, network->where, "%s: no vm '%.40s' on this switch: %s", key, name,
             nearest.word == NULL ? "name one that is"
                                  : memory_format("did you mean '%s'?", nearest.word));
    return 0;
}

/* Allow (`reach`) or forbid frames from the ports `from` to the ports `to`. */
static void set_reach(struct network *network, uint64_t from, uint64_t to, bool reach)
{
    for (unsigned p = 0; p < network_port_count(network); p++) {
        if ((from >> p & 1) == 0) {
            continue;
        }
        if (reach) {
            network->may_reach[p] |= to & ~(1ULL << p);
        } else {
            network->may_reach[p] &= ~to;
        }
    }
}

static const char *trimmed(const char *text, size_t length)
{
    while (length != 0 && *text == ' ') {
        text++;
        length--;
    }
    while (length != 0 && text[length - 1] == ' ') {
        length--;
    }
    return memory_copy(text, length);
}

/* An item "a -> b". */
static void read_one_way(const struct system *system, struct network *network, const char *key,
                         yaml_node_t *item, bool reach)
{
    const char *text = yaml_text(item);
    const char *arrow = text == NULL ? NULL : strstr(text, "->");

    if (arrow == NULL) {
        error_at(system->path, yaml_line(item), network->where,
                 "%s: write [a, b] for a and b with one another, or 'a -> b' for one way", key);
        return;
    }
    uint64_t from =
        named_ports(system, network, key, trimmed(text, (size_t)(arrow - text)), yaml_line(item));
    uint64_t to =
        named_ports(system, network, key, trimmed(arrow + 2, strlen(arrow + 2)), yaml_line(item));
    if (from == to && from != 0) {
        error_at(system->path, yaml_line(item), network->where, "%s '%s': the same machine twice",
                 key, text);
    }
    set_reach(network, from, to, reach);
}

/* An item [a, b, ...]. */
static void read_both_ways(const struct system *system, struct yaml_file *file,
                           struct network *network, const char *key, yaml_node_t *item, bool reach)
{
    uint64_t ports = 0;
    size_t count = yaml_item_count(item);

    for (size_t i = 0; i < count; i++) {
        yaml_node_t *name = yaml_node(file, item->data.sequence.items.start[i]);
        if (yaml_text(name) == NULL) {
            error_at(system->path, yaml_line(name), network->where,
                     "%s: %s: a vm's name belongs here", key, yaml_kind(name));
            continue;
        }
        ports |= named_ports(system, network, key, yaml_text(name), yaml_line(name));
    }
    if (count == 0) {
        error_at(system->path, yaml_line(item), network->where, "%s: an empty list: name vms", key);
    }
    set_reach(network, ports, ports, reach);
}

static void read_access(const struct system *system, struct yaml_file *file,
                        struct network *network, const char *key, const struct setting *setting,
                        bool reach)
{
    yaml_node_t *node = setting->node;

    if (node->type != YAML_SEQUENCE_NODE) {
        error_at(system->path, setting->line, network->where,
                 "%s: %s: a list belongs here, like [[a, b], 'a -> c']", key, yaml_kind(node));
        return;
    }
    for (size_t i = 0; i < yaml_item_count(node); i++) {
        yaml_node_t *item = yaml_node(file, node->data.sequence.items.start[i]);
        if (item->type == YAML_SEQUENCE_NODE) {
            read_both_ways(system, file, network, key, item, reach);
        } else {
            read_one_way(system, network, key, item, reach);
        }
    }
}

static void decide_reach(const struct system *system, struct yaml_file *file,
                         struct network *network)
{
    const struct switch_settings *settings = &network->settings;
    uint64_t all = (1ULL << network_port_count(network)) - 1;

    if (settings->allow.node != NULL && settings->deny.node != NULL) {
        error_at(system->path, settings->deny.line, network->where,
                 "both 'allow' and 'deny': say who may, or who may not");
    }
    if (settings->allow.node != NULL) {
        read_access(system, file, network, "allow", &settings->allow, true);
        return;
    }
    set_reach(network, all, all, true);
    if (settings->deny.node != NULL) {
        read_access(system, file, network, "deny", &settings->deny, false);
    }
}

static void find_mirror(const struct system *system, struct network *network)
{
    const struct setting *mirror = &network->settings.mirror;

    if (mirror->line == 0) {
        return;
    }
    uint64_t ports = named_ports(system, network, "mirror", mirror->text, mirror->line);
    if ((ports & (ports - 1)) != 0) {
        error_at(system->path, mirror->line, network->where,
                 "mirror %s: has several ports here: name a machine with one", mirror->text);
    } else if (network->uplink != NULL && ports >> network->uplink->port != 0) {
        error_at(system->path, mirror->line, network->where,
                 "mirror uplink: what passes inside is not for the world: name a machine");
    } else if (ports != 0) {
        network->mirror_port = __builtin_ctzll(ports);
    }
}

static void check_network(const struct system *system, struct yaml_file *file,
                          struct network *network)
{
    uint64_t queue = network->settings.queue.number;

    if ((queue & (queue - 1)) != 0) {
        uint64_t power = 1;
        while (power < queue) {
            power <<= 1;
        }
        error_at(system->path, network->settings.queue.line, network->where,
                 "queue %s: not a power of two: %s would be", network->settings.queue.text,
                 value_format(VALUE_SIZE, power));
    }
    if (network->port_count == 0 && network->line != 0) {
        error_at(system->path, network->line, network->where,
                 "no machine is on it: name it as some vm's 'switch', or remove it");
    }
    decide_reach(system, file, network);
    find_mirror(system, network);
}

void networks_check(struct system *system, struct yaml_file *file)
{
    interfaces_check(system, file);
    uplink_check(system, file);
    for (size_t i = 0; i < system->networks.count; i++) {
        check_network(system, file, system->networks.items[i]);
    }
}
