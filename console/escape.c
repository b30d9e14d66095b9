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

/* Control characters of 8 bits (ECMA-48, 5.3): as characters, U+0080 to U+009F. */
#define C1_LAST 0x9fu
#define DCS     0x90u
#define SOS     0x98u
#define CSI     0x9bu
#define OSC     0x9du
#define PM      0x9eu
#define APC     0x9fu

/* Characters that break a line or turn its order around. */
#define LINE_SEPARATOR         0x2028u
#define RIGHT_TO_LEFT_OVERRIDE 0x202eu /* the last of LINE_SEPARATOR and the embeddings */
#define ISOLATE_FIRST          0x2066u
#define ISOLATE_LAST           0x2069u

#define BAD_CHARACTER '?'

enum {
    GROUND = 0,
    ESCAPED,  /* behind ESC */
    SEQUENCE, /* behind CSI: parameters, intermediates, and a final byte */
    STRING,   /* behind OSC and the like: until BEL or ST */
};

void escape_init(struct escape *escape)
{
    memset(escape, 0, sizeof(*escape));
}

void escape_start_line(struct escape *escape)
{
    escape->printed = false;
    escape->column = 0;
    escape->lost = 0;
    escape->edge = 0;
    escape->reach = 0;
}

/* ---- Where the cursor is ---- */

/*
 * Deferred wrap: when the last column has been written the cursor waits there, until another
 * character moves it to the next row. A control character instead acts from the last column, so the
 * step counted for the last character did not happen. The console does not know which column is the
 * last, but it is always the same. So a step can have been lost only if it led beyond the column of
 * the lost step before (`edge`): each such column counts one lost step, those at or below it none.
 */
static void leave_edge(struct escape *escape)
{
    if (escape->printed && escape->column > escape->edge &&
        escape->reach >= ESCAPE_TERMINAL_COLUMNS - ESCAPE_PREFIX_COLUMNS) {
        escape->edge = escape->column;
        escape->lost++;
    }
    escape->printed = false;
}

/* Count a character of `least` to `most` columns that has been written. */
static void count_character(struct escape *escape, uint16_t least, uint16_t most)
{
    if (escape->reach > UINT16_MAX - most) {
        return; /* a raw view has no lines */
    }
    escape->column = (uint16_t)(escape->column + least);
    escape->reach = (uint16_t)(escape->reach + most);
    escape->printed = true;
}

/* ---- Bytes of 7 bits ---- */

static uint32_t control(struct escape *escape, uint8_t byte, char *out)
{
    if (byte != BS && byte != HT) {
        return 0;
    }
    leave_edge(escape);
    if (byte == HT) {
        count_character(escape, 0, 8); /* at the edge it does not move at all */
        escape->printed = false;
    } else if (escape->column <= escape->lost) {
        return 0; /* not into the prefix: a client must not pass for another */
    } else {
        escape->column--;
    }
    out[0] = (char)byte;
    return 1;
}

static uint32_t ground(struct escape *escape, uint8_t byte, char *out)
{
    if (byte == ESC) {
        escape->state = ESCAPED;
        return 0;
    }
    if (byte < ' ' || byte == DEL) {
        return control(escape, byte, out);
    }
    count_character(escape, 1, 1);
    out[0] = (char)byte;
    return 1;
}

static void begin_sequence(struct escape *escape)
{
    escape->state = SEQUENCE;
    escape->length = 0;
}

