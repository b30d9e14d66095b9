/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The kinds of values that a system file holds, each read from its text and written back. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_kind {
    VALUE_TEXT,     /* a line of text, without control characters */
    VALUE_NAME,     /* of a VM or switch: a letter, then letters, digits, - and _; 31 at most */
    VALUE_STEM,     /* a system's or board's, from its file's: letters, digits, -, _ and '.' */
    VALUE_HOSTNAME, /* RFC 1123: letters, digits, -; 63 at most */
    VALUE_PATH,     /* a file, a line of text as VALUE_TEXT */
    VALUE_SIZE,     /* bytes, written with KiB, MiB or GiB */
    VALUE_DURATION, /* microseconds, written with us, ms or s */
    VALUE_RATE,     /* bytes per second, written with Mbit/s, MiB/s and the like; 0: `none` */
    VALUE_COUNT,    /* an integer */
    VALUE_HEX,      /* an address or another number that is written in base 16 */
    VALUE_SWITCHED, /* yes or no */
    VALUE_CHOICE,   /* one of a few words: its place among them */
    VALUE_MAC,      /* 48 bits, the first byte most significant */
    VALUE_IPV4,     /* 32 bits, the first byte most significant */
    VALUE_IPV4_NET, /* the same with the prefix length in bits 32 and up, or VALUE_IPV4_DHCP */
    VALUE_NODE,     /* a list or mapping that its reader takes apart */
};

/*
 * Read `text`. `choices` (ended by NULL) is for VALUE_CHOICE. Returns NULL and sets *number, or
 * returns what is wrong and would be right; the text kinds leave *number alone.
 */
const char *value_parse(enum value_kind kind, const char *const *choices, const char *text,
                        uint64_t *number);

/* `number` as one would write it in a file. The string lives as long as the program. */
const char *value_format(enum value_kind kind, uint64_t number);

/* `dhcp` in place of an address. */
#define VALUE_IPV4_DHCP UINT64_MAX

#define VALUE_IPV4_PREFIX(net) ((uint32_t)((net) >> 32))
#define VALUE_IPV4_BITS(net)   ((uint32_t)(net))

/* FNV-1a over `text` and its end; begin with TEXT_HASH_START, go on with what was returned. */
#define TEXT_HASH_START 0xcbf29ce484222325ULL
uint64_t text_hash(uint64_t hash, const char *text);

/*
 * The length in bytes of the character at `text`, which is not at its end. *plain becomes false if
 * it is a control character, or changes the order in which what follows is shown, or is no UTF-8.
 */
size_t text_step(const char *text, bool *plain);

/* The search for a known word that was meant by an unknown one. Begin with {0}. */
struct nearest {
    const char *word; /* the best so far; NULL: none is near */
    unsigned distance;
};

/* Weigh a known word (kept, not copied) against the unknown one. */
void nearest_weigh(struct nearest *nearest, const char *unknown, const char *known);
