/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A client's end of protocol.h, for one who is woken by the first of several deadlines. */

#include <microkit.h>
#include <stdint.h>
#include "protocol.h"

struct timer_client {
    microkit_channel channel; /* to the timer's driver */
    uint64_t deadline;        /* that the driver has; TIMER_NEVER: none */
};

static inline void timer_client_init(struct timer_client *timer, microkit_channel channel)
{
    timer->channel = channel;
    timer->deadline = TIMER_NEVER;
}

/* Be notified at `deadline`, in ticks of CNTPCT_EL0, unless that is earlier anyway. */
static inline void timer_client_ask(struct timer_client *timer, uint64_t deadline)
{
    if (deadline < timer->deadline) {
        timer->deadline = deadline;
        microkit_mr_set(0, deadline);
        microkit_ppcall(timer->channel, microkit_msginfo_new(TIMER_SET, 1));
    }
}

/* The driver has notified: it has no deadline any more. */
static inline void timer_client_notified(struct timer_client *timer)
{
    timer->deadline = TIMER_NEVER;
}
