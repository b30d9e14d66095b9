/* SPDX-License-Identifier: BSD-2-Clause */

#include "escape.h"

#include <string.h>

#define BEL 0x07u
#define BS  0x08u
#define HT  0x09u
#define LF  0x0au
#define CR  0x0du
#define CAN 0x18u
#define SUB 0x1au
#define ESC 0x1bu
#define DEL 0x7fu

enum {
    GROUND = 0,
    ESCAPED,    /* behind ESC */
    SEQUENCE,   /* behind ESC [ : parameters, intermediates, and a final byte */
    STRING,     /* behind ESC ] and the like: until BEL or ESC \ */
    STRING_END, /* behind ESC in a string */
};

void escape_init(struct escape *escape)
{
    memset(escape, 0, sizeof(*escape));
}

static uint32_t ground(struct escape *escape, uint8_t byte, char *out)
{
    if (byte == ESC) {
        escape->state = ESCAPED;
        return 0;
    }
    if (byte == BS) {
        /* Not over what stands before the line: a client must not pass for another. */
        if (escape->column == 0) {
            return 0;
        }
        escape->column--;
    } else if ((byte >= ' ' && byte < DEL) || byte == HT) {
        if (escape->column < UINT16_MAX) {
            escape->column++;
        }
    } else if (byte <= DEL) {
        return 0;
    }
    /* A byte above DEL is part of a character of unknown width, and counts as none. */
    out[0] = (char)byte;
    return 1;
}

static void escaped(struct escape *escape, uint8_t byte)
{
    switch (byte) {
    case '[':
        escape->state = SEQUENCE;
        escape->length = 0;
        return;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        escape->state = STRING;
        return;
    default:
        /* Intermediate bytes are followed by more. */
        if (byte < ' ' || byte > '/') {
            escape->state = GROUND;
        }
    }
}

static bool parameters_are(const struct escape *escape, const char *text)
{
    return escape->length == strlen(text) && memcmp(escape->parameters, text, escape->length) == 0;
}

/* Only digits, semicolons and colons: no private mark, no intermediate byte. */
static bool parameters_are_plain(const struct escape *escape)
{
    for (uint32_t i = 0; i < escape->length; i++) {
        if (escape->parameters[i] < '0' || escape->parameters[i] > ';') {
            return false;
        }
    }
    return true;
}

static uint32_t finish(struct escape *escape, uint8_t last, char *out)
{
    bool passes = false;

    escape->state = GROUND;
    if (escape->length > ESCAPE_PARAMETERS_MAX) {
        return 0;
    }
    if (last == 'h' || last == 'l') {
        if (parameters_are(escape, "?1049") || parameters_are(escape, "?1047") ||
            parameters_are(escape, "?47")) {
            escape->alternate = last == 'h';
        }
    } else if (last == 'm') {
        passes = parameters_are_plain(escape);
    } else if (last == 'K' || last == 'J') {
        passes = parameters_are(escape, "") || parameters_are(escape, "0");
    }
    if (!passes) {
        return 0;
    }
    out[0] = ESC;
    out[1] = '[';
    memcpy(out + 2, escape->parameters, escape->length);
    out[2 + escape->length] = (char)last;
    return escape->length + 3u;
}

static uint32_t sequence(struct escape *escape, uint8_t byte, char *out)
{
    if (byte >= '@' && byte <= '~') {
        return finish(escape, byte, out);
    }
    if (byte >= ' ' && byte <= '?') {
        if (escape->length < ESCAPE_PARAMETERS_MAX) {
            escape->parameters[escape->length] = (char)byte;
        }
        if (escape->length <= ESCAPE_PARAMETERS_MAX) {
            escape->length++; /* one more than fits: too long */
        }
    }
    return 0;
}

uint32_t escape_filter(struct escape *escape, uint8_t byte, char *out)
{
    if (byte == LF || byte == CAN || byte == SUB) {
        escape->state = GROUND;
        escape->column = byte == LF ? 0 : escape->column;
        return 0;
    }
    if (byte == CR) {
        escape->column = 0;
        return 0;
    }
    switch (escape->state) {
    case ESCAPED:
        if (byte != ESC) {
            escaped(escape, byte);
        }
        return 0;
    case SEQUENCE:
        if (byte == ESC) {
            escape->state = ESCAPED;
            return 0;
        }
        return sequence(escape, byte, out);
    case STRING:
        if (byte == BEL) {
            escape->state = GROUND;
        } else if (byte == ESC) {
            escape->state = STRING_END;
        }
        return 0;
    case STRING_END:
        escape->state = byte == '\\' ? GROUND : STRING;
        return 0;
    default:
        return ground(escape, byte, out);
    }
}
