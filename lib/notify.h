/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A notification that goes out together with the PD's next wait, which saves a system call.
 *
 * Microkit keeps one deferred call, and calls `notified` several times before it waits if several
 * channels have been notified: a second deferred call would take the place of the first.
 */

#include <microkit.h>

static inline void notify_at_end(microkit_channel channel)
{
    if (microkit_have_signal) {
        microkit_notify(channel);
    } else {
        microkit_deferred_notify(channel);
    }
}

/*
 * Send what is deferred. An entry point calls this before it answers a fault or a call: Microkit
 * 2.0.1 sends nothing else with an answer, but keeps it for the next wait without one.
 */
static inline void notify_before_answer(void)
{
    if (microkit_have_signal) {
        seL4_Send(microkit_signal_cap, microkit_signal_msg);
        microkit_have_signal = seL4_False;
    }
}
