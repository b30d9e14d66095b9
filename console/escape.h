/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The filter of control sequences (ECMA-48, and xterm's). It follows what a terminal would make of
 * a client's bytes, as far as is needed to keep one client from disturbing the view of another. The
 * terminal is assumed to read UTF-8 and to have at least ESCAPE_TERMINAL_COLUMNS columns.
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
    bool printed;    /* the last byte ended a character: the wrap may be deferred */
    uint8_t partial; /* bytes of a character that is not complete */
    uint16_t column; /* at least this many columns lie between the line's start and the cursor, */
    uint16_t lost;   /* minus these, which the right edge may have swallowed, */
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
 * Follow one byte. Bytes that may be shown among the lines of others go to `out`, up to
 * ESCAPE_OUT_MAX; returns how many. In all, no more bytes come out than have been followed.
 *
 * Passed: whole characters, tab, colours, erasure to the right, and backspace as far as the line's
 * start. Not passed: other control characters of 7 or 8 bits, cursor movement, modes, queries,
 * titles, and CR and LF, which the caller handles. What is no UTF-8 becomes a question mark. A line
 * feed ends any sequence.
 */
uint32_t escape_filter(struct escape *escape, uint8_t byte, char *out);
