/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the terminal shows: all clients, line by line, or one of them raw. A view writes into the
 * UART's ring and never waits. What does not fit stays where it is until there is room.
 */

#include <stdbool.h>
#include <stdint.h>
#include "client.h"
#include "lib/ring.h"

/*
 * Start with all clients shown. `uart` and `clients` are kept. While a client's line is incomplete,
 * another client's may only interrupt it after `pause` ticks of silence. 0 if there is no timer to
 * say when a pause is over: then lines interrupt each other at once.
 */
void view_init(struct ring *uart, struct client *clients, uint32_t client_count, bool colour,
               uint64_t pause);

/* Show all clients, or `client` alone, which must not be a log. */
void view_all(void);
void view_focus(struct client *client);

/* The client that is shown raw, or NULL. */
struct client *view_focused(void);

/* Switch colours on or off. Returns the new setting. */
bool view_toggle_colour(void);

/* Show a line of the console's own, given without its newline. */
void view_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Show `text`, a prompt and the input so far. Clients wait until view_prompt_over(). */
void view_prompt(const char *text);
void view_prompt_over(void);

/* Ring the terminal's bell. */
void view_bell(void);

/* Ask the terminal for its size. Returns false, and does not, if it is one without colours. */
bool view_ask_size(void);

/* Whether `client`'s unseen output may be dropped, so that it need not wait for the terminal. */
bool view_is_lossy(const struct client *client);

/* Write the console's own text to the UART. Returns whether there was something. */
bool view_flush(void);

/* Show the next piece of `client`'s output, if it is due. Returns whether there was something. */
bool view_show(struct client *client, uint64_t now);

/* Whether something waits for room in the UART's ring. Reading clears it. */
bool view_take_blocked(void);

/* When to look again at what is held back, in ticks, or UINT64_MAX. Reading clears it. */
uint64_t view_take_deadline(void);
