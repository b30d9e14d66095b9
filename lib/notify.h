/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A notification that goes out together with the PD's next wait, which saves a system call.
 *
 * Microkit keeps one deferred call, and calls `notified` several times before it waits if several
 * channels have been notified: a second deferred call would take the place of the first.
 *
 * An entry point that answers a fault or a call with something deferred must not: Microkit 2.0.1
 * sends nothing else with an answer, and keeps it for the next wait without one.
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
