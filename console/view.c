/* SPDX-License-Identifier: BSD-2-Clause */

#include "view.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "terminal_size.h"
#include "view_state.h"

#define OWN_SIZE   8192u /* the console's own text that waits for the UART, in bytes */
#define REPLAY_ALL 2048u /* bytes shown of each client on the way from one to all */

struct view view;

/* The console's own text: lines, the prompt, what puts the terminal right. */
static char own[OWN_SIZE];
static uint32_t own_length;
static bool prompting;

bool view_emit(const char *bytes, uint32_t count)
{
    if (ring_space(view.uart) < count) {
        view.blocked = true;
        return false;
    }
    ring_write(view.uart, bytes, count);
    return true;
}

void view_look_again_at(uint64_t time)
{
    if (time < view.deadline) {
        view.deadline = time;
    }
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
    own_length = 0;
    prompting = false;
    view_raw_init();
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

/* ---- The console's own text: it goes before anything else ---- */

void view_append_own(const char *string)
{
    size_t count = strlen(string);

    if (count <= OWN_SIZE - own_length) {
        memcpy(own + own_length, string, count);
        own_length += (uint32_t)count;
    }
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
            view_append_own(COLOUR_OFF);
        }
    }
    view_append_own("\r\n");
    view.attributes = false;
    view.owner = NULL;
    view.redraw = false;
    view.line_open = false;
}

void view_message(const char *format, ...)
{
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    close_line();
    view_append_own(line);
    view_append_own("\r\n");
}

void view_prompt(const char *text)
{
    if (!prompting) {
        close_line();
    }
    prompting = true;
    view.line_open = true;
    view_append_own("\r" COLOUR_OFF "\033[K");
    view_append_own(text);
}

void view_prompt_over(void)
{
    prompting = false;
    close_line();
}

void view_bell(void)
{
    view_append_own("\a");
}

bool view_ask_size(void)
{
    if (view.colour) {
        view_append_own(TERMINAL_SIZE_QUESTION);
    }
    return view.colour;
}

bool view_flush(void)
{
    uint32_t space = ring_space(view.uart);
    uint32_t count = own_length < space ? own_length : space;

    if (own_length == 0) {
        return false;
    }
    ring_write(view.uart, own, count);
    memmove(own, own + count, own_length - count);
    own_length -= count;
    view.blocked |= own_length > 0;
    return count > 0;
}

/* ---- Changing the view ---- */

static void leave(void)
{
    if (view.focused != NULL) {
        client_interrupt_line(view.focused);
        view_raw_leave();
    }
    close_line();
    view.focused = NULL;
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
    view_raw_enter(client);
}

bool view_is_lossy(const struct client *client)
{
    return view.focused != NULL && view.focused != client;
}

/* ---- Showing ---- */

bool view_show(struct client *client, uint64_t now)
{
    if (prompting || own_length > 0) {
        return false;
    }
    if (view.focused == client) {
        return view_raw_show(client, now);
    }
    /* Messages are worth a line between a client's, but not one across its editor. */
    if (view.focused == NULL || (client->config->log && !view_raw_is_alternate())) {
        return view_lines_show(client, now);
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
