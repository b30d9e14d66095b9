/* SPDX-License-Identifier: BSD-2-Clause */

/* Memory that machines share: who has it, who may write, and where the guests see it. */

#include "check_shared.h"

#include <inttypes.h>
#include <string.h>
#include "diagnostics.h"
#include "layout.h"

#define LARGE_PAGE (2 * MIB)

/* ---- Lists of machines ---- */

static bool is_named(const struct vm *vm, const char *name)
{
    return strcmp(vm->name, name) == 0 || strcmp(vm->group, name) == 0;
}

/* The machine's number; or how many there are, if it is none of them. */
static unsigned number_of(const struct shared *shared, const struct vm *vm)
{
    unsigned number = 0;

    while (number < shared->machine_count && shared->machines[number] != vm) {
        number++;
    }
    return number;
}

/* Returns whether another machine may follow: one too many is reported once. */
static bool add_machine(const struct system *system, struct shared *shared, struct vm *vm, int line)
{
    if (number_of(shared, vm) != shared->machine_count) {
        error_at(system->path, line, shared->where, "vms: '%s' given twice: once is enough",
                 vm->name);
    } else if (shared->machine_count == VMM_MAX_SHARED_MACHINES) {
        error_at(system->path, line, shared->where, "vms: '%s': %d machines at most", vm->name,
                 VMM_MAX_SHARED_MACHINES);
        return false;
    } else if (vm->shared_count == VMM_MAX_SHARED) {
        error_at(system->path, line, shared->where,
                 "vms: '%s' shares %d others already: put both into one", vm->name, VMM_MAX_SHARED);
    } else {
        shared->machines[shared->machine_count++] = vm;
        vm->shared[vm->shared_count++] = shared;
    }
    return true;
}

static void report_unknown(const struct system *system, const struct shared *shared,
                           const char *key, const char *name, int line)
{
    struct nearest nearest = {0};

    for (size_t i = 0; i < system->vms.count; i++) {
        nearest_weigh(&nearest, name, system->vms.items[i]->name);
    }
    error_at(system->path, line, shared->where, "%s: there is no vm '%.40s': %s", key, name,
             nearest.word == NULL ? "name one of 'vms'"
                                  : memory_format("did you mean '%s'?", nearest.word));
}

static void take_machine(const struct system *system, struct shared *shared, const char *name,
                         int line)
{
    bool found = false;
    bool more = true;

    for (size_t i = 0; i < system->vms.count && more; i++) {
        if (is_named(system->vms.items[i], name)) {
            more = add_machine(system, shared, system->vms.items[i], line);
            found = true;
        }
    }
    if (!found) {
        report_unknown(system, shared, "vms", name, line);
    }
}

static void take_reader(const struct system *system, struct shared *shared, const char *name,
                        int line)
{
    bool found = false;

    for (unsigned i = 0; i < shared->machine_count; i++) {
        if (is_named(shared->machines[i], name)) {
            shared->writers &= ~(1u << i);
            found = true;
        }
    }
    if (!found) {
        error_at(system->path, line, shared->where,
                 "read_only: '%.40s' is not among its 'vms': name it there as well", name);
    }
}

typedef void taker(const struct system *system, struct shared *shared, const char *name, int line);

static void read_names(const struct system *system, struct yaml_file *file, struct shared *shared,
                       const char *key, const struct setting *list, taker *take)
{
    if (list->node == NULL) {
        return;
    }
    if (list->node->type != YAML_SEQUENCE_NODE) {
        error_at(system->path, list->line, shared->where,
                 "%s: %s: a list of machines belongs here, like [a, b]", key,
                 yaml_kind(list->node));
        return;
    }
    for (size_t i = 0; i < yaml_item_count(list->node); i++) {
        yaml_node_t *item = yaml_node(file, list->node->data.sequence.items.start[i]);
        if (yaml_text(item) == NULL) {
            error_at(system->path, yaml_line(item), shared->where,
                     "%s: %s: a vm's name belongs here", key, yaml_kind(item));
            continue;
        }
        take(system, shared, yaml_text(item), yaml_line(item));
    }
}

static void read_machines(const struct system *system, struct yaml_file *file,
                          struct shared *shared)
{
    const struct shared_settings *settings = &shared->settings;
    size_t errors = error_count();

    read_names(system, file, shared, "vms", &settings->vms, take_machine);
    if (error_count() == errors && settings->vms.node != NULL && shared->machine_count < 2) {
        error_at(system->path, settings->vms.line, shared->where,
                 "vms: %s: memory is shared by two or more: name another",
                 shared->machine_count == 0 ? "an empty list" : "one machine");
    }
    if (error_count() != errors || shared->machine_count == 0) {
        return;
    }
    shared->writers = (uint32_t)((1ULL << shared->machine_count) - 1);
    read_names(system, file, shared, "read_only", &settings->read_only, take_reader);
    if (error_count() == errors && shared->writers == 0) {
        error_at(system->path, settings->read_only.line, shared->where,
                 "read_only: all of its machines: then nobody writes: leave one out");
    }
}

