/* SPDX-License-Identifier: BSD-2-Clause */
#include "placement.h"

#include <inttypes.h>
#include "diagnostics.h"

/* ---- What the system file says ---- */

static void check_cores(const struct system *system)
{
    const struct setting *cores = &system->settings.cores;
    const struct options *options = system->options;
    uint64_t on_board = system->board.settings.cores.number;

    if (cores->number > on_board) {
        error_at(system->path, cores->line, "",
                 "cores %" PRIu64 ": the board '%s' has %" PRIu64 ": take that at most",
                 cores->number, system->board.name, on_board);
    } else if (cores->number > 1 && options->knows_sdk && options->sdk_cores == 0) {
        error_at(system->path, cores->line, "",
                 "cores %" PRIu64 ": this SDK has no 'smp-' config for the board '%s': it is older "
                 "than 2.1, or was built without: take another, or 'cores: 1'",
                 cores->number, system->board.name);
    } else if (options->knows_sdk && options->sdk_cores != 0 &&
               cores->number > options->sdk_cores) {
        error_at(system->path, cores->line, "",
                 "cores %" PRIu64 ": this SDK's config is for %" PRIu64 ": take that at most",
                 cores->number, options->sdk_cores);
    }
}

/* Whether `cpu` may be given. If not, that has been reported. */
static bool is_allowed(const struct system *system, int line, const char *where)
{
    if (system->settings.cores.line != 0) {
        return true;
    }
    if (!system->cores_unknown) {
        error_at(system->path, line, where,
                 "cpu: how many cores there are is not said: write 'cores: N' at the left margin");
    }
    return false;
}

static void check_core(const struct system *system, int line, const char *where, uint64_t core)
{
    uint64_t cores = system->settings.cores.number;

    if (core >= cores) {
        error_at(system->path, line, where,
                 "cpu %" PRIu64 ": there is no such core: with 'cores: %" PRIu64 "' %s", core,
                 cores,
                 cores == 1 ? "there is 0 only" : memory_format("the last is %" PRIu64, cores - 1));
    }
}

static void check_program(const struct system *system, const char *where, const struct setting *cpu)
{
    if (cpu->line != 0 && is_allowed(system, cpu->line, where)) {
        check_core(system, cpu->line, where, cpu->number);
    }
}

static void check_node(const struct system *system, const char *where, yaml_node_t *node)
{
    static const struct schema_key core_key = {.name = "cpu", .kind = VALUE_COUNT};
    struct setting core = {0};

    if (schema_read_value(&core_key, system->path, where, "cpu", node, &core)) {
        check_core(system, yaml_line(node), where, core.number);
    }
}

/* `cpu` of a machine or of the defaults: a number, or a list of numbers. */
static void check_cpu(const struct system *system, struct yaml_file *file, const char *where,
                      const struct setting *cpu)
{
    yaml_node_t *node = cpu->node;

    if (node == NULL || !is_allowed(system, cpu->line, where)) {
        return;
    }
    if (node->type != YAML_SEQUENCE_NODE) {
        check_node(system, where, node);
        return;
    }
    if (yaml_item_count(node) > VMM_MAX_VCPUS) {
        error_at(system->path, cpu->line, where, "cpu: %zu cores: a machine has %d vCPUs at most",
                 yaml_item_count(node), VMM_MAX_VCPUS);
        return;
    }
    for (size_t i = 0; i < yaml_item_count(node); i++) {
        check_node(system, where, yaml_node(file, node->data.sequence.items.start[i]));
    }
}

/* The core that a node names; if that has been reported to be none, core 0. */
static unsigned core_of(const struct system *system, const yaml_node_t *node)
{
    const char *text = yaml_text(node);
    uint64_t core;

    if (text == NULL || value_parse(VALUE_COUNT, NULL, text, &core) != NULL ||
        core >= system->settings.cores.number) {
        return 0;
    }
    return (unsigned)core;
}

