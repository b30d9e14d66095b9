/* SPDX-License-Identifier: BSD-2-Clause */

#include "stats.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NAMED(member, unit, text) {#member, text, unit},

static const struct stats_field machine[] = {STATS_MACHINE_FIELDS(NAMED)};
static const struct stats_field port[] = {STATS_PORT_FIELDS(NAMED)};
static const struct stats_field disk[] = {STATS_DISK_FIELDS(NAMED)};
static const struct stats_field latency = {"latency", "requests by their time in flight",
                                           STATS_COUNT};

static const struct {
    const struct stats_field *fields;
    uint32_t named;
    uint32_t words;
} kinds[STATS_KINDS] = {
    [STATS_MACHINE] = {machine, COUNT(machine), STATS_MACHINE_WORDS},
    [STATS_PORT] = {port, COUNT(port), STATS_PORT_WORDS},
    [STATS_DISK] = {disk, COUNT(disk), STATS_DISK_WORDS},
};

uint32_t stats_words(unsigned kind)
{
    return kind < STATS_KINDS ? kinds[kind].words : 0;
}

const struct stats_field *stats_field(unsigned kind, uint32_t word)
{
    if (word >= stats_words(kind)) {
        return NULL;
    }
    return word < kinds[kind].named ? &kinds[kind].fields[word] : &latency;
}

uint64_t stats_latency_bound(uint32_t class)
{
    uint32_t power = class / 2;

    if (class >= STATS_LATENCIES - 1) {
        return 0;
    }
    if (class < 2) {
        return class + 1;
    }
    return (class % 2 == 0 ? 3ull : 4ull) << (power - 1);
}
