/* SPDX-License-Identifier: BSD-2-Clause */

#include "keys.h"

#define BS     0x08u
#define LF     0x0au
#define CR     0x0du
#define CTRL_C 0x03u
#define ESC    0x1bu
#define DEL    0x7fu

enum {
    PLAIN = 0,
    PREFIXED,
    NAMING,
};

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
    case '?':
    case 'h':
        return KEY_HELP;
    default:
        return KEY_UNKNOWN;
    }
}

static enum key naming(struct keys *keys, uint8_t byte)
{
    switch (byte) {
    case CR:
    case LF:
        keys->state = PLAIN;
        return keys->length > 0 ? KEY_NAME_ENTERED : KEY_NAME_CANCELLED;
    case ESC:
    case CTRL_C:
    case KEYS_PREFIX:
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
    default:
        if (byte == KEYS_PREFIX) {
            keys->state = PREFIXED;
            return KEY_NOTHING;
        }
        keys->value = byte;
        return KEY_BYTE;
    }
}
