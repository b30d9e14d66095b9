/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What may stand in a system or board file: one table of keys, from which come the check for
 * unknown keys, the types, the ranges, the defaults and the reference in docs/systems.md.
 */

#include "buffer.h"
#include "value.h"
#include "yaml_file.h"

/* One key's value in a record. Records are structures of these. */
struct setting {
    const char *text;  /* as written */
    uint64_t number;   /* what it means, for the kinds that mean a number */
    yaml_node_t *node; /* VALUE_NODE */
    int line;          /* where it was set; 0: it was not, and this is the default */
    bool is_wrong;     /* what the file says is not what it must be, and was reported */
};

struct schema_key {
    const char *name;
    enum value_kind kind;
    size_t offset;        /* of the struct setting in the record */
    const char *fallback; /* the default, as one would write it; NULL: none */
    const char *derived;  /* the reference's word on a default that is computed */
    uint64_t minimum;
    uint64_t maximum;  /* 0: any */
    uint64_t multiple; /* 0: any */
    const char *const *choices;
    bool required;
    bool own;          /* particular to one VM: not among `defaults` */
    const char *shape; /* of VALUE_NODE, for the reference */
    const char *purpose;
};

struct schema {
    const char *heading; /* in the reference */
    const char *purpose;
    const struct schema_key *keys;
    size_t count;
    const struct schema *also; /* further keys of the same mapping, at also_offset in the record */
    size_t also_offset;
};

/* Fill the record with the defaults. */
void schema_defaults(const struct schema *schema, void *record);

/*
 * Read a mapping (or nothing at all, as in `vm0:`) into a record that holds the defaults. Errors
 * name `where`. `common` says that the record is what all VMs start from.
 */
void schema_read(const struct schema *schema, struct yaml_file *file, yaml_node_t *mapping,
                 const char *where, bool common, void *record);

/* Read one value that is not in a mapping by its key's kind and range; false after an error. */
bool schema_read_value(const struct schema_key *key, const char *file, const char *where,
                       const char *label, yaml_node_t *node, struct setting *setting);

/* The tables of a schema, in Markdown. */
void schema_reference(const struct schema *schema, struct buffer *out);
