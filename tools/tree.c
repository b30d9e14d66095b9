/* SPDX-License-Identifier: BSD-2-Clause */
#include "tree.h"

#include <string.h>
#include "diagnostics.h"
#include "value.h"

#define NAME_MAX_LENGTH 31 /* 2.2.1 and 2.2.4.1 */

/* What a node and a property take when flattened, beside their names and values (5.4). */
#define NODE_BYTES     12u
#define PROPERTY_BYTES 16u

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_name(const char *text)
{
    size_t length = strlen(text);

    return length != 0 && length <= NAME_MAX_LENGTH &&
           strspn(text, LETTERS "0123456789,._+-?#@") == length;
}

static void report_value(struct yaml_file *file, yaml_node_t *node, const char *where,
                         const char *name)
{
    error_at(
        file->path, yaml_line(node), where,
        "%.40s: text, numbers of 32 bits, nothing, a list of either, or a mapping belongs here",
        name);
}

static bool is_plain(const yaml_node_t *node)
{
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* A number, or a label. Only what stands without quotes is a number. */
static bool read_cell(yaml_node_t *node, struct tree_cell *cell)
{
    const char *text = yaml_text(node);
    uint64_t number;

    if (text == NULL) {
        return false;
    }
    if (text[0] == '&') {
        *cell = (struct tree_cell){.label = text + 1};
        return true;
    }
    if (!is_plain(node) || (value_parse(VALUE_COUNT, NULL, text, &number) != NULL &&
                            value_parse(VALUE_HEX, NULL, text, &number) != NULL)) {
        return false;
    }
    *cell = (struct tree_cell){.number = (uint32_t)number};
    return number <= UINT32_MAX;
}

/* What begins with a digit is text only in quotes. */
static bool is_string(yaml_node_t *node)
{
    const char *text = yaml_text(node);

    return text != NULL && text[0] != '\0' && (!is_plain(node) || text[0] < '0' || text[0] > '9') &&
           value_parse(VALUE_TEXT, NULL, text, NULL) == NULL;
}

/* One value of a property. Returns false if it does not belong to those before. */
static bool read_item(yaml_node_t *node, struct tree_property *property, size_t *size)
{
    struct tree_cell cell;

    if (node->type != YAML_SCALAR_NODE) {
        return false;
    }
    if (read_cell(node, &cell)) {
        *list_add(&property->cells) = cell;
        *size += sizeof(uint32_t);
        return property->strings.count == 0;
    }
    if (!is_string(node)) {
        return false;
    }
    *list_add(&property->strings) = yaml_text(node);
    *size += strlen(yaml_text(node)) + 1;
    return property->cells.count == 0;
}

static void read_property(struct yaml_file *file, yaml_node_t *value, const char *where,
                          const char *name, struct tree_node *node, size_t *size)
{
    struct tree_property *property = list_add(&node->properties);

    property->name = name;
    *size += PROPERTY_BYTES + strlen(name) + 1;
    if (yaml_is_null(value)) {
        return;
    }
    if (value->type != YAML_SEQUENCE_NODE) {
        if (!read_item(value, property, size)) {
            report_value(file, value, where, name);
        }
        return;
    }
    for (size_t i = 0; i < yaml_item_count(value) && *size <= TREE_SIZE_MAX; i++) {
        yaml_node_t *item = yaml_node(file, value->data.sequence.items.start[i]);
        if (!read_item(item, property, size)) {
            report_value(file, item, where, name);
            return;
        }
    }
}

/* Whether a node has a property or a node of that name. */
static bool has_member(const struct tree_node *node, const char *name)
{
    for (size_t i = 0; i < node->properties.count; i++) {
        if (strcmp(node->properties.items[i].name, name) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < node->children.count; i++) {
        if (strcmp(node->children.items[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* NOLINTNEXTLINE(misc-no-recursion): the file is no deeper than yaml_file_load allows */
void tree_read(struct yaml_file *file, yaml_node_t *mapping, const char *where, const char *name,
               struct tree_node *node, size_t *size)
{
    node->name = name;
    *size += NODE_BYTES + strlen(name);
    if (mapping->type != YAML_MAPPING_NODE) {
        error_at(file->path, yaml_line(mapping), where,
                 "%.40s: a mapping of properties belongs here", name);
        return;
    }
    for (size_t i = 0; i < yaml_pair_count(mapping) && *size <= TREE_SIZE_MAX; i++) {
        const yaml_node_pair_t *pair = &mapping->data.mapping.pairs.start[i];
        yaml_node_t *key = yaml_node(file, pair->key);
        yaml_node_t *value = yaml_node(file, pair->value);
        const char *text = yaml_text(key);

        if (text == NULL || !is_name(text)) {
            error_at(file->path, yaml_line(key), where,
                     "'%.40s': no name in a device tree: 1 to %d letters, digits and ,._+-?#@",
                     text == NULL ? yaml_kind(key) : text, NAME_MAX_LENGTH);
        } else if (has_member(node, text)) {
            error_at(file->path, yaml_line(key), where, "'%.40s' given twice in one node", text);
        } else if (value->type == YAML_MAPPING_NODE) {
            struct tree_node *child = memory_new(sizeof(*child));
            *list_add(&node->children) = child;
            tree_read(file, value, where, text, child, size);
        } else {
            read_property(file, value, where, text, node, size);
        }
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): likewise */
bool tree_visit_labels(const struct tree_node *node, tree_visitor *visit, void *context)
{
    for (size_t i = 0; i < node->properties.count; i++) {
        const struct tree_property *property = &node->properties.items[i];
        for (size_t k = 0; k < property->cells.count; k++) {
            const char *label = property->cells.items[k].label;
            if (label != NULL && !visit(context, property, label)) {
                return false;
            }
        }
    }
    for (size_t i = 0; i < node->children.count; i++) {
        if (!tree_visit_labels(node->children.items[i], visit, context)) {
            return false;
        }
    }
    return true;
}
