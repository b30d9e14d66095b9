/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a monitor and the console multiplexer tell each other besides bytes: words (uint32_t) in the
 * header pages of their rings.
 */

/*
 * In the ring monitor -> console: how the machine is. The monitor alone writes it, and notifies.
 * Another value than these says nothing.
 */
#define CONSOLE_STATE_OFFSET 2048u

enum console_state {
    CONSOLE_UNTOLD = 0,
    CONSOLE_RUNNING,  /* or on the way to it */
    CONSOLE_OFF,      /* not started yet, or powered off */
    CONSOLE_STOPPED,  /* the monitor has stopped it, because it could not go on */
    CONSOLE_PANICKED, /* its kernel says that it has (vmm/panic.h) */
    CONSOLE_PAUSED,
};

/*
 * In the ring console -> monitor: what is to become of the machine. The lowest byte is a verb (enum
 * control_verb, lib/control.h), and the others count the commands, so that two alike are two. The
 * console writes it, and notifies. Of several commands that come before the monitor looks, the last
 * one counts.
 */
#define CONSOLE_COMMAND_OFFSET 2048u

/* There, too: the size of the machine's terminal, columns << 16 | rows; 0: not known. */
#define CONSOLE_SIZE_OFFSET 2052u