/* ---- What a monitor has room for ---- */

/* Returns false if it has reported too many: the other machines have as many, as a rule. */
static bool check_channels(const struct system *system, const struct vm *vm)
{
    unsigned others = 0;

    for (unsigned i = 0; i < vm->shared_count; i++) {
        others += vm->shared[i]->machine_count - 1;
        if (others > SHARED_OTHERS_MAX) {
            error_at(system->path, vm->shared[i]->settings.vms.line, vm->shared[i]->where,
                     "vms: '%s' can ring %u others then, counted for each memory apart: %d at most",
                     vm->name, others, SHARED_OTHERS_MAX);
            return false;
        }
    }
    return true;
}

/* ---- Where it is ---- */

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static bool is_free_in(const struct system *system, const struct vm *vm, uint64_t gpa,
                       uint64_t size)
{
    if (layout_guest_has(vm, gpa, size) ||
        overlap(gpa, size, layout_ram_gpa(system, vm), vm->settings.memory.number)) {
        return false;
    }
    for (unsigned i = 0; i < vm->device_count; i++) {
        if (overlap(gpa, size, vm->devices[i]->page, vm->devices[i]->pages_size)) {
            return false;
        }
    }
    return true;
}

static bool is_free(const struct system *system, const struct shared *shared, uint64_t gpa)
{
    for (unsigned i = 0; i < shared->machine_count; i++) {
        if (!is_free_in(system, shared->machines[i], gpa, shared->settings.size.number)) {
            return false;
        }
    }
    return true;
}

/* The same address in all of its machines, so that they may keep addresses in it. */
static void find_place(const struct system *system, struct shared *shared)
{
    uint64_t size = shared->settings.size.number;

    for (uint64_t gpa = GUEST_SHARED; gpa + size <= GUEST_RAM; gpa += LARGE_PAGE) {
        if (is_free(system, shared, gpa)) {
            shared->gpa = gpa;
            return;
        }
    }
    error_at(system->path, shared->settings.size.line, shared->where,
             "size %s: no room for it from 0x%llx to 0x%llx in the guests, beside their other "
             "shared memory, RAM and devices: take less",
             value_format(VALUE_SIZE, size), GUEST_SHARED, GUEST_RAM);
}

void shared_check(struct system *system, struct yaml_file *file)
{
    size_t errors = error_count();

    for (size_t i = 0; i < system->shared.count; i++) {
        read_machines(system, file, system->shared.items[i]);
    }
    if (error_count() != errors) {
        return;
    }
    for (size_t i = 0; i < system->vms.count && check_channels(system, system->vms.items[i]); i++) {
    }
    for (size_t i = 0; i < system->shared.count; i++) {
        find_place(system, system->shared.items[i]);
    }
}

/* ---- What is known before all of that ---- */

/* NULL: the node is no mapping that has the key. */
static yaml_node_t *value_of(struct yaml_file *file, yaml_node_t *mapping, const char *key)
{
    if (mapping == NULL || mapping->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (size_t i = 0; i < yaml_pair_count(mapping); i++) {
        const yaml_node_pair_t *pair = &mapping->data.mapping.pairs.start[i];
        const char *text = yaml_text(yaml_node(file, pair->key));

        if (text != NULL && strcmp(text, key) == 0) {
            return yaml_node(file, pair->value);
        }
    }
    return NULL;
}

/* Whether a machine has a kernel of the distribution's from us: not with firmware, own or common.
 */
static bool is_distributions(struct yaml_file *file, yaml_node_t *machine, yaml_node_t *defaults)
{
    yaml_node_t *own = value_of(file, machine, "kernel");
    yaml_node_t *kernel = own != NULL ? own : value_of(file, defaults, "kernel");
    const char *text = kernel == NULL ? NULL : yaml_text(kernel);

    if (value_of(file, machine, "firmware") != NULL ||
        (own == NULL && value_of(file, defaults, "firmware") != NULL)) {
        return false;
    }
    return text == NULL || strncmp(text, "package:", strlen("package:")) == 0;
}

bool shared_needs_module(struct yaml_file *file)
{
    yaml_node_t *root = yaml_root(file);
    yaml_node_t *defaults = value_of(file, root, "defaults");
    yaml_node_t *vms = value_of(file, root, "vms");
    bool is_mapping = vms != NULL && vms->type == YAML_MAPPING_NODE;
    bool is_list = vms != NULL && vms->type == YAML_SEQUENCE_NODE;
    size_t count = is_mapping ? yaml_pair_count(vms) : is_list ? yaml_item_count(vms) : 0;

    if (value_of(file, root, "shared") == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        int machine =
            is_mapping ? vms->data.mapping.pairs.start[i].value : vms->data.sequence.items.start[i];

        if (is_distributions(file, yaml_node(file, machine), defaults)) {
            return true;
        }
    }
    return false;
}
