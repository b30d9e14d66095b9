/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the two views of the terminal share: view_lines.c shows all clients line by line, view_raw.c
 * shows one of them raw, and view.c changes between them. Nobody else includes this.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "client.h"
#include "escape.h"
#include "lib/ring.h"

/* What a line is made of, besides its text. */
#define NAME_SHOWN_MAX 24
#define DECORATION_MAX 64u

_Static_assert(NAME_SHOWN_MAX + 2 == ESCAPE_PREFIX_COLUMNS, "the filter counts with it");

#define COLOUR_OFF "\033[0m"

struct view {
    struct ring *uart;
    struct client *clients;
    uint32_t client_count;
    bool colour;
    uint64_t pause; /* in ticks, see view_init */

    struct client *focused; /* NULL: all */

    bool line_open;       /* the cursor is not at the start of a line */
    struct client *owner; /* whose line that is; NULL: the focused one's, or the console's */
    bool redraw;          /* the owner's line starts again behind a carriage return */
    bool attributes;      /* and has set some that have not been taken back */
    uint64_t line_opened;
    uint64_t line_extended;

    bool blocked;      /* something waits for room in the UART's ring */
    uint64_t deadline; /* when to look again at what is held back; UINT64_MAX: no need */
};

extern struct view view;

/* Bytes on their way to the UART: all of them are written, or none. */
struct text {
    uint32_t length;
    char bytes[CLIENT_LINE_LIMIT + ESCAPE_OUT_MAX + DECORATION_MAX + NAME_SHOWN_MAX];
};

static inline void append_bytes(struct text *text, const char *bytes, uint32_t count)
{
    memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
}

static inline void append(struct text *text, const char *string)
{
    append_bytes(text, string, (uint32_t)strlen(string));
}

/* Write `count` bytes to the UART's ring. Returns false, and writes none, if there is no room. */
bool view_emit(const char *bytes, uint32_t count);

/* Look at the clients' output again at `time`, in ticks, or earlier. */
void view_look_again_at(uint64_t time);

/* Append to the console's own text, which goes to the UART before anything else. */
void view_append_own(const char *string);

/* ---- Lines of many clients: view_lines.c ---- */

/* Show the next piece of `client`'s output, if it is due. Returns whether there was something. */
bool view_lines_show(struct client *client, uint64_t now);

/* Show "[N bytes skipped]", as a line of the client's. Returns false if there is no room. */
bool view_lines_show_skipped(struct client *client, uint64_t now);

/* ---- One client: view_raw.c ---- */

void view_raw_init(void);

/* `client` has been focused: replay what it has said, and show what it says from now on raw. */
void view_raw_enter(const struct client *client);

/* The focused client is left: undo what its output has done to the terminal. */
void view_raw_leave(void);

/* A message stands in the raw client's line since `now`. */
void view_raw_interrupted(uint64_t now);

/* Whether the terminal shows the client's alternate screen. */
bool view_raw_is_alternate(void);

/* Show the next piece of the focused client's output. Returns whether there was something. */
bool view_raw_show(struct client *client, uint64_t now);
