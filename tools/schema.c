/* SPDX-License-Identifier: BSD-2-Clause */
#include "schema.h"

#include <inttypes.h>
#include <string.h>
#include "diagnostics.h"
#include "memory.h"

static struct setting *setting_of(const struct schema_key *key, void *record)
{
    return (struct setting *)((unsigned char *)record + key->offset);
}

static void *also_record(const struct schema *schema, void *record)
{
    return (unsigned char *)record + schema->also_offset;
}

void schema_defaults(const struct schema *schema, void *record)
{
    while (schema != NULL) {
        for (size_t i = 0; i < schema->count; i++) {
            const struct schema_key *key = &schema->keys[i];
            struct setting *setting = setting_of(key, record);

            *setting = (struct setting){.text = key->fallback};
            if (key->fallback != NULL && key->kind != VALUE_NODE) {
                value_parse(key->kind, key->choices, key->fallback, &setting->number);
            }
        }
        record = also_record(schema, record);
        schema = schema->also;
    }
}

/* Check a number against its key's range. Returns NULL, or what is wrong with it. */
static const char *out_of_range(const struct schema_key *key, uint64_t number)
{
    if (number < key->minimum || (key->maximum != 0 && number > key->maximum)) {
        return key->maximum == 0
                   ? memory_format("too little: %s or more", value_format(key->kind, key->minimum))
                   : memory_format("out of range: %s to %s", value_format(key->kind, key->minimum),
                                   value_format(key->kind, key->maximum));
    }
    if (key->multiple != 0 && number % key->multiple != 0) {
        return memory_format(
            "not a multiple of %s: %s would be", value_format(key->kind, key->multiple),
            value_format(key->kind, number - number % key->multiple + key->multiple));
    }
    return NULL;
}

static bool has_range(enum value_kind kind, uint64_t number)
{
    return kind == VALUE_SIZE || kind == VALUE_DURATION || kind == VALUE_COUNT ||
           kind == VALUE_HEX || (kind == VALUE_RATE && number != 0);
}

bool schema_read_value(const struct schema_key *key, const char *file, const char *where,
                       const char *label, yaml_node_t *node, struct setting *setting)
{
    const char *text = yaml_text(node);
    const char *wrong;

    if (text == NULL) {
        error_at(file, yaml_line(node), where, "%s: %s: one value belongs here", label,
                 yaml_kind(node));
        return false;
    }
    struct setting read = {.text = text, .line = setting->line};
    wrong = value_parse(key->kind, key->choices, text, &read.number);
    if (wrong == NULL && has_range(key->kind, read.number)) {
        wrong = out_of_range(key, read.number);
    }
    if (wrong != NULL) {
        error_at(file, yaml_line(node), where, "%s '%.80s': %s", label, text, wrong);
        setting->is_wrong = true;
        return false;
    }
    *setting = read;
    return true;
}

/* Find a key by name, and set *record to the record that it belongs to. */
static const struct schema_key *find_key(const struct schema *schema, const char *name,
                                         void **record)
{
    while (schema != NULL) {
        for (size_t i = 0; i < schema->count; i++) {
            if (strcmp(schema->keys[i].name, name) == 0) {
                return &schema->keys[i];
            }
        }
        *record = also_record(schema, *record);
        schema = schema->also;
    }
    return NULL;
}

static void report_unknown(const struct schema *schema, const char *file, int line,
                           const char *where, const char *name, bool common)
{
    struct nearest nearest = {0};
    const char *known = "";

    if (errors_are_only_counted()) {
        error_at(file, line, where, "unknown key '%.40s'", name);
        return;
    }
    for (const struct schema *part = schema; part != NULL; part = part->also) {
        for (size_t i = 0; i < part->count; i++) {
            if (common && part->keys[i].own) {
                continue;
            }
            nearest_weigh(&nearest, name, part->keys[i].name);
            known =
                memory_format("%s%s%s", known, known[0] == '\0' ? "" : ", ", part->keys[i].name);
        }
    }
    if (nearest.word != NULL) {
        error_at(file, line, where, "unknown key '%.40s': did you mean '%s'?", name, nearest.word);
    } else {
        error_at(file, line, where, "unknown key '%.40s': known are %s", name, known);
    }
}

static void read_pair(const struct schema *schema, struct yaml_file *file, yaml_node_t *name,
                      yaml_node_t *value, const char *where, bool common, void *record)
{
    const char *text = yaml_text(name);
    int line = yaml_line(name);

    if (text == NULL) {
        error_at(file->path, line, where, "%s as a key: a word belongs here", yaml_kind(name));
        return;
    }
    const struct schema_key *key = find_key(schema, text, &record);
    if (key == NULL) {
        report_unknown(schema, file->path, line, where, text, common);
        return;
    }
    if (common && key->own) {
        error_at(file->path, line, where, "'%s' cannot be the same for all: give it to a vm", text);
        return;
    }
    struct setting *setting = setting_of(key, record);
    if (key->kind == VALUE_NODE) {
        *setting = (struct setting){.node = value, .line = line};
        return;
    }
    if (schema_read_value(key, file->path, where, key->name, value, setting)) {
        setting->line = line;
    }
}

