/* SPDX-License-Identifier: BSD-2-Clause */

/* The devices of a board that may be handed to machines. */

#include "read_devices.h"

#include <inttypes.h>
#include <string.h>
#include "diagnostics.h"

#define PAGE 0x1000ULL

#define BOARD_DEVICES_MAX 256

#define SPI_FIRST 32

#define GIC_FRAME         0x10000ULL
#define GIC_FRAME_V2      0x2000ULL
#define GIC_REDISTRIBUTOR 0x20000ULL

static void read_interrupts(const struct board *board, struct yaml_file *file,
                            struct board_device *device)
{
    const struct schema_key key = {.name = "interrupts",
                                   .kind = VALUE_COUNT,
                                   .minimum = SPI_FIRST,
                                   .maximum = board->gic.interrupts.number - 1};
    const struct setting *list = &device->settings.interrupts;

    if (list->node == NULL) {
        return;
    }
    if (list->node->type != YAML_SEQUENCE_NODE ||
        yaml_item_count(list->node) > DEVICE_INTERRUPTS_MAX) {
        error_at(board->path, list->line, device->where,
                 "interrupts: a list of up to %d numbers belongs here, like [34]",
                 DEVICE_INTERRUPTS_MAX);
        return;
    }
    for (size_t i = 0; i < yaml_item_count(list->node); i++) {
        struct setting interrupt = {0};
        yaml_node_t *item = yaml_node(file, list->node->data.sequence.items.start[i]);
        if (schema_read_value(&key, board->path, device->where, "interrupts", item, &interrupt)) {
            device->interrupts[device->interrupt_count++] = (unsigned)interrupt.number;
        }
    }
}

static bool is_known_label(const struct board_device *device, const char *label)
{
    if (strcmp(device->name, label) == 0) {
        return true;
    }
    for (size_t i = 0; i < device->nodes.count; i++) {
        if (strcmp(device->nodes.items[i]->name, label) == 0) {
            return true;
        }
    }
    return false;
}

struct label_search {
    const struct board *board;
    const struct board_device *device;
};

static bool check_label(void *context, const struct tree_property *property, const char *label)
{
    const struct label_search *search = context;

    if (!is_known_label(search->device, label)) {
        error_at(search->board->path, search->device->line, search->device->where,
                 "%.40s: '&%.40s': no such node: it is the device's name or one under 'nodes'",
                 property->name, label);
    }
    return true;
}

/* What the generator adds to the device's own node. */
static void check_own_properties(const struct board *board, const struct board_device *device)
{
    static const char *const added[] = {"reg", "interrupts", "interrupt-parent", "phandle"};

    for (size_t i = 0; i < device->node.properties.count; i++) {
        const char *name = device->node.properties.items[i].name;
        for (size_t k = 0; k < sizeof(added) / sizeof(added[0]); k++) {
            if (strcmp(name, added[k]) == 0) {
                error_at(board->path, device->settings.node.line, device->where,
                         "node: '%s' comes from 'address' and 'interrupts': leave it out", name);
            }
        }
    }
}

static void read_nodes(const struct board *board, struct yaml_file *file,
                       struct board_device *device, size_t *size)
{
    const struct setting *nodes = &device->settings.nodes;

    if (nodes->node == NULL) {
        return;
    }
    if (nodes->node->type != YAML_MAPPING_NODE || yaml_pair_count(nodes->node) > TREE_NODES_MAX) {
        error_at(board->path, nodes->line, device->where,
                 "nodes: a mapping of up to %d names belongs here", TREE_NODES_MAX);
        return;
    }
    for (size_t i = 0; i < yaml_pair_count(nodes->node); i++) {
        const yaml_node_pair_t *pair = &nodes->node->data.mapping.pairs.start[i];
        yaml_node_t *key = yaml_node(file, pair->key);
        struct setting name = {0};
        static const struct schema_key name_key = {.name = "nodes", .kind = VALUE_NAME};

        if (!schema_read_value(&name_key, board->path, device->where, "nodes", key, &name)) {
            continue;
        }
        if (is_known_label(device, name.text)) {
            error_at(board->path, yaml_line(key), device->where,
                     "nodes: '%s' is a node's name already: choose another", name.text);
            continue;
        }
        struct tree_node *node = memory_new(sizeof(*node));
        tree_read(file, yaml_node(file, pair->value), device->where, name.text, node, size);
        *list_add(&device->nodes) = node;
    }
}

static void read_tree(const struct board *board, struct yaml_file *file,
                      struct board_device *device)
{
    struct label_search search = {board, device};
    size_t size = 0;

    if (device->settings.node.node == NULL) {
        return; /* reported already */
    }
    tree_read(file, device->settings.node.node, device->where, device->name, &device->node, &size);
    read_nodes(board, file, device, &size);
    if (size > TREE_SIZE_MAX) {
        error_at(board->path, device->settings.node.line, device->where,
                 "node: more than %d bytes in a device tree, with 'nodes': leave some out",
                 TREE_SIZE_MAX);
        return;
    }
    check_own_properties(board, device);
    tree_visit_labels(&device->node, check_label, &search);
    for (size_t i = 0; i < device->nodes.count; i++) {
        tree_visit_labels(device->nodes.items[i], check_label, &search);
    }
}

