/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What other PDs count (lib/stats.h), for the host: the answers to SETS and STATS of
 * docs/control.md. The words are read here, and may be whatever a monitor has written.
 */

#include <stdbool.h>
#include <stdint.h>

/* Call it first. */
void counters_init(void);

/*
 * Write sets from number `first` on to `at`, as many as fit before `end`. Returns where the next
 * one would be.
 */
uint8_t *counters_list(uint8_t *at, const uint8_t *end, uint32_t first);

/* Whether a set has that word. */
bool counters_has(uint32_t set, uint32_t word);

/*
 * Write the time, and the words of a set from `first` on, as many as fit before `end`. The set has
 * that word, and 18 bytes fit. Returns where the next word would be.
 */
uint8_t *counters_put(uint8_t *at, const uint8_t *end, uint32_t set, uint32_t first);
