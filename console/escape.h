/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a terminal would make of a client's bytes (ECMA-48, and xterm's control sequences), as far
 * as it must be known to keep one client from disturbing the view of another. The terminal is one
 * that reads UTF-8 and has ESCAPE_TERMINAL_COLUMNS columns at least.
 */

#include <stdbool.h>
#include <stdint.h>

#define ESCAPE_PARAMETERS_MAX   24u
#define ESCAPE_OUT_MAX          (ESCAPE_PARAMETERS_MAX + 3u)
#define ESCAPE_CHARACTER_MAX    4u /* bytes in UTF-8 */
#define ESCAPE_TERMINAL_COLUMNS 40u
#define ESCAPE_PREFIX_COLUMNS   26u /* what stands in front of a line, at most */

struct escape {
    uint8_t state;
    uint8_t length;
    bool alternate;  /* the client has switched to the alternate screen */
    bool printed;    /* the last thing was a character, behind which the cursor may be waiting */
    uint8_t partial; /* bytes of a character that is not complete */
    uint16_t column; /* so many columns lie between the line's start and the cursor, or more, */
    uint16_t lost;   /* but for these, which the right edge may have swallowed, */
    uint16_t edge;   /* the last where `column` was this */
    uint16_t reach;  /* at most so many have been written */
    char character[ESCAPE_CHARACTER_MAX];
    char parameters[ESCAPE_PARAMETERS_MAX];
};

/* As after power-on. */
void escape_init(struct escape *escape);

/* The cursor stands behind a new prefix. */
void escape_start_line(struct escape *escape);

/*
 * Follow one byte. What may be shown among the lines of others goes to `out` (up to ESCAPE_OUT_MAX
 * bytes); returns how many bytes that is: no more in all than have been followed. Whole characters,
 * tab, colours, erasure to the right and backspace as far as the line's start pass; control
 * characters in either form, cursor movement, modes, queries and titles do not, nor do CR and LF,
 * which are the caller's. What is no UTF-8 becomes a question mark. A line feed ends any sequence.
 */
uint32_t escape_filter(struct escape *escape, uint8_t byte, char *out);
