/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clients of a timer's driver, for whom time passes. A chip's test has the model of the chip,
 * and calls init() as microkit does.
 */

#pragma once

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>

#define TIMER_CLIENTS 3
#define TIMER_IRQ     40
#define MHZ           1000000ull

/* Of the chip's model: whether its interrupt is raised now, */
bool chip_line(void);
/* and CNTPCT when it will be raised next; UINT64_MAX if never. */
uint64_t chip_next(void);

extern unsigned interrupts; /* that advance() has delivered; the test sets it to 0 */

/* A client asks to be woken at a time of CNTPCT. */
void set(microkit_channel ch, uint64_t deadline);

/* Let time pass up to `now`, with the interrupts on the way, each of which is to be acknowledged.
 */
void advance(uint64_t now);

/* The bodies of tests of any chip. Where a time is a duration, it is in ticks of CNTPCT. */

/* Of three deadlines the earliest counts, as they come and go; the driver has started. */
void check_earliest_is_armed_and_replaced(void);

/* Random deadlines, up to 10 ms away; nobody is woken early, or later than `late_max`. */
void check_random_requests(uint64_t late_max);

/* A start at which the driver finds no timer for this cause. `writes` counts those of registers. */
void check_no_timer(const char *cause, const uint64_t *writes);
