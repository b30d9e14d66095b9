/* SPDX-License-Identifier: BSD-2-Clause */

#include "api.h"

#define TO_HIGH 13
#define TO_LOW  14

void init(void)
{
    shared->after_init = shared->after_init << 8 | 'm';
}

void notified(microkit_channel ch)
{
    shared->middle_notified++;
    shared->middle_channels |= 1ull << ch;
}

static microkit_msginfo echo(microkit_msginfo info)
{
    uint64_t count = microkit_msginfo_get_count(info);

    for (uint64_t i = 0; i < count; i++) {
        microkit_mr_set((uint8_t)i, microkit_mr_get((uint8_t)i) + 1);
    }
    return microkit_msginfo_new(microkit_msginfo_get_label(info) + 1, (uint16_t)count);
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo info)
{
    uint64_t notified_before = shared->middle_notified;

    switch (microkit_mr_get(0)) {
    case CALL_COUNT:
        microkit_mr_set(0, microkit_msginfo_get_count(info));
        microkit_mr_set(1, ch);
        return microkit_msginfo_new(0, 2);
    case CALL_NEST:
        info = microkit_ppcall(TO_HIGH, microkit_msginfo_new(0, 1));
        microkit_mr_set(0, microkit_mr_get(0) + 1);
        return microkit_msginfo_new(microkit_msginfo_get_label(info), 1);
    case CALL_DEFER:
        microkit_deferred_notify(TO_LOW);
        microkit_mr_set(0, shared->middle_notified - notified_before);
        return microkit_msginfo_new(0, 1);
    default:
        return echo(info);
    }
}
