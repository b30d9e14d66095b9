/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "diagnostics.h"
#include "rates.h"
#include "read.h"

/* The arguments of a reader of a mapping of named things, or of a list of them. */
typedef void member_reader(struct system *system, struct yaml_file *file, yaml_node_t *name,
                           yaml_node_t *settings, int line);

static const char *const reserved_names[] = {"timer",        "uart", "console",    "block",
                                             "block_driver", "disk", "net_driver", "uplink",
                                             "all",          "none", "turn"};

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof(reserved_names) / sizeof(reserved_names[0]); i++) {
        if (strcmp(name, reserved_names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The line of an earlier VM or switch of that name; 0 if there is none. */
static int taken_on_line(const struct system *system, const char *name)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        if (strcmp(system->vms.items[i]->name, name) == 0) {
            return system->vms.items[i]->line;
        }
    }
    for (size_t i = 0; i < system->networks.count; i++) {
        if (strcmp(system->networks.items[i]->name, name) == 0) {
            return system->networks.items[i]->line;
        }
    }
    return 0;
}

/* `what` is "vm" or "switch". */
static bool name_is_free(const struct system *system, const char *what, const char *name, int line)
{
    if (is_reserved(name)) {
        error_at(system->path, line, "", "%s '%s': the name is taken by the system: choose another",
                 what, name);
        return false;
    }
    int other = taken_on_line(system, name);
    if (other != 0) {
        error_at(system->path, line, "",
                 "%s '%s': the name is taken on line %d already: names are unique", what, name,
                 other);
        return false;
    }
    return true;
}

/* A thing's name, from its key or from `name` among its settings. NULL after an error. */
static const char *read_name(const struct system *system, const char *what, yaml_node_t *key,
                             const struct setting *name, int line)
{
    static const struct schema_key name_key = {.name = "name", .kind = VALUE_NAME};
    struct setting setting = {0};

    if (key == NULL) {
        if (name->line == 0) {
            error_at(system->path, line, "", "%s without a name: give it one with 'name: ...'",
                     what);
            return NULL;
        }
        return name->text;
    }
    if (yaml_is_null(key) || (yaml_text(key) != NULL && yaml_text(key)[0] == '\0')) {
        error_at(system->path, line, "", "%s without a name: write 'NAME: ...'", what);
        return NULL;
    }
    if (!schema_read_value(&name_key, system->path, "", memory_format("%s: name", what), key,
                           &setting)) {
        return NULL;
    }
    if (name->line != 0 && strcmp(name->text, setting.text) != 0) {
        error_at(system->path, name->line, memory_format("%s '%s'", what, setting.text),
                 "name '%s': it has a name already", name->text);
    }
    return setting.text;
}

/* For errors: what to call a thing whose name may be invalid. */
static const char *where_of(const char *what, yaml_node_t *key)
{
    const char *text = key == NULL ? NULL : yaml_text(key);

    return text == NULL ? what : memory_format("%s '%.40s'", what, text);
}

/* In a list the name is the item's `name`, which is needed before all else. */
static yaml_node_t *find_name(struct yaml_file *file, yaml_node_t *settings)
{
    if (settings->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (size_t i = 0; i < yaml_pair_count(settings); i++) {
        const yaml_node_pair_t *pair = &settings->data.mapping.pairs.start[i];
        const char *text = yaml_text(yaml_node(file, pair->key));
        if (text != NULL && strcmp(text, "name") == 0) {
            return yaml_node(file, pair->value);
        }
    }
    return NULL;
}

static void read_network(struct system *system, struct yaml_file *file, yaml_node_t *key,
                         yaml_node_t *settings, int line)
{
    struct network *network = memory_new(sizeof(*network));

    network->line = line;
    network->where = where_of("switch", key != NULL ? key : find_name(file, settings));
    schema_defaults(&switch_schema, &network->settings);
    if (settings != key) {
        schema_read(&switch_schema, file, settings, network->where, false, &network->settings);
    }
    network->name = read_name(system, "switch", key, &network->settings.name, line);
    if (network->name == NULL || !name_is_free(system, "switch", network->name, line)) {
        return;
    }
    network->where = memory_format("switch '%s'", network->name);
    network->mirror_port = -1;
    network->index = (unsigned)system->networks.count;
    *list_add(&system->networks) = network;
}

static int shared_on_line(const struct system *system, const char *name)
{
    for (size_t i = 0; i < system->shared.count; i++) {
        if (strcmp(system->shared.items[i]->name, name) == 0) {
            return system->shared.items[i]->line;
        }
    }
    return 0;
}

static void read_shared(struct system *system, struct yaml_file *file, yaml_node_t *key,
                        yaml_node_t *settings, int line)
{
    struct shared *shared = memory_new(sizeof(*shared));

    shared->line = line;
    shared->where = where_of("shared", key != NULL ? key : find_name(file, settings));
    schema_defaults(&shared_schema, &shared->settings);
    if (settings == key) {
        error_at(system->path, line, shared->where, "no settings: 'size' and 'vms' belong there");
        return;
    }
    schema_read(&shared_schema, file, settings, shared->where, false, &shared->settings);
    shared->name = read_name(system, "shared", key, &shared->settings.name, line);
    if (shared->name == NULL) {
        return;
    }
    int other = shared_on_line(system, shared->name);
    if (other != 0) {
        error_at(system->path, line, "",
                 "shared '%s': the name is taken on line %d already: names are unique",
                 shared->name, other);
        return;
    }
    shared->where = memory_format("shared '%s'", shared->name);
    shared->index = (unsigned)system->shared.count;
    *list_add(&system->shared) = shared;
}

/* Read `monitor` of a machine or of the defaults. Keys that are not given keep their values. */
static void read_monitor(struct yaml_file *file, const char *where, struct vm_settings *settings)
{
    if (settings->monitor.node != NULL) {
        schema_read(&monitor_schema, file, settings->monitor.node,
                    memory_format("%s: monitor", where), false, &settings->of_monitor);
        settings->monitor.node = NULL;
    }
}

static void add_vm(struct system *system, const struct vm_settings *settings, const char *group,
                   unsigned copy, int line)
{
    struct vm *vm = memory_new(sizeof(*vm));

    vm->settings = *settings;
    vm->group = group;
    vm->copy = copy;
    vm->line = line;
    vm->name = settings->count.line == 0 ? group : memory_format("%s%u", group, copy);
    vm->where = memory_format("vm '%s'", vm->name);
    if (!name_is_free(system, "vm", vm->name, line)) {
        return;
    }
    vm->index = (unsigned)system->vms.count;
    *list_add(&system->vms) = vm;
}

static void read_vm(struct system *system, struct yaml_file *file, yaml_node_t *key,
                    yaml_node_t *node, int line)
{
    struct vm_settings settings = system->common;

    if (node != key) {
        const char *where = where_of("vm", key != NULL ? key : find_name(file, node));
        schema_read(&vm_schema, file, node, where, false, &settings);
        read_monitor(file, where, &settings);
        interface_rate_read(file, where, &settings.interface);
    }
    const char *name = read_name(system, "vm", key, &settings.name, line);
    if (name == NULL) {
        return;
    }
    unsigned count = settings.count.line == 0 ? 1 : (unsigned)settings.count.number;
    for (unsigned copy = 0; copy < count && system->vms.count <= MEMBERS_MAX; copy++) {
        add_vm(system, &settings, name, copy, line);
    }
}

/* Call `read` for each member of a mapping `name: settings` or of a list of names and settings. */
static void read_members(struct system *system, struct yaml_file *file,
                         const struct setting *setting, const char *what, member_reader *read)
{
    yaml_node_t *node = setting->node;
    size_t count;

    if (node->type == YAML_MAPPING_NODE) {
        count = yaml_pair_count(node);
    } else if (node->type == YAML_SEQUENCE_NODE) {
        count = yaml_item_count(node);
    } else if (yaml_is_null(node)) {
        count = 0;
    } else {
        error_at(system->path, setting->line, "", "%s: a value: a mapping of names belongs here",
                 what);
        return;
    }
    if (count == 0) {
        error_at(system->path, setting->line, "", "%s: empty: name at least one", what);
    }
    if (count > MEMBERS_MAX) {
        error_at(system->path, setting->line, "", "%s: %zu of them: %d at most", what, count,
                 MEMBERS_MAX - 1);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (node->type == YAML_MAPPING_NODE) {
            const yaml_node_pair_t *pair = &node->data.mapping.pairs.start[i];
            yaml_node_t *key = yaml_node(file, pair->key);
            read(system, file, key, yaml_node(file, pair->value), yaml_line(key));
        } else {
            yaml_node_t *item = yaml_node(file, node->data.sequence.items.start[i]);
            bool named = item->type == YAML_SCALAR_NODE;
            read(system, file, named ? item : NULL, item, yaml_line(item));
        }
    }
}

static void add_default_network(struct system *system)
{
    struct network *network = memory_new(sizeof(*network));

    schema_defaults(&switch_schema, &network->settings);
    network->name = "net0";
    network->where = "switch 'net0'";
    network->mirror_port = -1;
    *list_add(&system->networks) = network;
}

void system_read(struct system *system, struct yaml_file *file, const struct options *options)
{
    struct system_settings *settings = &system->settings;

    system->options = options;
    system->path = options->system_path;
    system->name = name_of_path(options->system_path);
    check_name_of_path(system->path, system->name);
    schema_defaults(&system_schema, settings);
    size_t errors = error_count();
    schema_read(&system_schema, file, yaml_root(file), "", false, settings);
    system->cores_unknown = settings->cores.line == 0 && error_count() != errors;

    schema_defaults(&console_schema, &system->console);
    if (settings->console.node != NULL) {
        schema_read(&console_schema, file, settings->console.node, "console", false,
                    &system->console);
    }
    schema_defaults(&vm_schema, &system->common);
    schema_defaults(&monitor_schema, &system->common.of_monitor);
    schema_defaults(&rate_schema, &system->common.interface.of_rate);
    if (settings->defaults.node != NULL) {
        schema_read(&vm_schema, file, settings->defaults.node, "defaults", true, &system->common);
        read_monitor(file, "defaults", &system->common);
        interface_rate_read(file, "defaults", &system->common.interface);
    }
    if (settings->switches.node != NULL) {
        read_members(system, file, &settings->switches, "switches", read_network);
    } else {
        add_default_network(system);
    }
    if (settings->vms.node != NULL) {
        read_members(system, file, &settings->vms, "vms", read_vm);
    }
    if (settings->shared.node != NULL) {
        read_members(system, file, &settings->shared, "shared", read_shared);
    }
    if (system->vms.count + system->networks.count > MEMBERS_MAX) {
        error_at(system->path, settings->vms.line, "",
                 "vms: more than %zu machines: the console serves %d machines and switches",
                 MEMBERS_MAX - system->networks.count, MEMBERS_MAX);
    }
}
