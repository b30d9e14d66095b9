/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Watches over a device's interrupt, which the device alone raises. If it does so again and again
 * for nothing, it would keep its driver at work, whose priority is higher than that of all
 * machines. The driver then stops acknowledging it.
 *
 * Some interrupts for nothing are in order: what they were for has been found before. And whatever
 * comes now and then only, like a timer's second, does no harm.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/cpu.h"

/* So many for nothing, each within such a part of a second after the last one. */
#define INTERRUPT_WATCH_MAX  1000u
#define INTERRUPT_WATCH_PART 10u

/* All zero at first. */
struct interrupt_watch {
    uint64_t last; /* when one came: cpu_counter() */
    uint32_t idle;
};

/*
 * An interrupt has come. `useful`: since the last one the device has finished something. Returns
 * true once, when there have been too many.
 */
static inline bool interrupt_watch_ends(struct interrupt_watch *watch, bool useful)
{
    uint64_t now = cpu_counter();
    bool soon = now - watch->last <= cpu_counter_frequency() / INTERRUPT_WATCH_PART;

    watch->last = now;
    if (useful || !soon) {
        watch->idle = 0;
    }
    watch->idle += useful ? 0 : 1;
    return watch->idle == INTERRUPT_WATCH_MAX;
}
