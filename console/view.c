/* SPDX-License-Identifier: BSD-2-Clause */

#include "view.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define NOTICES_SIZE     8192u /* the console's own lines that wait for the UART */
#define LINE_OPEN_PAUSES 5u    /* a line may stay open this long if somebody else waits */
#define REPLAY_ALL       2048u /* what is shown of each client on the way from one to all */

/* What a line is made of, besides its text. */
#define NAME_SHOWN_MAX 24
#define DECORATION_MAX 64u

_Static_assert(NAME_SHOWN_MAX + 2 == ESCAPE_PREFIX_COLUMNS, "the filter counts with it");

#define COLOUR_OFF "\033[0m"

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

static const char *const colours[] = {
    "\033[36m", "\033[32m", "\033[33m", "\033[35m", "\033[34m",
    "\033[96m", "\033[92m", "\033[93m", "\033[95m", "\033[94m",
};
#define COLOUR_COUNT (sizeof(colours) / sizeof(colours[0]))
#define COLOUR_LOG   "\033[90m"

static struct {
    struct ring *uart;
    struct client *clients;
    uint32_t client_count;
    bool colour;
    uint64_t pause;

    struct client *focused; /* NULL: all */
    uint32_t raw_from;      /* the focused client's output is raw from this position on */
    bool raw_dirty;         /* it has sent an escape sequence since */
    bool raw_alternate;     /* the terminal shows its alternate screen */
    bool enter_alternate;   /* as it should before the first raw byte */
    uint64_t interrupted;   /* when a message was last shown instead */

    bool line_open;       /* the cursor is not at the start of a line */
    struct client *owner; /* whose line that is; NULL: the focused one's, or the console's */
    bool redraw;          /* the owner's line starts again behind a carriage return */
    bool attributes;      /* and has set some that have not been taken back */
    uint64_t line_opened;
    uint64_t line_extended;

    bool prompting;
    char notices[NOTICES_SIZE];
    uint32_t notices_length;

    bool blocked;
    uint64_t deadline;
} view;

/* Bytes on their way to the UART: all of them, or none. */
struct text {
    uint32_t length;
    char bytes[CLIENT_LINE_LIMIT + ESCAPE_OUT_MAX + DECORATION_MAX + NAME_SHOWN_MAX];
};

static void append_bytes(struct text *text, const char *bytes, uint32_t count)
{
    memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
}

static void append(struct text *text, const char *string)
{
    append_bytes(text, string, (uint32_t)strlen(string));
}

static bool emit(const char *bytes, uint32_t count)
{
    if (ring_space(view.uart) < count) {
        view.blocked = true;
        return false;
    }
    ring_write(view.uart, bytes, count);
    return true;
}

void view_init(struct ring *uart, struct client *clients, uint32_t client_count, bool colour,
               uint64_t pause)
{
    memset(&view, 0, sizeof(view));
    view.uart = uart;
    view.clients = clients;
    view.client_count = client_count;
    view.colour = colour;
    view.pause = pause;
    view.deadline = UINT64_MAX;
}

struct client *view_focused(void)
{
    return view.focused;
}

bool view_toggle_colour(void)
{
    view.colour = !view.colour;
    return view.colour;
}

/* ---- The console's own lines: they go before anything else ---- */

static void notice(const char *bytes, uint32_t count)
{
    if (count <= NOTICES_SIZE - view.notices_length) {
        memcpy(view.notices + view.notices_length, bytes, count);
        view.notices_length += count;
    }
}

static void notice_string(const char *string)
{
    notice(string, (uint32_t)strlen(string));
}

/* The line on the terminal ends here; its owner will show it again. */
static void close_line(void)
{
    if (!view.line_open) {
        return;
    }
    if (view.owner != NULL) {
        client_interrupt_line(view.owner);
        if (view.colour || view.attributes) {
            notice_string(COLOUR_OFF);
        }
    }
    notice_string("\r\n");
    view.attributes = false;
    view.owner = NULL;
    view.redraw = false;
    view.line_open = false;
}

void view_say(const char *format, ...)
{
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    close_line();
    notice_string(line);
    notice_string("\r\n");
}

void view_prompt(const char *text)
{
    if (!view.prompting) {
        close_line();
    }
    view.prompting = true;
    view.line_open = true;
    notice_string("\r" COLOUR_OFF "\033[K");
    notice_string(text);
}

void view_prompt_over(void)
{
    view.prompting = false;
    close_line();
}

void view_bell(void)
{
    notice_string("\a");
}

bool view_flush(void)
{
    uint32_t space = ring_space(view.uart);
    uint32_t count = view.notices_length < space ? view.notices_length : space;

    if (view.notices_length == 0) {
        return false;
    }
    ring_write(view.uart, view.notices, count);
    memmove(view.notices, view.notices + count, view.notices_length - count);
    view.notices_length -= count;
    view.blocked |= view.notices_length > 0;
    return count > 0;
}

/* ---- Changing the view ---- */

static void leave(void)
{
    if (view.focused != NULL) {
        client_interrupt_line(view.focused);
        if (view.raw_dirty || view.raw_alternate) {
            notice_string(OUT_OF_SEQUENCE);
            notice_string(view.raw_alternate ? ALTERNATE_OFF : ALTERNATE_NEVER);
            notice_string(RESET);
        }
    }
    close_line();
    view.focused = NULL;
    view.raw_dirty = false;
    view.raw_alternate = false;
}

void view_all(void)
{
    if (view.focused == NULL) {
        return;
    }
    leave();
    for (uint32_t i = 0; i < view.client_count; i++) {
        client_skip(&view.clients[i], REPLAY_ALL);
    }
}

