/* SPDX-License-Identifier: BSD-2-Clause */

#include "passive.h"

#define TO_INNER 3

void init(void)
{
    shared->init_order = shared->init_order << 8 | 's';
}

void notified(microkit_channel ch)
{
    (void)ch;
    shared->server_notified++;
    /* On its own time it may call, too. */
    microkit_mr_set(0, 0);
    microkit_ppcall(TO_INNER, microkit_msginfo_new(0, 1));
}

/* As in sched.h: count the time that this PD has had. */
static void work(void)
{
    uint64_t last = now();
    uint64_t had = 0;

    while (shared->work) {
        uint64_t time = now();

        if (time - last < 62 * 5) {
            had += time - last;
        }
        last = time;
        shared->work_time = microseconds(had);
    }
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo info)
{
    (void)info;
    switch (microkit_mr_get(0)) {
    case SERVE_ADD:
        microkit_mr_set(0, microkit_mr_get(1) + microkit_mr_get(2) + ch);
        return microkit_msginfo_new(0, 1);
    case SERVE_NEST:
        microkit_mr_set(0, 1000);
        return microkit_ppcall(TO_INNER, microkit_msginfo_new(0, 1));
    default:
        work();
        return microkit_msginfo_new(9, 0);
    }
}
