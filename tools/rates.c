/* SPDX-License-Identifier: BSD-2-Clause */
#include "rates.h"

#include "diagnostics.h"

/*
 * Read `node` with one of the two schemas. A single value is that of its first key. Returns whether
 * it was one.
 */
static bool read_rate(struct yaml_file *file, const struct schema *schema, yaml_node_t *node,
                      const char *where, void *record)
{
    const struct schema_key *first = &schema->keys[0];

    if (yaml_is_null(node) || (node->type == YAML_MAPPING_NODE && yaml_pair_count(node) == 0)) {
        error_at(file->path, yaml_line(node), where,
                 "rate: nothing is said: write one, like 100 Mbit/s or 20 MiB/s, or settings");
        return false;
    }
    if (node->type == YAML_SCALAR_NODE) {
        struct setting *setting = (struct setting *)((unsigned char *)record + first->offset);

        schema_read_value(first, file->path, where, "rate", node, setting);
        return true;
    }
    schema_read(schema, file, node, memory_format("%s: rate", where), false, record);
    return false;
}

/* A burst of what has no limit is no burst; but a machine may have no limit, and the others' burst.
 */
static void check_burst(const struct yaml_file *file, const char *where,
                        const struct setting *burst, const struct setting *a,
                        const struct setting *b, const char *cure)
{
    if (burst->line != 0 && a->number == 0 && b->number == 0 && !a->is_wrong && !b->is_wrong) {
        error_at(file->path, burst->line, where, "rate: burst %s: without a rate: %s", burst->text,
                 cure);
    }
}

void interface_rate_read(struct yaml_file *file, const char *where,
                         struct interface_settings *settings)
{
    struct rate_settings *rate = &settings->of_rate;
    yaml_node_t *node = settings->rate.node;

    if (node == NULL) {
        return;
    }
    settings->rate.node = NULL;
    rate->burst.line = 0;
    if (read_rate(file, &rate_schema, node, where, rate)) {
        rate->receive = rate->send;
    }
    check_burst(file, where, &rate->burst, &rate->send, &rate->receive,
                "say 'send', 'receive' or both");
}

void slice_rate_read(struct yaml_file *file, const char *where, struct slice_settings *settings)
{
    struct disk_rate_settings *rate = &settings->of_rate;
    yaml_node_t *node = settings->rate.node;

    if (node == NULL) {
        return;
    }
    settings->rate.node = NULL;
    read_rate(file, &disk_rate_schema, node, where, rate);
    check_burst(file, where, &rate->burst, &rate->bytes, &rate->operations,
                "say 'bytes', 'operations' or both");
}