void view_focus(struct client *client)
{
    if (view.focused == client) {
        return;
    }
    leave();
    client_resume_line(client);
    if (client_unseen(client) == 0) {
        client_rewind_line(client);
    }
    view.focused = client;
    view.raw_from = client->total;
    view.enter_alternate = client->tail.alternate;
}

bool view_is_lossy(const struct client *client)
{
    return view.focused != NULL && view.focused != client;
}

/* ---- Lines of many clients ---- */

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

/* What of the client's bytes may stand among the lines of others. Returns how many there are. */
static uint32_t append_filtered(struct text *text, struct client *client, uint32_t end)
{
    uint32_t before = text->length;

    for (uint32_t at = client->shown; at != end; at++) {
        text->length +=
            escape_filter(&client->escape, client_byte(client, at), text->bytes + text->length);
    }
    return text->length - before;
}

static void look_again_at(uint64_t time)
{
    if (time < view.deadline) {
        view.deadline = time;
    }
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
    look_again_at(at);
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
            look_again_at(client->arrived + view.pause);
            return false;
        }
    }
    return !view.line_open || line_may_be_left(now);
}

/* What ends the line of somebody else, and the client's prefix, unless its own line goes on. */
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

/* What a client has set for its text ends with that: the next prefix may be another's, or its own.
 */
static void end_piece(struct text *text, enum client_chunk kind)
{
    bool attributes = view.attributes || has_sequence(text);

    if (kind == CLIENT_REDRAW) {
        append(text, attributes ? COLOUR_OFF "\r" : "\r");
    } else if (kind != CLIENT_PARTIAL) {
        append(text, attributes || view.colour ? COLOUR_OFF "\r\n" : "\r\n");
    }
}

/* A piece has gone to the terminal: whose line is open there now? */
static void line_now_owned(struct client *client, enum client_chunk kind, uint64_t now)
{
    if (view.owner != NULL && view.owner != client) {
        client_interrupt_line(view.owner);
    }
    if (view.focused != NULL && view.focused != client) {
        client_interrupt_line(view.focused);
        view.interrupted = now;
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

/* "[N bytes skipped]", as a line of the client's. */
static bool show_skipped(struct client *client, uint64_t now)
{
    struct text text = {.length = 0};
    char line[48];

    begin_piece(&text, client);
    snprintf(line, sizeof(line), "[%llu bytes skipped]", (unsigned long long)client->skipped);
    append(&text, line);
    end_piece(&text, CLIENT_LINE);
    if (!emit(text.bytes, text.length)) {
        return false;
    }
    client->skipped = 0;
    view.attributes = false;
    line_now_owned(client, CLIENT_LINE, now);
    return true;
}

static bool show_line(struct client *client, uint64_t now)
{
    struct text text = {.length = 0};
    bool owns = view.line_open && view.owner == client;
    uint32_t end, next;

    if (client->skipped > 0) {
        return show_skipped(client, now);
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
    if (!emit(text.bytes, text.length)) {
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

/* ---- One client ---- */

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
 * What was said before the client had the terminal: filtered, because a query in it would be
 * answered a second time, and because the screen that it spoke to is gone.
 */
static bool show_replay(struct client *client)
{
    struct text text = {.length = 0};
    uint32_t end = client->shown + smaller(view.raw_from - client->shown, 64);
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
    if (!emit(text.bytes, text.length)) {
        client->escape = before;
        return false;
    }
    if (text.length > 0) {
        view.line_open = text.bytes[text.length - 1] != '\n';
        view.raw_dirty |= memchr(text.bytes, '\033', text.length) != NULL;
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
        view.raw_dirty |= changes_terminal(byte);
        view.line_open = byte != '\n';
        if (byte == '\n') {
            client->line_start = client->shown + i + 1;
            client->line_escape = client->escape;
        }
    }
    view.raw_alternate = client->escape.alternate;
    view.line_extended = now;
    client->shown += count;
    client->scanned = client->shown;
    return true;
}

/*
 * Messages came between: show the line again that they have interrupted, before it goes on, or when
 * no more messages have come for a while. Returns false if that is yet to be waited for.
 */
static bool resume_raw_line(struct client *client, uint64_t now)
{
    uint32_t shown = client->shown;

    if (client_unseen(client) == 0 && now < view.interrupted + view.pause) {
        look_again_at(view.interrupted + view.pause);
        return false;
    }
    client_resume_line(client);
    if (view.raw_from - shown > CLIENT_HISTORY) {
        view.raw_from = shown; /* up to there it has been raw before */
    }
    return true;
}

static bool show_focused(struct client *client, uint64_t now)
{
    if (client->skipped > 0) {
        return show_skipped(client, now);
    }
    if (client->interrupted && !resume_raw_line(client, now)) {
        return false;
    }
    if (client->shown != view.raw_from && view.raw_from - client->shown <= CLIENT_HISTORY) {
        return show_replay(client);
    }
    if (view.enter_alternate) {
        if (!emit(ALTERNATE_ON, sizeof(ALTERNATE_ON) - 1)) {
            return false;
        }
        view.enter_alternate = false;
        view.raw_alternate = true;
        client->escape = client->tail;
    }
    return show_raw(client, now);
}

bool view_show(struct client *client, uint64_t now)
{
    if (view.prompting || view.notices_length > 0) {
        return false;
    }
    if (view.focused == client) {
        return show_focused(client, now);
    }
    /* Messages are worth a line between a client's, but not one across its editor. */
    if (view.focused == NULL || (client->config->log && !view.raw_alternate)) {
        return show_line(client, now);
    }
    return false;
}

bool view_take_blocked(void)
{
    bool blocked = view.blocked;

    view.blocked = false;
    return blocked;
}

uint64_t view_take_deadline(void)
{
    uint64_t deadline = view.deadline;

    view.deadline = UINT64_MAX;
    return deadline;
}
