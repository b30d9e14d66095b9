/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What counters say: differences, rates, shares, latencies, and how they are written. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bytes.h"
#include "lib/stats.h"

/* By how much a counter has grown. One that went back says nothing: 0. */
uint64_t figures_grown(uint64_t before, uint64_t after);

/* So much in `nanoseconds`, per second; 0 if no time has passed. */
double figures_rate(uint64_t amount, uint64_t nanoseconds);

/* In percent; 0 if the whole is 0. */
double figures_percent(uint64_t part, uint64_t whole);

/* The sum of counters, at most UINT64_MAX. */
uint64_t figures_sum(const uint64_t *counters, size_t count);

/* A machine's exits of all causes. */
uint64_t figures_exits(const struct stats_machine *machine);

/* The class of latencies (lib/stats.h) in which the slowest of the fastest 99 % is; -1: there were
 * no requests. */
int figures_99(const uint64_t *classes);

/* Three digits, or as many as stand before the point, and a prefix: "1.23 M", with `unit` behind
 * it. Below 1000 whole numbers have no point. */
void figures_scaled(struct bytes *text, double value, const char *unit);

/* The same in at most five characters, as long as the value is below 10^18: "1.23M". */
void figures_short(struct bytes *text, double value);

/* Three digits: "1.50 us", "12.3 s". */
void figures_duration(struct bytes *text, double nanoseconds);

/* A number of seconds, 0.1 to 86400, as a command's word. False: it is none. */
bool figures_seconds(const char *word, double *seconds);
