/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a person asks of this machine, whatever its guest does: by keys of the console, or by the
 * control channel (docs/control.md). It comes as a word from the console multiplexer
 * (lib/console_state.h), which has that power over every machine.
 */

/* Call once. What the word says before is no command. */
void command_init(void);

/* The console multiplexer has notified: do what is new. */
void command_check(void);

/* The machine stops or restarts, for whatever reason: it needs not be powered off any more. */
void command_reset(void);

/* The timer driver has notified: a guest that was asked to stop may have had its time. */
void command_timer_expired(void);
