/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Power over machines: what the person at the terminal or the host's program wants of one goes to
 * its monitor as a word (lib/console_state.h). Its monitor says by another word how the machine is.
 */

#include "client.h"
#include "lib/console_state.h"
#include "lib/control.h"

/* What the machine's monitor says of it, CONSOLE_UNTOLD .. CONSOLE_PAUSED. */
enum console_state power_state(const struct client *client);

/*
 * Ask the machine's monitor for `verb` (enum control_verb; any value). Returns CONTROL_OK,
 * CONTROL_UNKNOWN, or CONTROL_NOT_NOW if the machine's state does not allow it. The monitor does it
 * in its own time.
 */
enum control_status power_command(struct client *client, uint8_t verb);

/* Tell the machine the size of its terminal, in characters. */
void power_tell_size(struct client *client, uint32_t columns, uint32_t rows);
