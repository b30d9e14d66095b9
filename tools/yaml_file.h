/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A YAML file as a tree whose nodes know their lines (libyaml's document). */

#include <stdbool.h>
#include <yaml.h>

struct yaml_file {
    const char *path; /* as errors name it */
    yaml_document_t document;
};

/*
 * Read one document of up to 4 MiB, with bounds on depth, anchors and tags. Returns NULL if there
 * is none, after the errors have been reported. The file, its nodes and their texts live until
 * yaml_files_free. Keys that are given twice in one mapping are found by the readers of mappings.
 */
struct yaml_file *yaml_file_load(const char *path);
void yaml_files_free(void);

yaml_node_t *yaml_root(struct yaml_file *file);

/* The node at an index that a mapping's pair or a sequence's item holds. */
yaml_node_t *yaml_node(struct yaml_file *file, int index);

int yaml_line(const yaml_node_t *node);

/* A scalar's text; NULL if the node is no scalar or holds a NUL byte. */
const char *yaml_text(const yaml_node_t *node);

/* Whether the node is null: an empty plain scalar, `~` or `null`. */
bool yaml_is_null(const yaml_node_t *node);

size_t yaml_pair_count(const yaml_node_t *mapping);
size_t yaml_item_count(const yaml_node_t *sequence);

/* "a list", "a mapping", "a value": for messages. */
const char *yaml_kind(const yaml_node_t *node);
