/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the board's PDs have counted (docs/control.md, SETS and STATS). The board is asked for all
 * of it at once, and not again before it has answered: who wants it meanwhile gets the same.
 * clients_counters() gets what the board says, or clients_counters_failed() why there is nothing.
 * Times are in microseconds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ask, unless that is under way. False: the board does not answer at the moment. */
bool counters_ask(uint64_t now);

/* An answer to SETS or STATS. */
void counters_answer(uint16_t request, uint8_t status, const uint8_t *data, size_t length,
                     uint64_t now);

/* Do what is due. */
void counters_step(uint64_t now);

/* The session is lost, and with it what is under way. */
void counters_disconnected(void);
