/* SPDX-License-Identifier: BSD-2-Clause */

#include "counters.h"

#include "config.h"
#include "lib/control.h"
#include "lib/cpu.h"
#include "lib/stats.h"

#define LEB128_MAX 10u /* bytes of 64 bits */

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

static uint64_t in_units(const struct console_set *set, uint32_t number, uint64_t now)
{
    uint64_t word = __atomic_load_n(&set->words[number], __ATOMIC_RELAXED);

    switch (stats_field(set->kind, number)->unit) {
    case STATS_TIME:
        return control_nanoseconds(word, cpu_counter_frequency());
    case STATS_RUNNING:
        return control_nanoseconds(stats_running(word, now), cpu_counter_frequency());
    default:
        return word;
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
    uint64_t now = cpu_counter();

    at = control_put(at, control_nanoseconds(now, cpu_counter_frequency()), 8);
    for (uint32_t i = first; i < words && at + LEB128_MAX <= end; i++) {
        at = put_leb128(at, in_units(its, i, now));
    }
    return at;
}
