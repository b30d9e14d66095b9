/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The states of machines, in words, and in colour where somebody wants it. */

#include <stdbool.h>
#include <stdint.h>
#include "bytes.h"

#define STATES 6u /* enum console_state has so many */

/* "running"; "unknown" for what is no state. */
const char *states_name(uint8_t state);

/* Whether standard output may have colour: a terminal's, without NO_COLOR (https://no-color.org).
 */
bool states_colour_wanted(void);

/* Add a state's name, in its colour if `colour` is set. */
void states_add(struct bytes *text, const char *name, bool colour);
