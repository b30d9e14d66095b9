/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One set of counters (lib/stats.h) as the board tells it by SETS and STATS of docs/control.md.
 * What is read here is the board's, and not trusted.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/stats.h"

#define COUNTER_WORDS_MAX STATS_DISK_WORDS /* the most that any kind has */

struct counter_set {
    uint8_t kind; /* enum stats_kind, or one that is not known here */
    uint8_t client, number;
    uint8_t of_switch;                /* a client, or CONTROL_NOBODY */
    uint32_t words;                   /* that the board has */
    uint32_t have;                    /* of these, those that were read and are known here */
    uint64_t time;                    /* of the board, when the first were read, in nanoseconds */
    uint64_t word[COUNTER_WORDS_MAX]; /* times in nanoseconds; 0 where the board has none */
};

/* One entry of an answer to SETS, CONTROL_SET_SIZE bytes. False: it is not of set `number`. */
bool counter_set_name(struct counter_set *set, const uint8_t *entry, uint32_t number);

/* How many of its words are to be read. Of a kind that is not known here, none. */
uint32_t counter_set_wanted(const struct counter_set *set);

/* The data of an answer to STATS, with the words from `have` on. False: it makes no sense. */
bool counter_set_add(struct counter_set *set, const uint8_t *data, size_t length);

/* Whether both count the same thing. */
bool counter_set_same(const struct counter_set *a, const struct counter_set *b);

/* "machine", "port", "disk"; the kind is one that is known here. */
const char *counter_kind(unsigned kind);

/*
 * The length of the name of what a field counts by causes: "exits_mmio" are the "exits" of the
 * cause "mmio". 0: it has no cause.
 */
size_t counter_cause(const struct stats_field *field);

/*
 * A LEB128 number at `*at`, which moves behind it. False: it does not end before `end`, is longer
 * than it needs to be, or is 2^64 or more.
 */
bool leb128_read(const uint8_t **at, const uint8_t *end, uint64_t *value);