static bool overlaps(const struct board_device *device, uint64_t start, uint64_t size)
{
    return device->page < start + size && start < device->page + device->pages_size;
}

/* A device must not be memory, nor the interrupt controller. */
static void check_place(const struct board *board, const struct board_device *device)
{
    const struct setting *address = &device->settings.address;
    const struct gic_settings *gic = &board->gic;
    const struct {
        const struct setting *start;
        uint64_t size;
    } frames[] = {{&gic->distributor, GIC_FRAME},
                  {&gic->cpu_interface, GIC_FRAME_V2},
                  {&gic->hypervisor_interface, GIC_FRAME_V2},
                  {&gic->vcpu_interface, GIC_FRAME_V2},
                  {&gic->redistributors, GIC_REDISTRIBUTOR * board->settings.cores.number}};

    if (overlaps(device, board->settings.memory_base.number, board->settings.memory_size.number)) {
        error_at(board->path, address->line, device->where,
                 "address %s: the board's memory is there", address->text);
    }
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        if (frames[i].start->line != 0 &&
            overlaps(device, frames[i].start->number, frames[i].size)) {
            error_at(board->path, address->line, device->where,
                     "address %s: the interrupt controller is there, and no machine can have that",
                     address->text);
        }
    }
}

/* Two devices in one page are handed out together. For that their pages are to be the same. */
static void check_pages(const struct board *board, const struct board_device *device)
{
    for (size_t i = 0; i < board->devices.count; i++) {
        const struct board_device *other = board->devices.items[i];
        if (overlaps(device, other->page, other->pages_size) &&
            (device->page != other->page || device->pages_size != other->pages_size)) {
            error_at(board->path, device->line, device->where,
                     "its pages are partly those of '%s': give both a 'size' that ends in the same "
                     "page",
                     other->name);
        }
    }
}

static const struct board_device *find_device(const struct board *board, const char *name)
{
    for (size_t i = 0; i < board->devices.count; i++) {
        if (strcmp(board->devices.items[i]->name, name) == 0) {
            return board->devices.items[i];
        }
    }
    return NULL;
}

static void read_device(struct board *board, struct yaml_file *file, const char *name, int line,
                        yaml_node_t *settings)
{
    struct board_device *device = memory_new(sizeof(*device));

    device->name = name;
    device->line = line;
    device->where = memory_format("device '%s'", name);
    schema_defaults(&board_device_schema, &device->settings);
    size_t errors = error_count();
    schema_read(&board_device_schema, file, settings, device->where, false, &device->settings);
    const struct setting *address = &device->settings.address;
    uint64_t size = device->settings.size.number;
    if (address->number > UINT64_MAX - size - PAGE) {
        error_at(board->path, address->line, device->where, "address %s: too large", address->text);
    }
    device->page = address->number & ~(PAGE - 1);
    device->pages_size = ((address->number + size + PAGE - 1) & ~(PAGE - 1)) - device->page;
    read_interrupts(board, file, device);
    read_tree(board, file, device);
    if (error_count() == errors) {
        check_place(board, device);
        check_pages(board, device);
    }
    *list_add(&board->devices) = device;
}

/* What of the board's devices in its pages masters the bus, itself first. */
static const char *find_bus_master(const struct board *board, const struct board_device *device)
{
    const struct {
        const char *name;
        const struct setting *address;
    } own[] = {{"the board's disk", &board->disk.address},
               {"the board's network", &board->network.address}};

    if (device->settings.bus_master.number) {
        return device->name;
    }
    for (size_t i = 0; i < board->devices.count; i++) {
        const struct board_device *other = board->devices.items[i];
        if (other->settings.bus_master.number && overlaps(device, other->page, other->pages_size)) {
            return memory_format("'%s'", other->name);
        }
    }
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (own[i].address->line != 0 && overlaps(device, own[i].address->number, 1)) {
            return own[i].name;
        }
    }
    return NULL;
}

void devices_read(struct board *board, struct yaml_file *file)
{
    static const struct schema_key name_key = {.name = "devices", .kind = VALUE_NAME};
    const struct setting *devices = &board->settings.devices;
    yaml_node_t *node = devices->node;

    if (node == NULL || yaml_is_null(node)) {
        return;
    }
    if (node->type != YAML_MAPPING_NODE || yaml_pair_count(node) > BOARD_DEVICES_MAX) {
        error_at(board->path, devices->line, "",
                 "devices: a mapping of up to %d names belongs here, 'NAME: {address: ...}'",
                 BOARD_DEVICES_MAX);
        return;
    }
    for (size_t i = 0; i < yaml_pair_count(node); i++) {
        const yaml_node_pair_t *pair = &node->data.mapping.pairs.start[i];
        yaml_node_t *key = yaml_node(file, pair->key);
        struct setting name = {0};

        if (!schema_read_value(&name_key, board->path, "", "devices", key, &name)) {
            continue;
        }
        const struct board_device *other = find_device(board, name.text);
        if (other != NULL) {
            error_at(board->path, yaml_line(key), "", "device '%s': it is on line %d already",
                     name.text, other->line);
            continue;
        }
        read_device(board, file, name.text, yaml_line(key), yaml_node(file, pair->value));
    }
    for (size_t i = 0; i < board->devices.count; i++) {
        struct board_device *device = board->devices.items[i];
        device->bus_master = find_bus_master(board, device);
    }
}