/* If an earlier pair has the same key, report that and return its value. */
static bool is_repeated(struct yaml_file *file, yaml_node_t *mapping, size_t index,
                        const char *where)
{
    const yaml_node_pair_t *pairs = mapping->data.mapping.pairs.start;
    const char *name = yaml_text(yaml_node(file, pairs[index].key));

    for (size_t i = 0; name != NULL && i < index; i++) {
        yaml_node_t *earlier = yaml_node(file, pairs[i].key);
        const char *other = yaml_text(earlier);
        if (other != NULL && strcmp(other, name) == 0) {
            error_at(file->path, yaml_line(yaml_node(file, pairs[index].key)), where,
                     "'%.40s' given twice: it is on line %d already", name, yaml_line(earlier));
            return true;
        }
    }
    return false;
}

/* Repeated keys are looked for among this many: a mapping with more has unknown keys anyway. */
#define REPEAT_SEARCH_MAX 1000

void schema_read(const struct schema *schema, struct yaml_file *file, yaml_node_t *mapping,
                 const char *where, bool common, void *record)
{
    if (mapping->type == YAML_MAPPING_NODE) {
        for (size_t i = 0; i < yaml_pair_count(mapping); i++) {
            const yaml_node_pair_t *pair = &mapping->data.mapping.pairs.start[i];
            if (i < REPEAT_SEARCH_MAX && is_repeated(file, mapping, i, where)) {
                continue;
            }
            read_pair(schema, file, yaml_node(file, pair->key), yaml_node(file, pair->value), where,
                      common, record);
        }
    } else if (!yaml_is_null(mapping)) {
        error_at(file->path, yaml_line(mapping), where, "%s, where settings belong: 'key: value'",
                 yaml_kind(mapping));
        return;
    }
    for (size_t i = 0; i < schema->count; i++) {
        const struct schema_key *key = &schema->keys[i];
        const struct setting *setting = setting_of(key, record);

        if (key->required && setting->line == 0 && !setting->is_wrong) {
            error_at(file->path, yaml_line(mapping), where, "'%s' is missing: %s", key->name,
                     key->purpose);
        }
    }
}

static const char *kind_name(const struct schema_key *key)
{
    static const char *const names[] = {
        [VALUE_TEXT] = "text",
        [VALUE_NAME] = "name",
        [VALUE_STEM] = "name",
        [VALUE_HOSTNAME] = "host name",
        [VALUE_PATH] = "file",
        [VALUE_SIZE] = "size",
        [VALUE_DURATION] = "time",
        [VALUE_RATE] = "rate",
        [VALUE_COUNT] = "number",
        [VALUE_HEX] = "address",
        [VALUE_SWITCHED] = "yes or no",
        [VALUE_CHOICE] = "word",
        [VALUE_MAC] = "MAC address",
        [VALUE_IPV4] = "IPv4 address",
        [VALUE_IPV4_NET] = "IPv4 address/prefix, or `dhcp`",
    };
    const char *list = "";

    if (key->kind == VALUE_NODE) {
        return key->shape;
    }
    if (key->kind != VALUE_CHOICE) {
        return names[key->kind];
    }
    for (size_t i = 0; key->choices[i] != NULL; i++) {
        list = memory_format("%s%s`%s`", list, i == 0 ? "" : " or ", key->choices[i]);
    }
    return list;
}

static const char *range_text(const struct schema_key *key)
{
    const char *text = "";

    if (key->maximum != 0) {
        text = memory_format("%s to %s", value_format(key->kind, key->minimum),
                             value_format(key->kind, key->maximum));
    } else if (key->minimum != 0) {
        text = memory_format("%s or more", value_format(key->kind, key->minimum));
    }
    if (key->multiple != 0) {
        text = memory_format("%s%smultiple of %s", text, text[0] == '\0' ? "" : ", ",
                             value_format(key->kind, key->multiple));
    }
    return text;
}

static void reference_row(const struct schema_key *key, struct buffer *out)
{
    buffer_print(out, "| `%s` | %s | %s | ", key->name, kind_name(key), range_text(key));
    if (key->required) {
        buffer_print(out, "(must be given)");
    } else if (key->derived != NULL) {
        buffer_print(out, "%s", key->derived);
    } else if (key->fallback != NULL) {
        buffer_print(out, "`%s`", key->fallback);
    } else {
        buffer_print(out, "none");
    }
    buffer_print(out, " | %s%s |\n", key->purpose, key->own ? " Not among `defaults`." : "");
}

void schema_reference(const struct schema *schema, struct buffer *out)
{
    buffer_print(out, "### %s\n\n%s\n\n", schema->heading, schema->purpose);
    buffer_print(out, "| key | kind | range | default | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < schema->count; i++) {
        reference_row(&schema->keys[i], out);
    }
    buffer_print(out, "\n");
}
