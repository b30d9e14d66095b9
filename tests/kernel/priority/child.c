/* SPDX-License-Identifier: BSD-2-Clause */

#include "priority.h"

struct shared *shared;

#define TO_PARENT 0

void init(void)
{
}

void notified(microkit_channel ch)
{
    (void)ch;
    if (shared->fault) {
        __asm__ volatile("udf #1");
    }
    shared->order = shared->order << 8 | (uint8_t)microkit_name[0];
    microkit_notify(TO_PARENT);
}
