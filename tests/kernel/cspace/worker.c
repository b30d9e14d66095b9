/* SPDX-License-Identifier: BSD-2-Clause */

/* Computes: a and b without end, and so does capped. */

#include "cspace.h"

struct shared *shared;

void init(void)
{
    unsigned who = microkit_name[0] == 'b';

    if (microkit_name[0] == 'c') {
        for (;;) {
            __asm__ volatile("");
        }
    }
    for (;;) {
        shared->work[who]++;
    }
}

void notified(microkit_channel ch)
{
    (void)ch;
}
