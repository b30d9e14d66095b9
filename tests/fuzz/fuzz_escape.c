/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: console/escape.c
 *
 * A line of a client's on a terminal of some width, behind a prefix of some length, which a wide
 * and a narrow terminal show differently. Whatever the client says: only whole characters, tabs,
 * backspaces, colours and erasure to the right pass, and none of them is written over the prefix.
 */

#include <stdlib.h>
#include <string.h>
#include "console/escape.h"
#include "input.h"

static struct {
    uint32_t width;
    uint32_t row, column;
    bool waits; /* in the last column, with that written */
} terminal;

static uint32_t prefix;

/* A cell is written, or erased from. */
static void touch(void)
{
    if (terminal.row == 0 && terminal.column < prefix) {
        abort();
    }
}

static void write_cell(void)
{
    if (terminal.waits) {
        terminal.row++;
        terminal.column = 0;
        terminal.waits = false;
    }
    touch();
    terminal.waits = terminal.column == terminal.width - 1;
    terminal.column += !terminal.waits;
}

/* Its width is the terminal's affair: none, one column or two. */
static const uint8_t *character(const uint8_t *at, const uint8_t *end, uint32_t width)
{
    uint32_t length = *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    uint32_t code = *at & (0x7fu >> length);

    if (*at < 0xc2 || *at > 0xf4 || (size_t)(end - at) < length) {
        abort();
    }
    for (uint32_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            abort();
        }
        code = code << 6 | (at[i] & 0x3fu);
    }
    if (code < 0xa0 || (length == 3 && code < 0x800) || (length == 4 && code < 0x10000) ||
        code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        abort();
    }
    if (width == 2 && !terminal.waits && terminal.column == terminal.width - 1) {
        terminal.waits = true; /* there is no room for it in this row */
    }
    for (uint32_t i = 0; i < width; i++) {
        write_cell();
    }
    return at + length;
}

static const uint8_t *sequence(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 3 || at[1] != '[') {
        abort();
    }
    for (at += 2; at < end && *at >= '0' && *at <= ';'; at++) {
    }
    if (at == end || (*at != 'm' && *at != 'K')) {
        abort();
    }
    if (*at == 'K') {
        terminal.waits = false;
        touch();
    }
    return at + 1;
}

static void show(const uint8_t *at, const uint8_t *end, uint32_t width)
{
    while (at < end) {
        if (*at == 0x1b) {
            at = sequence(at, end);
        } else if (*at >= 0x80) {
            at = character(at, end, width);
        } else if (*at == '\b') {
            terminal.column -= terminal.column > 0;
            terminal.waits = false;
            at++;
        } else if (*at == '\t') {
            terminal.column = (terminal.column / 8 + 1) * 8;
            terminal.column =
                terminal.column < terminal.width ? terminal.column : terminal.width - 1;
            terminal.waits = false;
            at++;
        } else if (*at >= ' ' && *at < 0x7f) {
            write_cell();
            at++;
        } else {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct escape escape;
    uint32_t passed = 0, followed = 0;
    uint32_t character_width = (uint32_t)take(&input, 1) % 3;

    memset(&terminal, 0, sizeof(terminal));
    terminal.width = ESCAPE_TERMINAL_COLUMNS + (uint32_t)take(&input, 1) % 100;
    prefix = 3 + (uint32_t)take(&input, 1) % (ESCAPE_PREFIX_COLUMNS - 2);
    terminal.column = prefix;
    escape_init(&escape);
    while (input.left > 0) {
        char out[ESCAPE_OUT_MAX];
        uint8_t byte = (uint8_t)take(&input, 1);
        uint32_t count = escape_filter(&escape, byte, out);

        if (byte == '\n' || byte == '\r') { /* its next line is behind another prefix */
            terminal.row = 0;
            terminal.column = prefix;
            terminal.waits = false;
        }
        passed += count;
        if (count > ESCAPE_OUT_MAX || passed > ++followed) {
            abort();
        }
        show((const uint8_t *)out, (const uint8_t *)out + count, character_width);
    }
    return 0;
}