static void take_cpu(const struct system *system, struct yaml_file *file, struct vm *vm)
{
    const struct setting *cpu = &vm->settings.cpu;
    uint64_t vcpus = vm->settings.vcpus.number;
    bool is_list = cpu->node->type == YAML_SEQUENCE_NODE;
    size_t count = is_list ? yaml_item_count(cpu->node) : vcpus;

    if (count != vcpus) {
        if (vm->copy == 0 && count <= VMM_MAX_VCPUS) {
            error_at(system->path, cpu->line, vm->where,
                     "cpu: a list of %zu for %" PRIu64
                     " vCPU%s: name a core for each, or one for all",
                     count, vcpus, vcpus == 1 ? "" : "s");
        }
        return;
    }
    for (uint64_t id = 0; id < vcpus; id++) {
        const yaml_node_t *node =
            is_list ? yaml_node(file, cpu->node->data.sequence.items.start[id]) : cpu->node;
        vm->cores[id] = core_of(system, node);
    }
}

static void check_programs(const struct system *system)
{
    for (size_t i = 0; i < system->networks.count; i++) {
        const struct network *network = system->networks.items[i];
        check_program(system, network->where, &network->settings.cpu);
    }
    check_program(system, "console", &system->console.cpu);
    check_program(system, "disk", &system->disk.settings.cpu);
    if (system->uplink.network != NULL) {
        check_program(system, system->uplink.where, &system->uplink.settings.cpu);
    }
}

static void read_machines(struct system *system, struct yaml_file *file)
{
    const yaml_node_t *common = system->common.cpu.node;

    check_cpu(system, file, "defaults", &system->common.cpu);
    for (size_t i = 0; i < system->vms.count; i++) {
        struct vm *vm = system->vms.items[i];
        if (vm->settings.cpu.node == NULL) {
            continue;
        }
        if (vm->settings.cpu.node != common && vm->copy == 0) {
            check_cpu(system, file, vm->where, &vm->settings.cpu);
        }
        take_cpu(system, file, vm);
    }
}

/* ---- The rule for all that it does not say ---- */

/* One core does what two machines' traffic takes; core 0 has the drivers' work already. */
static unsigned switch_core(const struct system *system)
{
    return (unsigned)system->settings.cores.number - 1;
}

static void count_vcpus(const struct vm *vm, uint64_t on_core[])
{
    for (uint64_t id = 0; id < vm->settings.vcpus.number; id++) {
        on_core[vm->cores[id]]++;
    }
}

/* The core with the fewest vCPUs, the first of several. */
static unsigned emptiest_core(const struct system *system, const uint64_t on_core[])
{
    unsigned best = 0;

    for (unsigned core = 1; core < system->settings.cores.number; core++) {
        if (on_core[core] < on_core[best]) {
            best = core;
        }
    }
    return best;
}

/* Those that the file places count first, wherever they stand in it. */
static void place_machines(struct system *system)
{
    uint64_t on_core[CORES_MAX] = {0};

    for (size_t i = 0; i < system->vms.count; i++) {
        if (system->vms.items[i]->settings.cpu.node != NULL) {
            count_vcpus(system->vms.items[i], on_core);
        }
    }
    for (size_t i = 0; i < system->vms.count; i++) {
        struct vm *vm = system->vms.items[i];
        if (vm->settings.cpu.node == NULL) {
            unsigned core = emptiest_core(system, on_core);
            for (uint64_t id = 0; id < vm->settings.vcpus.number; id++) {
                vm->cores[id] = core;
            }
            count_vcpus(vm, on_core);
        }
    }
}

static void place_switches(struct system *system)
{
    for (size_t i = 0; i < system->networks.count; i++) {
        struct setting *cpu = &system->networks.items[i]->settings.cpu;
        if (cpu->line == 0) {
            cpu->number = switch_core(system);
        }
    }
}

void place(struct system *system, struct yaml_file *file)
{
    check_cores(system);
    check_programs(system);
    read_machines(system, file);
    place_machines(system);
    place_switches(system);
}
