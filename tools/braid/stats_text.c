/* SPDX-License-Identifier: BSD-2-Clause */

#include "stats_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "figures.h"
#include "states.h"

/* A set's words, or by how much they have grown in `time` nanoseconds. */
struct amounts {
    const struct counter_set *set;
    uint64_t word[COUNTER_WORDS_MAX];
    uint64_t time; /* 0: since the board's start */
};

#define NAME   "  %-11s "
#define INDENT "              "

static void add_amount(struct bytes *out, uint64_t amount, uint64_t time, const char *what)
{
    if (time == 0) {
        bytes_print(out, "%" PRIu64 "%s", amount, what);
    } else {
        figures_short(out, figures_rate(amount, time));
        bytes_print(out, "/s");
    }
}

static void add_bytes(struct bytes *out, uint64_t bytes, uint64_t time)
{
    if (time == 0) {
        figures_scaled(out, (double)bytes, "B");
    } else {
        figures_scaled(out, figures_rate(bytes, time), "B/s");
    }
}

/* Those of one name that are not 0, with `before` in front. Returns whether there is any. */
static bool add_causes(struct bytes *out, const struct amounts *amounts, const char *name,
                       const char *before)
{
    size_t length = strlen(name);
    bool any = false;

    for (uint32_t i = 0; i < amounts->set->have; i++) {
        const struct stats_field *field = stats_field(amounts->set->kind, i);

        if (amounts->word[i] == 0 || counter_cause(field) != length ||
            strncmp(field->name, name, length) != 0) {
            continue;
        }
        bytes_print(out, "%s", any ? ", " : before);
        add_amount(out, amounts->word[i], amounts->time, " ");
        bytes_print(out, "%s%s", amounts->time == 0 ? "" : " ", field->name + length + 1);
        any = true;
    }
    return any;
}

static void add_machine(struct bytes *out, const struct amounts *amounts)
{
    struct stats_machine machine, all;

    memcpy(&machine, amounts->word, sizeof(machine));
    memcpy(&all, amounts->set->word, sizeof(all));
    bytes_print(out, NAME "%.1f %% busy, ", "vCPUs",
                figures_percent(machine.busy_time, machine.vcpu_time));
    if (amounts->time == 0) {
        figures_duration(out, (double)machine.busy_time);
        bytes_print(out, " of ");
        figures_duration(out, (double)machine.vcpu_time);
        bytes_print(out, "\n" NAME, "monitor");
        figures_duration(out, (double)machine.monitor_time);
    } else {
        bytes_print(out, "%.1f %% of a processor\n" NAME "%.1f %% of a processor",
                    figures_percent(machine.busy_time, amounts->time), "monitor",
                    figures_percent(machine.monitor_time, amounts->time));
    }
    bytes_print(out, "\n" NAME, "exits");
    add_amount(out, figures_exits(&machine), amounts->time, "");
    add_causes(out, amounts, "exits", ": ");
    bytes_print(out, "\n" NAME, "interrupts");
    add_amount(out, machine.interrupts, amounts->time, "");
    bytes_print(out, "\n" NAME "%" PRIu64 "; crashes %" PRIu64 "\n", "starts", all.starts,
                all.crashes);
}

static void add_direction(struct bytes *out, uint64_t frames, uint64_t bytes, uint64_t time)
{
    add_amount(out, frames, time, " frames");
    bytes_print(out, ", ");
    if (time == 0) {
        add_bytes(out, bytes, 0);
    } else {
        figures_scaled(out, figures_rate(bytes, time) * 8, "bit/s");
    }
}

static void add_port(struct bytes *out, const struct amounts *amounts, const char *its_switch)
{
    struct stats_port port;

    memcpy(&port, amounts->word, sizeof(port));
    bytes_print(out, "%s: sent ", its_switch);
    add_direction(out, port.sent_frames, port.sent_bytes, amounts->time);
    bytes_print(out, "; received ");
    add_direction(out, port.received_frames, port.received_bytes, amounts->time);
    bytes_print(out, "\n");
    if (add_causes(out, amounts, "sent_dropped", INDENT "sent and dropped: ")) {
        bytes_print(out, "\n");
    }
    if (add_causes(out, amounts, "received_dropped", INDENT "not received: ")) {
        bytes_print(out, "\n");
    }
}

static void add_latency(struct bytes *out, const struct stats_disk *disk)
{
    uint64_t requests = figures_sum(disk->latency, STATS_LATENCIES);
    int class = figures_99(disk->latency);

    if (class < 0) {
        return;
    }
    bytes_print(out, INDENT "in flight ");
    figures_duration(out, (double)disk->flight_time / (double)requests);
    bytes_print(out, " on average, 99 of 100 ");
    uint64_t bound = stats_latency_bound((uint32_t) class);
    bytes_print(out, bound == 0 ? "more than " : "at most ");
    figures_duration(
        out, 1e3 * (double)(bound == 0 ? stats_latency_bound((uint32_t) class - 1) : bound));
    bytes_print(out, "\n");
}

