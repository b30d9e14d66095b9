/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * All clients on one terminal, line by line, each line behind its client's name. A line that is not
 * complete may stand open; another client's line may come between only after a pause.
 */

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "view_state.h"

#define LINE_OPEN_PAUSES 5u /* a line may stay open this many pauses if another client waits */

static const char *const colours[] = {
    "\033[36m", "\033[32m", "\033[33m", "\033[35m", "\033[34m",
    "\033[96m", "\033[92m", "\033[93m", "\033[95m", "\033[94m",
};
#define COLOUR_COUNT (sizeof(colours) / sizeof(colours[0]))
#define COLOUR_LOG   "\033[90m"

static void append_prefix(struct text *text, const struct client *client)
{
    if (view.colour) {
        uint32_t index = (uint32_t)(client - view.clients);

        append(text, client->config->log ? COLOUR_LOG : colours[index % COLOUR_COUNT]);
    }
    append_bytes(text, client->config->name,
                 (uint32_t)strnlen(client->config->name, NAME_SHOWN_MAX));
    append(text, "| ");
}

/* Append those of the client's bytes that may stand among others' lines. Returns how many. */
static uint32_t append_filtered(struct text *text, struct client *client, uint32_t end)
{
    uint32_t before = text->length;

    for (uint32_t at = client->shown; at != end; at++) {
        text->length +=
            escape_filter(&client->escape, client_byte(client, at), text->bytes + text->length);
    }
    return text->length - before;
}

/* Whether the line that stands open may be left for another client's. */
static bool line_may_be_left(uint64_t now)
{
    if (view.pause == 0) {
        return true;
    }

    uint64_t silent_at = view.line_extended + view.pause;
    uint64_t over_at = view.line_opened + view.pause * LINE_OPEN_PAUSES;
    uint64_t at = silent_at < over_at ? silent_at : over_at;

    if (now >= at) {
        return true;
    }
    view_look_again_at(at);
    return false;
}

/* Whether a piece of `client`'s output is due: whole lines are, a beginning after a pause. */
static bool is_due(const struct client *client, enum client_chunk kind, uint64_t now)
{
    if (view.line_open && view.owner == client) {
        return true;
    }
    if (kind == CLIENT_PARTIAL) {
        if (client->config->log) {
            return false;
        }
        if (view.pause > 0 && now < client->arrived + view.pause) {
            view_look_again_at(client->arrived + view.pause);
            return false;
        }
    }
    return !view.line_open || line_may_be_left(now);
}

/* Unless the client's own line goes on: end the line of another, and begin with the prefix. */
static void begin_piece(struct text *text, struct client *client)
{
    bool coloured = view.owner != NULL && (view.colour || view.attributes);

    if (view.line_open && view.owner == client && !view.redraw) {
        return;
    }
    if (view.line_open && view.owner != client) {
        append(text, coloured ? COLOUR_OFF "\r\n" : "\r\n");
    }
    append_prefix(text, client);
}

static bool has_sequence(const struct text *text)
{
    return memchr(text->bytes, '\033', text->length) != NULL;
}

/* End a piece, and with it the attributes that the client has set: a prefix may follow. */
static void end_piece(struct text *text, enum client_chunk kind)
{
    bool attributes = view.attributes || has_sequence(text);

    if (kind == CLIENT_REDRAW) {
        append(text, attributes ? COLOUR_OFF "\r" : "\r");
    } else if (kind != CLIENT_PARTIAL) {
        append(text, attributes || view.colour ? COLOUR_OFF "\r\n" : "\r\n");
    }
}

/* A piece of the client's has gone to the terminal: note whose line is open there now. */
static void line_now_owned(struct client *client, enum client_chunk kind, uint64_t now)
{
    if (view.owner != NULL && view.owner != client) {
        client_interrupt_line(view.owner);
    }
    if (view.focused != NULL && view.focused != client) {
        client_interrupt_line(view.focused);
        view_raw_interrupted(now);
    }
    if (kind == CLIENT_LINE || kind == CLIENT_LONG) {
        view.line_open = false;
        view.owner = NULL;
        view.redraw = false;
        return;
    }
    if (!view.line_open || view.owner != client) {
        view.line_opened = now;
    }
    view.line_open = true;
    view.line_extended = now;
    view.owner = client;
    view.redraw = kind == CLIENT_REDRAW;
}

bool view_lines_show_skipped(struct client *client, uint64_t now)
{
    struct text text = {.length = 0};
    char line[48];

    begin_piece(&text, client);
    snprintf(line, sizeof(line), "[%llu bytes skipped]", (unsigned long long)client->skipped);
    append(&text, line);
    end_piece(&text, CLIENT_LINE);
    if (!view_emit(text.bytes, text.length)) {
        return false;
    }
    client->skipped = 0;
    view.attributes = false;
    line_now_owned(client, CLIENT_LINE, now);
    return true;
}

bool view_lines_show(struct client *client, uint64_t now)
{
    struct text text = {.length = 0};
    bool owns = view.line_open && view.owner == client;
    uint32_t end, next;

    if (client->skipped > 0) {
        return view_lines_show_skipped(client, now);
    }

    enum client_chunk kind = client_next_chunk(client, &end, &next);

    if (kind == CLIENT_NOTHING || !is_due(client, kind, now)) {
        return false;
    }
    if (!owns) {
        client_resume_line(client);
    }

    struct escape before = client->escape;

    begin_piece(&text, client);
    if (append_filtered(&text, client, end) == 0 && kind == CLIENT_PARTIAL) {
        client->shown = end; /* nothing to see: no line need be opened for it */
        return true;
    }
    end_piece(&text, kind);
    if (!view_emit(text.bytes, text.length)) {
        client->escape = before;
        return false;
    }
    line_now_owned(client, kind, now);
    view.attributes = kind == CLIENT_PARTIAL && (view.attributes || has_sequence(&text));
    if (kind == CLIENT_PARTIAL) {
        client->shown = end;
    } else {
        escape_filter(&client->escape, '\n', text.bytes);
        client_start_line(client, next);
    }
    return true;
}
