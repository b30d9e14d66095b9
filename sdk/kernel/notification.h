/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Notifications: a word of pending channels per PD. Raising a pending one again changes nothing. */

#include "thread.h"

/*
 * Raise a channel of `thread`. Returns it if that wakes it: the caller makes it ready (sched.h);
 * its registers hold what it has received.
 */
static inline struct thread *notification_raise(struct thread *thread, unsigned channel)
{
    thread->pending |= 1ul << channel;
    if (thread->state != THREAD_RECEIVING) {
        return NULL;
    }
    thread->regs.x0 = thread->pending;
    thread->regs.x1 = 0;
    thread->pending = 0;
    if (thread->sc == NULL) {
        thread->sc = &thread->own; /* a passive PD */
    }
    return thread;
}