static void add_disk(struct bytes *out, const struct amounts *amounts)
{
    struct stats_disk disk;

    memcpy(&disk, amounts->word, sizeof(disk));
    bytes_print(out, "read ");
    add_amount(out, disk.reads, amounts->time, " times");
    bytes_print(out, ", ");
    add_bytes(out, disk.read_bytes, amounts->time);
    bytes_print(out, "; written ");
    add_amount(out, disk.writes, amounts->time, " times");
    bytes_print(out, ", ");
    add_bytes(out, disk.written_bytes, amounts->time);
    bytes_print(out, "\n" INDENT "flushes ");
    add_amount(out, disk.flushes, amounts->time, "");
    bytes_print(out, "; discards ");
    add_amount(out, disk.discards, amounts->time, "");
    bytes_print(out, "; errors ");
    add_amount(out, disk.errors, amounts->time, "");
    bytes_print(out, "\n");
    add_latency(out, &disk);
}

static void add_set(struct bytes *out, const struct sample *sample, const struct amounts *amounts)
{
    const struct counter_set *set = amounts->set;
    char name[16];

    if (set->kind == STATS_MACHINE) {
        add_machine(out, amounts);
    } else if (set->kind == STATS_PORT) {
        bool uplink = !sample_client(sample, set->client)->machine;

        snprintf(name, sizeof(name), uplink ? "uplink" : "net%u", set->number);
        bytes_print(out, NAME, name);
        add_port(out, amounts, sample_client(sample, set->of_switch)->name);
    } else {
        snprintf(name, sizeof(name), "disk%u", set->number);
        bytes_print(out, NAME, name);
        add_disk(out, amounts);
    }
}

/* Returns false if nothing is known of the time since `before`. */
static bool find_amounts(struct amounts *amounts, const struct sample *sample,
                         const struct sample *before, const struct counter_set *set)
{
    const struct counter_set *then = before == NULL ? NULL : sample_before(before, sample, set);

    amounts->set = set;
    amounts->time = then == NULL ? 0 : set->time - then->time;
    for (uint32_t i = 0; i < COUNTER_WORDS_MAX; i++) {
        amounts->word[i] = then == NULL ? set->word[i] : figures_grown(then->word[i], set->word[i]);
    }
    return before == NULL || then != NULL;
}

static void add_head(struct bytes *out, const struct sample *sample,
                     const struct sample_client *client, const struct stats_view *view)
{
    bytes_print(out, "%s", client->name);
    if (view->several) {
        bytes_print(out, " (%s)", sample->system);
    }
    bytes_print(out, client->machine ? ": " : ":");
    if (client->machine) {
        states_add(out, client->state, view->colour);
    }
    bytes_print(out, "\n");
}

void stats_text(struct bytes *out, const struct sample *sample, const struct sample *before,
                const struct stats_view *view)
{
    struct amounts amounts;

    for (size_t i = 0; i < sample->client_count; i++) {
        const struct sample_client *client = &sample->clients[i];
        bool any = false;

        for (size_t j = 0; j < sample->count; j++) {
            const struct counter_set *set = &sample->sets[j];

            if (set->client != client->number || !sample_is_of(sample, set, view->name)) {
                continue;
            }
            if (!any) {
                add_head(out, sample, client, view);
            }
            any = true;
            if (find_amounts(&amounts, sample, before, set)) {
                add_set(out, sample, &amounts);
            }
        }
    }
}

/* ---- JSON ---- */

static void add_json_words(struct bytes *out, const struct counter_set *set)
{
    bool in_array = false;

    for (uint32_t i = 0; i < set->have; i++) {
        const struct stats_field *field = stats_field(set->kind, i);
        bool is_class = i > 0 && strcmp(stats_field(set->kind, i - 1)->name, field->name) == 0;

        in_array = is_class || (i + 1 < stats_words(set->kind) &&
                                strcmp(stats_field(set->kind, i + 1)->name, field->name) == 0);
        if (is_class) {
            bytes_print(out, ", %" PRIu64, set->word[i]);
        } else {
            bytes_print(out, ", \"%s%s\": %s%" PRIu64, field->name,
                        field->unit == STATS_TIME || field->unit == STATS_RUNNING ? "_ns" : "",
                        in_array ? "[" : "", set->word[i]);
        }
    }
    bytes_print(out, in_array ? "]}\n" : "}\n");
}

void stats_json(struct bytes *out, const struct sample *sample, const struct stats_view *view)
{
    for (size_t i = 0; i < sample->count; i++) {
        const struct counter_set *set = &sample->sets[i];

        if (!sample_is_of(sample, set, view->name)) {
            continue;
        }
        const char *name = sample_client(sample, set->client)->name;
        bytes_print(out, "{\"system\": \"%s\", \"kind\": \"%s\", \"name\": ", sample->system,
                    counter_kind(set->kind));
        bytes_add_json(out, name, strlen(name));
        if (set->kind != STATS_MACHINE) {
            bytes_print(out, ", \"number\": %u", set->number);
        }
        if (set->kind == STATS_PORT) {
            const char *its_switch = sample_client(sample, set->of_switch)->name;

            bytes_print(out, ", \"switch\": ");
            bytes_add_json(out, its_switch, strlen(its_switch));
        }
        bytes_print(out, ", \"board_ns\": %" PRIu64, set->time);
        add_json_words(out, set);
    }
}
