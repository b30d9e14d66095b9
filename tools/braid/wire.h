/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What a command and the background process say to each other on the Unix socket: packets of a kind
 * (1 byte), a length (2 bytes, little-endian) and so many bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bytes.h"

#define WIRE_HEADER     3u
#define WIRE_LENGTH_MAX 1024u

enum wire_kind {
    WIRE_COMMAND = 1, /* a command's words, each ended by a NUL: the first packet */
    WIRE_INPUT,       /* keys for the machine */
    WIRE_SIZE,        /* of the terminal: columns (2), rows (2) */
    WIRE_END,         /* no more keys will come */
    WIRE_TEXT,        /* for standard output; bytes of a machine are as they are */
    WIRE_ERROR,       /* for standard error */
    WIRE_EXIT,        /* the command's exit status (1): the last packet */
    WIRE_COUNTERS,    /* what the board has counted: lines of text, for braid itself */
};

/* Add a packet, or as many as are needed. */
void wire_add(struct bytes *out, enum wire_kind kind, const void *data, size_t length);

/*
 * The first packet of `in`, if all of it is there: its kind, and `*data` and `*length`; the caller
 * drops WIRE_HEADER + `*length` bytes when it is done. 0: not all is there. -1: this is no packet.
 */
int wire_peek(const struct bytes *in, const uint8_t **data, size_t *length);
