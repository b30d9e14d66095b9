/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Notifications: a word of pending channels per PD. To raise a pending one changes nothing. */

#include "thread.h"

/*
 * Raise a channel of `thread`. Returns the thread if that wakes it: its registers hold the pending
 * channels then, and the caller makes it ready (sched.h). Returns NULL otherwise.
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
