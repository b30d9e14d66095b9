/* SPDX-License-Identifier: BSD-2-Clause */
#include "check_domains.h"

#include <string.h>
#include "diagnostics.h"

#define SERVICES "services"

/* Bounds of a turn, microseconds. On seL4 a domain gets nothing of a shorter one. */
#define TURN_MIN 100
#define TURN_MAX 10000000

static const struct schema_key name_key = {.name = "name", .kind = VALUE_NAME};
static const struct schema_key duration_key = {
    .name = "turn", .kind = VALUE_DURATION, .minimum = TURN_MIN, .maximum = TURN_MAX};

/* The domain's place among them all; their number if there is none of that name. */
static unsigned find_domain(const struct system *system, const char *name)
{
    unsigned i = 0;

    while (i < system->domains.count && strcmp(system->domains.items[i], name) != 0) {
        i++;
    }
    return i;
}

/* Read one turn: `NAME: DURATION`. */
static void read_turn(struct system *system, struct yaml_file *file, yaml_node_t *item)
{
    struct setting name = {0};
    struct setting duration = {0};

    if (item->type != YAML_MAPPING_NODE || yaml_pair_count(item) != 1) {
        error_at(system->path, yaml_line(item), "domains",
                 "not a turn: write each as '- NAME: DURATION', like '- services: 1 ms'");
        return;
    }
    const yaml_node_pair_t *pair = &item->data.mapping.pairs.start[0];
    if (!schema_read_value(&name_key, system->path, "domains", "name", yaml_node(file, pair->key),
                           &name) ||
        !schema_read_value(&duration_key, system->path, "domains", name.text,
                           yaml_node(file, pair->value), &duration)) {
        return;
    }
    unsigned domain = find_domain(system, name.text);
    if (domain == system->domains.count) {
        if (domain == DOMAINS_MAX) {
            error_at(system->path, yaml_line(item), "domains",
                     "'%s': more than %d domains: let machines share some", name.text, DOMAINS_MAX);
            return;
        }
        *list_add(&system->domains) = name.text;
    }
    *list_add(&system->domain_turns) =
        (struct domain_turn){.domain = domain, .duration = duration.number};
}

static bool services_have_a_turn(const struct system *system)
{
    for (size_t i = 0; i < system->domain_turns.count; i++) {
        if (system->domain_turns.items[i].domain == DOMAIN_SERVICES) {
            return true;
        }
    }
    return false;
}

/* Returns whether all of it can be. */
static bool read_turns(struct system *system, struct yaml_file *file)
{
    const struct setting *setting = &system->settings.domains;
    const yaml_node_t *node = setting->node;
    size_t errors = error_count();

    if (node->type != YAML_SEQUENCE_NODE || yaml_item_count(node) == 0) {
        error_at(system->path, setting->line, "",
                 "domains: a list of turns belongs here: '- services: 1 ms', and so on");
        return false;
    }
    if (yaml_item_count(node) > DOMAIN_TURNS_MAX) {
        error_at(system->path, setting->line, "", "domains: %zu turns: %d at most",
                 yaml_item_count(node), DOMAIN_TURNS_MAX);
        return false;
    }
    *list_add(&system->domains) = SERVICES; /* the first: DOMAIN_SERVICES */
    for (size_t i = 0; i < yaml_item_count(node); i++) {
        read_turn(system, file, yaml_node(file, node->data.sequence.items.start[i]));
    }
    if (error_count() == errors && !services_have_a_turn(system)) {
        error_at(system->path, setting->line, "",
                 "domains: no turn of '" SERVICES "', in whose turns timer, console, switches and "
                 "disk run: add '- " SERVICES ": 1 ms'");
    }
    return error_count() == errors;
}

/* Where there can be none. */
static void check_kernel(const struct system *system)
{
    const struct setting *setting = &system->settings.domains;
    const struct options *options = system->options;

    if (has_several_cores(system)) {
        error_at(
            system->path, setting->line, "",
            "domains: not with several cores: this kernel, like seL4, has them on one: 'cores: "
            "1', or no domains");
    } else if (options->knows_sdk && !options->sdk_bundled) {
        error_at(system->path, setting->line, "",
                 "domains: not with this SDK: Microkit's tool puts vCPUs into the first domain, "
                 "whichever is their monitor's: take the bundled SDK");
    }
}

static void check_used(const struct system *system)
{
    for (unsigned domain = DOMAIN_SERVICES + 1; domain < system->domains.count; domain++) {
        bool used = false;

        for (size_t i = 0; i < system->vms.count; i++) {
            used = used || system->vms.items[i]->domain == domain;
        }
        if (!used) {
            warning_at(system->path, system->settings.domains.line, "",
                       "domains: no machine is in '%s': its turns stay unused",
                       system->domains.items[domain]);
        }
    }
}

void domains_check(struct system *system, struct yaml_file *file)
{
    bool given = system->settings.domains.node != NULL;
    bool known = given && read_turns(system, file);

    if (given) {
        check_kernel(system);
    }
    for (size_t i = 0; i < system->vms.count; i++) {
        struct vm *vm = system->vms.items[i];
        const struct setting *setting = &vm->settings.domain;

        vm->domain = known && setting->line != 0 ? find_domain(system, setting->text) : 0;
        if (vm->copy != 0) {
            continue; /* it has its group's errors */
        }
        if (!given && setting->line != 0) {
            error_at(system->path, setting->line, vm->where,
                     "domain '%s': there are no domains: write 'domains:' at the left margin",
                     setting->text);
        } else if (known && setting->line == 0 && !setting->is_wrong) {
            error_at(system->path, vm->line, vm->where,
                     "in no domain: say in whose turns it runs, by 'domain: NAME'");
        } else if (known && vm->domain == system->domains.count) {
            error_at(system->path, setting->line, vm->where,
                     "domain '%s': it has no turn in 'domains': name one that has", setting->text);
        }
    }
    if (error_count() == 0) {
        check_used(system);
    }
}
