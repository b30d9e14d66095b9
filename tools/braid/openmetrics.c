/* SPDX-License-Identifier: BSD-2-Clause */

/* What was counted, in the text format of OpenMetrics 1.0. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "figures.h"
#include "states.h"
#include "stats_text.h"

/* The states would be a stateset, but readers of the older text format refuse what has one. */
enum type { COUNTER, HISTOGRAM, GAUGE };

/* A family of samples: a field, or several that count one thing by its causes. */
struct family {
    enum type type;
    unsigned kind;
    uint32_t first, count; /* fields */
    char name[64];
    const char *unit; /* or NULL */
};

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t size = strlen(end);

    return length > size && strncmp(text + length - size, end, size) == 0;
}

/* What the words of a disk's classes are together. */
static struct family latencies(unsigned kind, uint32_t first)
{
    return (struct family){.type = HISTOGRAM,
                           .kind = kind,
                           .first = first,
                           .count = STATS_LATENCIES,
                           .name = "braid_disk_request_duration_seconds",
                           .unit = "seconds"};
}

/* The family that begins with a field. */
static struct family find_family(unsigned kind, uint32_t first)
{
    const struct stats_field *field = stats_field(kind, first);
    struct family family = {.kind = kind, .first = first, .count = 1};
    size_t length = counter_cause(field);

    if (strcmp(field->name, "latency") == 0) {
        return latencies(kind, first);
    }
    while (length > 0 && first + family.count < stats_words(kind)) {
        const struct stats_field *next = stats_field(kind, first + family.count);

        if (counter_cause(next) != length || strncmp(next->name, field->name, length) != 0) {
            break;
        }
        family.count++;
    }
    length = length > 0 ? length : strlen(field->name);
    if (field->unit == STATS_TIME || field->unit == STATS_RUNNING) {
        family.unit = "seconds";
        length -= ends_with(field->name, length, "_time") ? strlen("_time") : 0;
    } else if (field->unit == STATS_BYTES) {
        family.unit = "bytes";
        length -= ends_with(field->name, length, "_bytes") ? strlen("_bytes") : 0;
    }
    snprintf(family.name, sizeof(family.name), "braid_%s_%.*s%s%s", counter_kind(kind), (int)length,
             field->name, family.unit == NULL ? "" : "_", family.unit == NULL ? "" : family.unit);
    return family;
}

/* What a label says, and a HELP, has these three escaped. */
static void add_escaped(struct bytes *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\\' || *c == '"') {
            bytes_print(out, "\\%c", *c);
        } else if (*c == '\n') {
            bytes_print(out, "\\n");
        } else {
            bytes_add(out, c, 1);
        }
    }
}

static void add_label(struct bytes *out, const char *name, const char *value)
{
    bytes_print(out, "%s=\"", name);
    add_escaped(out, value);
    bytes_print(out, "\"");
}

/* "exits (mmio: accesses to emulated registers; ...)", from texts like "exits: accesses ..." */
static void add_help(struct bytes *out, const struct family *family)
{
    const struct stats_field *field = stats_field(family->kind, family->first);
    size_t length = counter_cause(field);

    if (length == 0) {
        const char *these = strstr(field->text, "these");

        if (family->type == GAUGE) {
            bytes_print(out, "1: the state that the machine is in\n");
        } else if (these != NULL && family->first > 0) {
            /* "bytes of these", of which the field before it says what they are. */
            bytes_print(out, "%.*s", (int)(these - field->text), field->text);
            add_escaped(out, stats_field(family->kind, family->first - 1)->text);
            bytes_print(out, "\n");
        } else {
            add_escaped(out, field->text);
            bytes_print(out, "\n");
        }
        return;
    }
    bytes_print(out, "%.*s", (int)strcspn(field->text, ":"), field->text);
    for (uint32_t i = 0; i < family->count; i++) {
        field = stats_field(family->kind, family->first + i);
        bytes_print(out, "%s%s", i == 0 ? " (" : "; ", field->name + length + 1);
        add_escaped(out, strchr(field->text, ':'));
    }
    bytes_print(out, ")\n");
}

static void add_head(struct bytes *out, const struct family *family)
{
    static const char *const types[] = {"counter", "histogram", "gauge"};

    bytes_print(out, "# TYPE %s %s\n", family->name, types[family->type]);
    if (family->unit != NULL) {
        bytes_print(out, "# UNIT %s %s\n", family->name, family->unit);
    }
    bytes_print(out, "# HELP %s ", family->name);
    add_help(out, family);
}

