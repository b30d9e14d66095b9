/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The commands that are connected to the background process. Each has a bounded buffer: who does
 * not read loses its connection, and holds up nobody. Times are in microseconds.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bytes.h"

#define CLIENTS_MAX 64u

void clients_init(const char *system);

/* A connection. One that is `starting` waits for the system to be up, and ends it if it goes away
 * before; if it is `attached`, then afterwards as well. */
void clients_add(int fd, bool starting, bool attached);

/* Fill in what to wait for: CLIENTS_MAX entries, with the descriptor -1 where there is none. */
void clients_poll(struct pollfd *polls);
/* Do what can be done. */
void clients_serve(const struct pollfd *polls, uint64_t now);
/* When clients_serve() is due. */
uint64_t clients_deadline(uint64_t now);

/* What has happened. A session that has begun: whoever waits for the system to be up is told once
 * the machines' states are known, or after three seconds. */
void clients_connected(uint64_t now);
void clients_disconnected(void);
void clients_output(uint32_t index, const uint8_t *bytes, size_t count);
/* The board has another machine at this number now, or none: whoever looks at it is told. */
void clients_replaced(uint32_t index);
void clients_answer(uint16_t request, uint8_t status);
void clients_counters(const struct bytes *text);
void clients_counters_failed(const char *why);

/* Whoever waits for the system to be up is told that it is not going to be. */
void clients_fail(const char *message);

/* The system ends: tell all, with this exit status, and wait a little until they have read it. Who
 * asked for the end gets status 0, and its connection ends with the process. */
void clients_end(const char *message, uint8_t status);

/* Whether somebody wants the system to end. */
bool clients_want_end(void);
