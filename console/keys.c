/* SPDX-License-Identifier: BSD-2-Clause */

#include "keys.h"

#include "lib/control.h"

#define BS     0x08u
#define LF     0x0au
#define CR     0x0du
#define CTRL_B 0x02u
#define CTRL_C 0x03u
#define ESC    0x1bu
#define DEL    0x7fu

enum {
    PLAIN = 0,
    PREFIXED,
    NAMING,
    DOUBLED,    /* behind Ctrl-] Ctrl-]: the second one may be a hello's first byte */
    GREETED,    /* in a hello */
    SWALLOWING, /* in what was to be one */
};

/* The keys for power over a machine. */
static uint8_t verb_of(uint8_t byte)
{
    switch (byte) {
    case 'u':
        return CONTROL_START;
    case 'o':
        return CONTROL_STOP;
    case 'k':
        return CONTROL_KILL;
    case 'r':
        return CONTROL_RESTART;
    case 'p':
        return CONTROL_PAUSE;
    case 'g':
        return CONTROL_RESUME;
    default:
        return 0;
    }
}

static enum key other_command(struct keys *keys, uint8_t byte)
{
    keys->value = verb_of(byte);
    return keys->value != 0 ? KEY_POWER : KEY_UNKNOWN;
}

static enum key start_hello(struct keys *keys)
{
    keys->state = GREETED;
    control_hello_start(&keys->hello);
    control_hello_take(&keys->hello, KEYS_PREFIX);
    control_hello_take(&keys->hello, CTRL_B);
    return KEY_NOTHING;
}

static enum key command(struct keys *keys, uint8_t byte)
{
    keys->state = PLAIN;
    keys->value = byte;
    if (byte >= '0' && byte <= '9') {
        keys->value = (uint8_t)(byte - '0');
        return KEY_NUMBER;
    }
    switch (byte) {
    case KEYS_PREFIX:
        keys->state = DOUBLED;
        return KEY_BYTE;
    case 'a':
        return KEY_ALL;
    case 'c':
        return KEY_COLOUR;
    case 'l':
        return KEY_LIST;
    case 'n':
        keys->state = NAMING;
        keys->length = 0;
        keys->name[0] = '\0';
        return KEY_NAME;
    case 's':
        return KEY_STATISTICS;
    case CTRL_B:
        return start_hello(keys);
    case '?':
    case 'h':
        return KEY_HELP;
    default:
        return other_command(keys, byte);
    }
}

static enum key greeted(struct keys *keys, uint8_t byte)
{
    enum control_hello_state state = control_hello_take(&keys->hello, byte);

    if (state == CONTROL_HELLO_PART) {
        return KEY_NOTHING;
    }
    keys->state = PLAIN;
    if (state == CONTROL_HELLO_WHOLE) {
        return KEY_CONTROL;
    }
    if (byte == KEYS_PREFIX) {
        keys->state = PREFIXED;
    } else if (byte != CR && byte != LF && keys->hello.taken + 1u < CONTROL_HELLO_SIZE) {
        keys->state = SWALLOWING;
        keys->length = (uint8_t)(keys->hello.taken + 1);
    }
    return KEY_UNKNOWN;
}

/* The rest of a damaged hello has a token, which no machine is to see. A person has not typed so
 * much. */
static enum key swallowing(struct keys *keys, uint8_t byte)
{
    keys->length++;
    if (byte == KEYS_PREFIX) {
        keys->state = PREFIXED;
    } else if (byte == CR || byte == LF || keys->length >= CONTROL_HELLO_SIZE) {
        keys->state = PLAIN;
    }
    return KEY_NOTHING;
}

static enum key naming(struct keys *keys, uint8_t byte)
{
    switch (byte) {
    case CR:
    case LF:
        keys->state = PLAIN;
        return keys->length > 0 ? KEY_NAME_ENTERED : KEY_NAME_CANCELLED;
    case KEYS_PREFIX: /* a command begins */
        keys->state = PREFIXED;
        return KEY_NAME_CANCELLED;
    case ESC:
    case CTRL_C:
        keys->state = PLAIN;
        return KEY_NAME_CANCELLED;
    case BS:
    case DEL:
        if (keys->length > 0) {
            keys->length--;
        }
        break;
    default:
        if (byte <= ' ' || byte > '~' || keys->length == KEYS_NAME_MAX) {
            return KEY_NOTHING;
        }
        keys->name[keys->length++] = (char)byte;
    }
    keys->name[keys->length] = '\0';
    return KEY_NAME;
}

enum key keys_take(struct keys *keys, uint8_t byte)
{
    switch (keys->state) {
    case PREFIXED:
        return command(keys, byte);
    case NAMING:
        return naming(keys, byte);
    case GREETED:
        return greeted(keys, byte);
    case SWALLOWING:
        return swallowing(keys, byte);
    case DOUBLED:
        keys->state = PLAIN;
        if (byte == CTRL_B) {
            return start_hello(keys);
        }
        /* fall through */
    default:
        if (byte == KEYS_PREFIX) {
            keys->state = PREFIXED;
            return KEY_NOTHING;
        }
        keys->value = byte;
        return KEY_BYTE;
    }
}
