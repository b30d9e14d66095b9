/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The key decoder: the prefix Ctrl-] and the command behind it, or a byte for a client. A program
 * on the host "types" the hello of a control session behind Ctrl-] Ctrl-B (docs/control.md).
 */

#include <stdint.h>
#include "lib/control_hello.h"

#define KEYS_PREFIX   0x1du /* Ctrl-] */
#define KEYS_NAME_MAX 31u

enum key {
    KEY_NOTHING, /* in the middle of a command */
    KEY_BYTE,    /* for the client that has the keys */
    KEY_NUMBER,  /* focus the client of this number, 0..9 */
    KEY_NAME,    /* the name has changed while it is typed */
    KEY_NAME_ENTERED,
    KEY_NAME_CANCELLED,
    KEY_ALL,
    KEY_LIST,
    KEY_HELP,
    KEY_COLOUR,
    KEY_STATISTICS,
    KEY_POWER,   /* `value` is the verb: enum control_verb */
    KEY_CONTROL, /* a control session begins; `hello` has its token */
    KEY_UNKNOWN, /* no such command */
};

struct keys {
    uint8_t state;
    uint8_t length;
    char name[KEYS_NAME_MAX + 1]; /* NUL-terminated */
    uint8_t value;                /* the byte, the number, or the verb */
    struct control_hello hello;
};

/* Decode `byte` from the terminal. `keys` starts zeroed; its fields hold what belongs to the key.
 */
enum key keys_take(struct keys *keys, uint8_t byte);
