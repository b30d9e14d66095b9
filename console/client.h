/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One client: its rings, and a history of its output. Positions in the output count from its first
 * byte and wrap at 2^32. The history holds the bytes from `total - CLIENT_HISTORY` on.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "escape.h"
#include "lib/ring.h"

#define CLIENT_HISTORY    8192u /* bytes; a power of two */
#define CLIENT_LINE_LIMIT 512u  /* a longer line is shown as several */

struct client {
    const struct console_client *config;
    struct ring output;
    struct ring input;
    uint8_t history[CLIENT_HISTORY];
    uint32_t total;       /* end of what has been read */
    uint32_t shown;       /* end of what has been shown */
    uint32_t scanned;     /* no line ends between `shown` and this */
    uint64_t skipped;     /* bytes dropped unseen since the view last reported it */
    uint64_t arrived;     /* when the last bytes came, in ticks */
    struct escape escape; /* at `shown` */
    struct escape tail;   /* at `total` */

    /* The line that `shown` is in, to show it from its start again after an interruption. */
    uint32_t line_start;
    struct escape line_escape;
    bool interrupted;

    uint32_t commands; /* given to its monitor */
    bool stalled;      /* it has read no input until the timeout: nobody waits for it any more */
};

void client_init(struct client *client, const struct console_client *config);

/*
 * Move output from the ring into the history. With `lossy`, new output replaces what has not been
 * shown; otherwise that stays, and the rest waits in the ring. `now` is in ticks. Returns whether
 * anything came. Notifies the client if it waits for room.
 */
bool client_fetch(struct client *client, bool lossy, uint64_t now);

/* Skip what has not been shown, except the lines within the last `keep` bytes. */
void client_skip(struct client *client, uint32_t keep);

/* Go back to the start of the last line, so that it is shown (again). */
void client_rewind_line(struct client *client);

/*
 * Write one byte of input into the client's ring. Returns false if there is no room for it; then
 * the client will notify when there is. The caller calls client_wake().
 */
bool client_put(struct client *client, uint8_t byte);

/* Notify the client if it waits for input. */
void client_wake(struct client *client);

enum client_chunk {
    CLIENT_NOTHING,
    CLIENT_PARTIAL, /* no end of line yet */
    CLIENT_LINE,    /* up to a line feed */
    CLIENT_REDRAW,  /* up to a carriage return: what follows overwrites it */
    CLIENT_LONG,    /* up to the limit */
};

/* What is to be shown next. It ends before `*end`; what follows begins at `*next`. */
enum client_chunk client_next_chunk(struct client *client, uint32_t *end, uint32_t *next);

/* All output before `position` has been shown, and a line begins there. */
void client_start_line(struct client *client, uint32_t position);

/* Something else has come into the open line: it will be shown from its start again. */
void client_interrupt_line(struct client *client);

/* If the line has been interrupted, go back to its start. */
void client_resume_line(struct client *client);

static inline uint8_t client_byte(const struct client *client, uint32_t position)
{
    return client->history[position % CLIENT_HISTORY];
}

static inline uint32_t client_unseen(const struct client *client)
{
    return client->total - client->shown;
}
