/* SPDX-License-Identifier: BSD-2-Clause */
#include "counter_set.h"

#include <string.h>
#include "lib/control.h"

#define TIME_SIZE 8u

bool leb128_read(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;

        if (shift == 63 && byte > 1) {
            return false;
        }
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return byte != 0 || shift == 0;
        }
    }
    return false;
}

bool counter_set_name(struct counter_set *set, const uint8_t *entry, uint32_t number)
{
    memset(set, 0, sizeof(*set));
    set->kind = entry[2];
    set->client = entry[3];
    set->number = entry[4];
    set->of_switch = entry[5];
    set->words = entry[6];
    return ((uint32_t)entry[0] | (uint32_t)entry[1] << 8) == number;
}

uint32_t counter_set_wanted(const struct counter_set *set)
{
    uint32_t known = stats_words(set->kind);

    return known < set->words ? known : set->words;
}

bool counter_set_add(struct counter_set *set, const uint8_t *data, size_t length)
{
    const uint8_t *end = data + length;
    const uint8_t *at = data + TIME_SIZE;
    uint32_t known = counter_set_wanted(set);
    uint32_t number = set->have;
    uint64_t value;

    if (length <= TIME_SIZE) {
        return false;
    }
    for (unsigned i = 0; i < TIME_SIZE && set->have == 0; i++) {
        set->time |= (uint64_t)data[i] << (8 * i);
    }
    for (; at < end; number++) {
        if (number >= set->words || !leb128_read(&at, end, &value)) {
            return false;
        }
        if (number < known) {
            set->word[number] = value;
            set->have = number + 1;
        }
    }
    return true;
}

bool counter_set_same(const struct counter_set *a, const struct counter_set *b)
{
    return a->kind == b->kind && a->client == b->client && a->number == b->number &&
           a->of_switch == b->of_switch;
}

size_t counter_cause(const struct stats_field *field)
{
    const char *cause = strchr(field->text, ':') == NULL ? NULL : strrchr(field->name, '_');

    return cause == NULL ? 0 : (size_t)(cause - field->name);
}

const char *counter_kind(unsigned kind)
{
    static const char *const names[STATS_KINDS] = {
        [STATS_MACHINE] = "machine", [STATS_PORT] = "port", [STATS_DISK] = "disk"};

    return names[kind];
}
