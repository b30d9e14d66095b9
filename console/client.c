/* SPDX-License-Identifier: BSD-2-Clause */

#include "client.h"

#include <microkit.h>
#include <stddef.h>
#include <string.h>

void client_init(struct client *client, const struct console_client *config)
{
    memset(client, 0, sizeof(*client));
    client->config = config;
    ring_init(&client->output, config->output, config->output_size);
    ring_init(&client->input, config->log ? NULL : config->input, config->input_size);
    escape_init(&client->escape);
    escape_init(&client->tail);
    escape_init(&client->line_escape);
}

void client_start_line(struct client *client, uint32_t position)
{
    client->shown = position;
    client->scanned = position;
    client->line_start = position;
    client->interrupted = false;
    escape_start_line(&client->escape);
    client->line_escape = client->escape;
}

void client_interrupt_line(struct client *client)
{
    if (client->shown - client->line_start >= CLIENT_LINE_LIMIT) {
        client_start_line(client, client->shown); /* a raw view has no lines */
    }
    client->interrupted = client->shown != client->line_start;
}

void client_resume_line(struct client *client)
{
    if (!client->interrupted) {
        return;
    }
    client->interrupted = false;
    if (client->total - client->line_start <= CLIENT_HISTORY) {
        client->shown = client->line_start;
        client->scanned = client->line_start;
        client->escape = client->line_escape;
    } else {
        client_start_line(client, client->shown); /* its beginning is gone */
    }
}

/* Read up to the history's end or `room` bytes, whichever comes first. */
static uint32_t fetch_some(struct client *client, uint32_t room)
{
    uint32_t offset = client->total % CLIENT_HISTORY;
    uint32_t count = CLIENT_HISTORY - offset < room ? CLIENT_HISTORY - offset : room;

    do {
        uint32_t got = ring_read(&client->output, client->history + offset, count);

        if (got > 0) {
            for (uint32_t i = 0; i < got; i++) {
                char unused[ESCAPE_OUT_MAX];

                escape_filter(&client->tail, client->history[offset + i], unused);
            }
            client->total += got;
            return got;
        }
    } while (ring_await_data(&client->output));
    return 0;
}

bool client_fetch(struct client *client, bool lossy, uint64_t now)
{
    uint32_t room = lossy ? CLIENT_HISTORY : CLIENT_HISTORY - client_unseen(client);
    uint32_t before = client->total;

    while (room > 0) {
        uint32_t got = fetch_some(client, room);

        if (got == 0) {
            break;
        }
        room -= got;
    }
    if (client->total == before) {
        return false;
    }
    client->arrived = now;
    if (client_unseen(client) > CLIENT_HISTORY) {
        client->skipped += client_unseen(client) - CLIENT_HISTORY;
        escape_init(&client->escape);
        client_start_line(client, client->total - CLIENT_HISTORY);
    }
    if (ring_take_space_wanted(&client->output)) {
        microkit_notify(client->config->channel);
    }
    return true;
}

void client_skip(struct client *client, uint32_t keep)
{
    uint32_t position = client->shown;

    if (client_unseen(client) > keep) {
        position = client->total - keep;
    } else if (client->skipped == 0) {
        return;
    }
    /* Begin with a whole line, if there is one. */
    for (uint32_t at = position; at != client->total; at++) {
        if (client_byte(client, at) == '\n') {
            position = at + 1;
            break;
        }
    }
    client->skipped += position - client->shown;
    escape_init(&client->escape);
    client_start_line(client, position);
}

void client_rewind_line(struct client *client)
{
    uint32_t held = client->total < CLIENT_HISTORY ? client->total : CLIENT_HISTORY;
    uint32_t position = client->total;

    while (client->total - position < held && client->total - position < CLIENT_LINE_LIMIT &&
           client_byte(client, position - 1) != '\n') {
        position--;
    }
    escape_init(&client->escape);
    client_start_line(client, position);
}

bool client_put(struct client *client, uint8_t byte)
{
    do {
        if (ring_write(&client->input, &byte, 1) == 1) {
            return true;
        }
    } while (ring_await_space(&client->input, 1));
    return false;
}

void client_wake(struct client *client)
{
    if (ring_take_data_wanted(&client->input)) {
        microkit_notify(client->config->channel);
    }
}

enum client_chunk client_next_chunk(struct client *client, uint32_t *end, uint32_t *next)
{
    uint32_t at = client->scanned;

    for (; at != client->total && at - client->line_start < CLIENT_LINE_LIMIT; at++) {
        uint8_t byte = client_byte(client, at);

        if (byte == '\n') {
            *end = at;
            *next = at + 1;
            return CLIENT_LINE;
        }
        if (byte != '\r') {
            continue;
        }
        /* Whether it ends a line or returns to its start, the next byte tells. */
        if (at + 1 == client->total) {
            break;
        }
        uint8_t following = client_byte(client, at + 1);
        if (following != '\n' && following != '\r') {
            *end = at;
            *next = at + 1;
            return CLIENT_REDRAW;
        }
    }
    client->scanned = at;
    *end = at;
    *next = at;
    if (at == client->shown) {
        return CLIENT_NOTHING;
    }
    return at - client->line_start < CLIENT_LINE_LIMIT ? CLIENT_PARTIAL : CLIENT_LONG;
}
