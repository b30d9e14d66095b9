/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the terminal shows: all clients, line by line, or one of them raw. It writes into the UART's
 * ring and never waits; what does not fit is asked for again when there is room.
 */

#include <stdbool.h>
#include <stdint.h>
#include "client.h"
#include "lib/ring.h"

/*
 * `pause` is how long, in ticks, a client must be silent before somebody else's line may come
 * between what it has shown of a line and the rest; 0 if nobody will say when it is over.
 */
void view_init(struct ring *uart, struct client *clients, uint32_t client_count, bool colour,
               uint64_t pause);

/* Show all clients, or `client` alone, which is no log. */
void view_all(void);
void view_focus(struct client *client);

/* The client that is shown raw, or NULL. */
struct client *view_focused(void);

/* Returns the new setting. */
bool view_toggle_colour(void);

/* A line of the console's own, without its newline. */
void view_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ask for a line of input: clients wait until it is over. The text that stands there so far. */
void view_prompt(const char *text);
void view_prompt_over(void);

/* Ring the terminal's bell. */
void view_bell(void);

/* Whether output that `client` has not shown may be dropped to keep it going. */
bool view_is_lossy(const struct client *client);

/* Show the console's own lines. Returns whether there was something. */
bool view_flush(void);

/* Show the next piece of `client`'s output, if it may be. Returns whether there was something. */
bool view_show(struct client *client, uint64_t now);

/* Whether something waits for room in the UART's ring. Reading clears it. */
bool view_take_blocked(void);

/* When to look again at what is held back, in ticks, or UINT64_MAX. Reading clears it. */
uint64_t view_take_deadline(void);