static void escaped(struct escape *escape, uint8_t byte)
{
    switch (byte) {
    case '[':
        begin_sequence(escape);
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

/* Whether there are only digits, semicolons and colons: no private mark, no intermediate byte. */
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
    } else if (last == 'K') {
        passes = parameters_are(escape, "") || parameters_are(escape, "0");
    }
    if (!passes) {
        return 0;
    }
    if (last == 'K') {
        leave_edge(escape);
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

static uint32_t ascii(struct escape *escape, uint8_t byte, char *out)
{
    if (byte == LF || byte == CAN || byte == SUB) {
        escape->state = GROUND;
        if (byte == LF) {
            escape_start_line(escape);
        }
        return 0;
    }
    if (byte == CR) {
        escape_start_line(escape);
        return 0;
    }
    if (escape->state == GROUND) {
        return ground(escape, byte, out);
    }
    if (byte == ESC) {
        escape->state = ESCAPED; /* it ends whatever it stands in */
        return 0;
    }
    switch (escape->state) {
    case ESCAPED:
        escaped(escape, byte);
        return 0;
    case SEQUENCE:
        return sequence(escape, byte, out);
    default:
        if (byte == BEL) {
            escape->state = GROUND;
        }
        return 0;
    }
}

/* ---- Characters of more than one byte ---- */

static void control_of_8_bits(struct escape *escape, uint32_t character)
{
    switch (character) {
    case CSI:
        begin_sequence(escape);
        return;
    case DCS:
    case SOS:
    case OSC:
    case PM:
    case APC:
        escape->state = STRING;
        return;
    default:
        escape->state = GROUND; /* ST, too */
    }
}

/* The length of a character that begins with this byte (Unicode, table 3-7); 0: none does. */
static uint32_t character_length(uint8_t first)
{
    if (first >= 0xc2 && first <= 0xdf) {
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        return 3;
    }
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/*
 * Whether a byte may come next. After some first bytes only some second bytes are valid: others
 * would be an overlong encoding, a surrogate, or more than U+10FFFF.
 */
static bool continues(const struct escape *escape, uint8_t byte)
{
    uint8_t least = 0x80;
    uint8_t most = 0xbf;

    if (escape->partial == 1) {
        switch ((uint8_t)escape->character[0]) {
        case 0xe0:
            least = 0xa0;
            break;
        case 0xed:
            most = 0x9f;
            break;
        case 0xf0:
            least = 0x90;
            break;
        case 0xf4:
            most = 0x8f;
            break;
        default:
            break;
        }
    }
    return byte >= least && byte <= most;
}

static uint32_t code_of(const char *bytes, uint32_t length)
{
    uint32_t code = (uint8_t)bytes[0] & (0x7fu >> length);

    for (uint32_t i = 1; i < length; i++) {
        code = code << 6 | ((uint8_t)bytes[i] & 0x3fu);
    }
    return code;
}

/* A character is complete. */
static uint32_t character(struct escape *escape, uint32_t length, char *out)
{
    uint32_t code = code_of(escape->character, length);

    escape->partial = 0;
    if (code <= C1_LAST) {
        control_of_8_bits(escape, code);
        return 0;
    }
    if (escape->state == ESCAPED) {
        escape->state = GROUND;
        return 0;
    }
    if (escape->state != GROUND || (code >= LINE_SEPARATOR && code <= RIGHT_TO_LEFT_OVERRIDE) ||
        (code >= ISOLATE_FIRST && code <= ISOLATE_LAST)) {
        return 0;
    }
    count_character(escape, 0, 2); /* of unknown width */
    memcpy(out, escape->character, length);
    return length;
}

/* Something that is no character. */
static uint32_t bad_character(struct escape *escape, char *out)
{
    escape->partial = 0;
    return escape->state == GROUND ? ground(escape, BAD_CHARACTER, out) : 0;
}

/* Write a character as a whole, so that no terminal takes what follows for its end. */
uint32_t escape_filter(struct escape *escape, uint8_t byte, char *out)
{
    uint32_t count = 0;

    if (escape->partial > 0) {
        if (continues(escape, byte)) {
            uint32_t length = character_length((uint8_t)escape->character[0]);

            escape->character[escape->partial++] = (char)byte;
            return escape->partial < length ? 0 : character(escape, length, out);
        }
        count = bad_character(escape, out);
    }
    if (byte <= DEL) {
        return count + ascii(escape, byte, out + count);
    }
    if (character_length(byte) != 0) {
        escape->character[0] = (char)byte;
        escape->partial = 1;
        return count;
    }
    return count + bad_character(escape, out + count);
}