/* Name, and the labels that say whose a set is; the closing brace is the caller's. */
static void add_owner(struct bytes *out, const char *name, const char *suffix,
                      const struct sample *sample, const struct counter_set *set)
{
    char number[8];

    snprintf(number, sizeof(number), "%u", set->number);
    bytes_print(out, "%s%s{", name, suffix);
    add_label(out, "system", sample->system);
    bytes_print(out, ",");
    add_label(out, "machine", sample_client(sample, set->client)->name);
    if (set->kind == STATS_PORT) {
        bytes_print(out, ",");
        add_label(out, "interface", number);
        bytes_print(out, ",");
        add_label(out, "switch", sample_client(sample, set->of_switch)->name);
    } else if (set->kind == STATS_DISK) {
        bytes_print(out, ",");
        add_label(out, "disk", number);
    }
}

static void add_seconds(struct bytes *out, uint64_t nanoseconds)
{
    bytes_print(out, "%" PRIu64 ".%09" PRIu64 "\n", nanoseconds / 1000000000,
                nanoseconds % 1000000000);
}

static void add_counters(struct bytes *out, const struct family *family,
                         const struct sample *sample, const struct counter_set *set)
{
    for (uint32_t i = family->first; i < family->first + family->count && i < set->have; i++) {
        const struct stats_field *field = stats_field(family->kind, i);

        add_owner(out, family->name, "_total", sample, set);
        if (counter_cause(field) > 0) {
            bytes_print(out, ",");
            add_label(out, "cause", field->name + counter_cause(field) + 1);
        }
        bytes_print(out, "} ");
        if (field->unit == STATS_TIME || field->unit == STATS_RUNNING) {
            add_seconds(out, set->word[i]);
        } else {
            bytes_print(out, "%" PRIu64 "\n", set->word[i]);
        }
    }
}

static void add_histogram(struct bytes *out, const struct family *family,
                          const struct sample *sample, const struct counter_set *set)
{
    struct stats_disk disk;

    memcpy(&disk, set->word, sizeof(disk));
    for (uint32_t class = 0; class < STATS_LATENCIES; class ++) {
        uint64_t bound = stats_latency_bound(class);
        char le[32] = "+Inf";

        if (bound != 0) {
            snprintf(le, sizeof(le), "%.10g", (double)bound / 1e6);
        }
        add_owner(out, family->name, "_bucket", sample, set);
        bytes_print(out, ",le=\"%s\"} %" PRIu64 "\n", le, figures_sum(disk.latency, class + 1));
    }
    add_owner(out, family->name, "_count", sample, set);
    bytes_print(out, "} %" PRIu64 "\n", figures_sum(disk.latency, STATS_LATENCIES));
    add_owner(out, family->name, "_sum", sample, set);
    bytes_print(out, "} ");
    add_seconds(out, disk.flight_time);
}

static void add_states(struct bytes *out, const struct family *family, const struct sample *sample,
                       const struct counter_set *set)
{
    const char *state = sample_client(sample, set->client)->state;

    for (uint8_t i = 0; i < STATES; i++) {
        add_owner(out, family->name, "", sample, set);
        bytes_print(out, ",state=\"%s\"} %d\n", states_name(i), strcmp(state, states_name(i)) == 0);
    }
}

static void add_samples(struct bytes *out, const struct family *family, const struct sample *sample,
                        const struct counter_set *set)
{
    switch (family->type) {
    case COUNTER:
        add_counters(out, family, sample, set);
        break;
    case HISTOGRAM:
        add_histogram(out, family, sample, set);
        break;
    case GAUGE:
        add_states(out, family, sample, set);
        break;
    }
}

/* One family of all systems. One without samples is left out. */
static void add_family(struct bytes *out, const struct family *family, const struct sample *samples,
                       size_t count, const struct stats_view *view)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < samples[i].count; j++) {
            const struct counter_set *set = &samples[i].sets[j];

            if (set->kind != family->kind || family->first >= set->have ||
                !sample_is_of(&samples[i], set, view->name)) {
                continue;
            }
            if (!any) {
                add_head(out, family);
            }
            any = true;
            add_samples(out, family, &samples[i], set);
        }
    }
}

void stats_openmetrics(struct bytes *out, const struct sample *samples, size_t count,
                       const struct stats_view *view)
{
    static const struct family states = {
        .type = GAUGE, .kind = STATS_MACHINE, .name = "braid_machine_state"};

    add_family(out, &states, samples, count, view);
    for (unsigned kind = STATS_MACHINE; kind < STATS_KINDS; kind++) {
        for (uint32_t word = 0; word < stats_words(kind);) {
            struct family family = find_family(kind, word);

            add_family(out, &family, samples, count, view);
            word += family.count;
        }
    }
    bytes_print(out, "# EOF\n");
}
