/* SPDX-License-Identifier: BSD-2-Clause */

#include "counters.h"

#include <string.h>
#include "config.h"
#include "lib/control.h"
#include "lib/cpu.h"
#include "lib/stats.h"

#define LEB128_MAX 10u /* bytes of 64 bits */

/* How often a word that changes while it is read is read again. A hostile monitor never stops. */
#define READS 4u

/* What the host was told of words that say what lasts: it is not told less later. */
static uint64_t told[CONSOLE_MAX_CLIENTS][STATS_MACHINE_WORDS];

void counters_init(void)
{
    memset(told, 0, sizeof(told));
}

uint8_t *counters_list(uint8_t *at, const uint8_t *end, uint32_t first)
{
    for (uint32_t i = first; i < console_config.set_count && at + CONTROL_SET_SIZE <= end; i++) {
        const struct console_set *set = &console_config.sets[i];

        at = control_put(at, i, 2);
        at = control_put(at, set->kind, 1);
        at = control_put(at, set->client, 1);
        at = control_put(at, set->number, 1);
        at = control_put(at, set->of_switch, 1);
        at = control_put(at, stats_words(set->kind), 1);
    }
    return at;
}

bool counters_has(uint32_t set, uint32_t word)
{
    return set < console_config.set_count && word < stats_words(console_config.sets[set].kind);
}

/*
 * Ticks that a STATS_RUNNING says now. The monitor takes the time before it writes the word, and
 * may run on another core, or have been preempted in between. So it can seem that something begins
 * later than now, or has ended sooner than it was said to last.
 */
static uint64_t running(const uint64_t *word, uint64_t *least)
{
    uint64_t before, ticks;
    uint32_t reads = 0;

    do {
        before = __atomic_load_n(word, __ATOMIC_ACQUIRE);
        ticks = stats_running(before, cpu_counter());
    } while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != before && ++reads < READS);
    if (ticks > *least && ticks <= STATS_RUNNING_MAX) {
        *least = ticks;
    }
    return *least;
}

static uint64_t in_units(const struct console_set *set, uint32_t number)
{
    const uint64_t *word = &set->words[number];

    switch (stats_field(set->kind, number)->unit) {
    case STATS_TIME:
        return control_nanoseconds(__atomic_load_n(word, __ATOMIC_RELAXED),
                                   cpu_counter_frequency());
    case STATS_RUNNING:
        return control_nanoseconds(running(word, &told[set->client][number]),
                                   cpu_counter_frequency());
    default:
        return __atomic_load_n(word, __ATOMIC_RELAXED);
    }
}

static uint8_t *put_leb128(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *at++ = (uint8_t)(value | 0x80);
    }
    *at++ = (uint8_t)value;
    return at;
}

uint8_t *counters_put(uint8_t *at, const uint8_t *end, uint32_t set, uint32_t first)
{
    const struct console_set *its = &console_config.sets[set];
    uint32_t words = stats_words(its->kind);

    at = control_put(at, control_nanoseconds(cpu_counter(), cpu_counter_frequency()), 8);
    for (uint32_t i = first; i < words && at + LEB128_MAX <= end; i++) {
        at = put_leb128(at, in_units(its, i));
    }
    return at;
}
