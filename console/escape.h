/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a terminal would make of a client's bytes (ECMA-48, and xterm's control sequences), as far
 * as it must be known to keep one client from disturbing the view of another.
 */

#include <stdbool.h>
#include <stdint.h>

#define ESCAPE_PARAMETERS_MAX 24u
#define ESCAPE_OUT_MAX        (ESCAPE_PARAMETERS_MAX + 3u)

struct escape {
    uint8_t state;
    uint8_t length;
    bool alternate;  /* the client has switched to the alternate screen */
    uint16_t column; /* at least so many columns lie between the line's start and the cursor */
    char parameters[ESCAPE_PARAMETERS_MAX];
};

/* As after power-on. */
void escape_init(struct escape *escape);

/*
 * Follow one byte. What may be shown among the lines of others goes to `out` (up to ESCAPE_OUT_MAX
 * bytes); returns how many bytes that is. Text, tab, colours, erasure to the right and backspace as
 * far as the line's start pass; cursor movement, modes, queries and titles do not, nor do CR and
 * LF, which are the caller's. A line feed ends any sequence.
 */
uint32_t escape_filter(struct escape *escape, uint8_t byte, char *out);
