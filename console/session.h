/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A session of the control channel (docs/control.md): the UART speaks frames to a program on the
 * host, and not text to a terminal. One at a time. While there is one, nothing is shown by view.c.
 *
 * Clients' output waits in their rings while the line is busy. What the host sends is checked here:
 * it has power over every machine, and over nothing else.
 */

#include <stdbool.h>
#include <stdint.h>
#include "client.h"
#include "lib/control_link.h"
#include "lib/ring.h"

/* The UART's rings, and all clients, `count` of them; all are kept. */
void session_init(struct ring *transmit, struct ring *receive, struct client *all, uint32_t count);

/* Begin one, in place of the one that there may be. `now` is in ticks, here and below. */
void session_begin(const uint8_t token[LINK_TOKEN_SIZE], uint64_t now);

/* Whether there is one. It ends within session_serve(), or with session_take(). */
bool session_active(void);

/* Bytes of the session's that have been fetched from the UART's ring already. */
void session_take(const uint8_t *bytes, uint32_t count, uint64_t now);

/* Move what can be moved. Returns whether there was something; the caller calls it again then. */
bool session_serve(uint64_t now);

/* When to serve though nobody has notified, in ticks. */
uint64_t session_deadline(void);
