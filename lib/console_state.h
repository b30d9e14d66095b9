/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a monitor tells the console multiplexer of its machine: a word (uint32_t) in the header page
 * of the ring monitor -> console, which the monitor alone writes. The multiplexer's list shows it,
 * and nothing else depends on it. Another value than these says nothing.
 */

#define CONSOLE_STATE_OFFSET 2048u

enum console_state {
    CONSOLE_UNTOLD = 0,
    CONSOLE_RUNNING,  /* or on the way to it */
    CONSOLE_OFF,      /* not started yet, or powered off */
    CONSOLE_STOPPED,  /* the monitor has stopped it, because it could not go on */
    CONSOLE_PANICKED, /* its kernel says that it has (vmm/panic.h) */
};
