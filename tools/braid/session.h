/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The host's end of the control channel (docs/control.md). It begins a session, and another one
 * whenever the board is not heard any more. Times are in microseconds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The board may be in a loader that takes a hello for a key: say it only where that cannot be.
 * Comes before session_begin(). */
void session_expect_loader(uint64_t now);

void session_begin(uint64_t now);

/* Whether the board has answered, and has named all that it has. */
bool session_open(void);

/* Bytes from the line. */
void session_take(const uint8_t *bytes, size_t count, uint64_t now);

/* Do what is due. */
void session_step(uint64_t now);

/* At most `room` bytes for the line. */
size_t session_transmit(uint8_t *bytes, size_t room, uint64_t now);

/* When to call session_step() and session_transmit() though the line is quiet. */
uint64_t session_deadline(void);

/*
 * Ask the board. Returns the request's number, or 0 if too many wait. clients_answer() gets the
 * answer, or the news that there will be none; that to SETS and STATS counters_answer() gets.
 */
uint16_t session_request(uint8_t what, uint8_t client, const uint8_t *arguments, size_t length);

/* Nobody waits for the answer any more. */
void session_forget(uint16_t id);

/* Whether all input of a machine's has arrived at the board. */
bool session_delivered(uint32_t index);

/* End the session: the next bytes of session_transmit() say so. */
void session_end(void);
