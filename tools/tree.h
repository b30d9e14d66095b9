/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Nodes of a device tree (Devicetree specification 0.3, 2.2), as a board's file has them in YAML:
 * the schema of a device says how.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "memory.h"
#include "yaml_file.h"

#define TREE_NODES_MAX 8    /* beside a device's own */
#define TREE_SIZE_MAX  2048 /* bytes of all nodes of a device, flattened */

/* A cell: a number, or the phandle of a node. */
struct tree_cell {
    const char *label; /* NULL: it is the number */
    uint32_t number;
};

/* Without cells and strings it is a flag. It never has both. */
struct tree_property {
    const char *name;
    struct LIST(struct tree_cell) cells;
    struct LIST(const char *) strings;
};

struct tree_node {
    const char *name;
    struct LIST(struct tree_property) properties;
    struct LIST(struct tree_node *) children;
};

/*
 * Read a mapping. Errors name `where`. Adds to *size how many bytes it takes when it is flattened,
 * at most. The texts are the file's.
 */
void tree_read(struct yaml_file *file, yaml_node_t *mapping, const char *where, const char *name,
               struct tree_node *node, size_t *size);

/*
 * Call `visit` for each label in the node and those below it, with the property it is in. Stops
 * and returns false if `visit` returns false.
 */
typedef bool tree_visitor(void *context, const struct tree_property *property, const char *label);
bool tree_visit_labels(const struct tree_node *node, tree_visitor *visit, void *context);
