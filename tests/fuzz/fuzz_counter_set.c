/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: tools/braid/counter_set.c tools/braid/figures.c tools/braid/bytes.c lib/stats.c
 *
 * A set of counters, and the answers with its words, from a board that says whatever it likes.
 */

#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/control.h"
#include "tools/braid/counter_set.h"
#include "tools/braid/figures.h"

/* Memory of that length and not more, so that reading behind it is noticed. */
static uint8_t *copy(struct input *input, size_t length)
{
    uint8_t *bytes = malloc(length == 0 ? 1 : length);

    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)take(input, 1);
    }
    return bytes;
}

static void check(const struct counter_set *set)
{
    uint32_t wanted = counter_set_wanted(set);

    if (wanted > COUNTER_WORDS_MAX || set->have > wanted) {
        abort();
    }
    for (uint32_t i = set->have; i < COUNTER_WORDS_MAX; i++) {
        if (set->word[i] != 0) {
            abort();
        }
    }
}

/* Any word is written somehow, and the part of the fastest 99 % is one of the classes, or none. */
static void show(const struct counter_set *set)
{
    struct bytes text = {0};
    struct stats_disk disk;

    memcpy(&disk, set->word, sizeof(disk));
    int class = figures_99(disk.latency);
    if (class < -1 || class >= (int)STATS_LATENCIES ||
        (class < 0) != (figures_sum(disk.latency, STATS_LATENCIES) == 0)) {
        abort();
    }
    for (uint32_t i = 0; i < COUNTER_WORDS_MAX; i++) {
        text.count = 0;
        figures_short(&text, (double)set->word[i]);
        if (text.count > 5) {
            abort();
        }
        figures_scaled(&text, figures_rate(set->word[i], set->time), "B");
        figures_duration(&text, (double)set->word[i]);
    }
    bytes_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, size};
    struct counter_set set;
    bool going_on;

    uint8_t *entry = copy(&input, CONTROL_SET_SIZE);
    going_on = counter_set_name(&set, entry, (uint32_t)take(&input, 2));
    free(entry);
    check(&set);
    while (going_on && input.left > 0) {
        uint32_t had = set.have;
        size_t length = (size_t)take(&input, 1);
        uint8_t *answer = copy(&input, length);

        going_on = counter_set_add(&set, answer, length);
        free(answer);
        check(&set);
        /* One that is taken brings the end nearer. */
        if (going_on && had < counter_set_wanted(&set) && set.have == had) {
            abort();
        }
    }
    show(&set);
    return 0;
}
