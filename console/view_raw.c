/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One client raw: its bytes go to the terminal as they are. What it said before it had the terminal
 * is replayed first, filtered. What it has done to the terminal is undone when it is left.
 */

#include <stddef.h>
#include <string.h>
#include "view_state.h"

/*
 * Whatever a client has done in raw mode: out of a sequence, to the main screen; UTF-8 and ASCII in
 * it, no colours, the modes of power-on (DECSTR), lines that wrap at the right and not at the left,
 * the cursor visible, and nothing below it that could be taken for what others are yet to say.
 */
#define OUT_OF_SEQUENCE "\030"
#define RESET           "\033%G\017\033(B\033[0m\033[!p\033[?7h\033[?45l\033[?25h\033[J"
#define ALTERNATE_ON    "\033[?1049h"
#define ALTERNATE_OFF   "\033[?1049l"
#define ALTERNATE_NEVER "\033[?1047l" /* harmless where it is not shown */

static struct {
    uint32_t from;        /* the client's output is raw from this position on */
    bool dirty;           /* it has sent an escape sequence since */
    bool alternate;       /* the terminal shows its alternate screen */
    bool enter_alternate; /* as it should before the first raw byte */
    uint64_t interrupted; /* when a message was last shown instead, in ticks */
} raw;

void view_raw_init(void)
{
    memset(&raw, 0, sizeof(raw));
}

void view_raw_enter(const struct client *client)
{
    raw.from = client->total;
    raw.enter_alternate = client->tail.alternate;
}

void view_raw_leave(void)
{
    if (raw.dirty || raw.alternate) {
        view_append_own(OUT_OF_SEQUENCE);
        view_append_own(raw.alternate ? ALTERNATE_OFF : ALTERNATE_NEVER);
        view_append_own(RESET);
    }
    raw.dirty = false;
    raw.alternate = false;
}

void view_raw_interrupted(uint64_t now)
{
    raw.interrupted = now;
}

bool view_raw_is_alternate(void)
{
    return raw.alternate;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/*
 * Whether a byte in raw mode may have changed the terminal. Control characters of 8 bits end in a
 * byte from 0x80 to 0x9f, in whatever encoding a terminal takes them; so does ESC, longer than it
 * must be.
 */
static bool changes_terminal(uint8_t byte)
{
    return byte == 0x1b || byte == 0x0e || (byte >= 0x80 && byte <= 0x9f);
}

/*
 * Show what the client said before it had the terminal. It is filtered, because a query in it would
 * be answered a second time, and because the screen that it was for is gone.
 */
static bool show_replay(struct client *client)
{
    struct text text = {.length = 0};
    uint32_t end = client->shown + smaller(raw.from - client->shown, 64);
    struct escape before = client->escape;

    for (uint32_t at = client->shown; at != end; at++) {
        uint8_t byte = client_byte(client, at);

        if (byte == '\r') {
            append(&text, "\r");
        } else if (byte == '\n') {
            escape_filter(&client->escape, byte, text.bytes + text.length);
            client->line_start = at + 1;
            client->line_escape = client->escape;
            append(&text, text.length > 0 && text.bytes[text.length - 1] == '\r' ? "\n" : "\r\n");
        } else {
            text.length += escape_filter(&client->escape, byte, text.bytes + text.length);
        }
    }
    if (!view_emit(text.bytes, text.length)) {
        client->escape = before;
        return false;
    }
    if (text.length > 0) {
        view.line_open = text.bytes[text.length - 1] != '\n';
        raw.dirty |= memchr(text.bytes, '\033', text.length) != NULL;
    }
    client->shown = end;
    client->scanned = end;
    return true;
}

static bool show_raw(struct client *client, uint64_t now)
{
    uint32_t offset = client->shown % CLIENT_HISTORY;
    uint32_t count =
        smaller(smaller(client_unseen(client), CLIENT_LINE_LIMIT), CLIENT_HISTORY - offset);
    char unused[ESCAPE_OUT_MAX];

    if (count == 0) {
        return false;
    }
    count = ring_write(view.uart, client->history + offset, count);
    if (count == 0) {
        view.blocked = true;
        return false;
    }
    if (!view.line_open) {
        view.line_opened = now;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t byte = client->history[offset + i];

        escape_filter(&client->escape, byte, unused);
        raw.dirty |= changes_terminal(byte);
        view.line_open = byte != '\n';
        if (byte == '\n') {
            client->line_start = client->shown + i + 1;
            client->line_escape = client->escape;
        }
    }
    raw.alternate = client->escape.alternate;
    view.line_extended = now;
    client->shown += count;
    client->scanned = client->shown;
    return true;
}

/*
 * Messages have interrupted a line. It is shown again before it goes on, or when no more messages
 * have come for a pause. Returns false if that pause is not over.
 */
static bool resume_raw_line(struct client *client, uint64_t now)
{
    uint32_t shown = client->shown;

    if (client_unseen(client) == 0 && now < raw.interrupted + view.pause) {
        view_look_again_at(raw.interrupted + view.pause);
        return false;
    }
    client_resume_line(client);
    if (raw.from - shown > CLIENT_HISTORY) {
        raw.from = shown; /* up to there it has been raw before */
    }
    return true;
}

bool view_raw_show(struct client *client, uint64_t now)
{
    if (client->skipped > 0) {
        return view_lines_show_skipped(client, now);
    }
    if (client->interrupted && !resume_raw_line(client, now)) {
        return false;
    }
    if (client->shown != raw.from && raw.from - client->shown <= CLIENT_HISTORY) {
        return show_replay(client);
    }
    if (raw.enter_alternate) {
        if (!view_emit(ALTERNATE_ON, sizeof(ALTERNATE_ON) - 1)) {
            return false;
        }
        raw.enter_alternate = false;
        raw.alternate = true;
        client->escape = client->tail;
    }
    return show_raw(client, now);
}
