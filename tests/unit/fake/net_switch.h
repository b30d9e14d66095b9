/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch above a card's driver: its ends of the two rings, and frames that it knows again. */

#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "lib/ring.h"

#define SWITCH_RING   (512u << 10)
#define SWITCH_HEADER 12u /* of a record, before the frame */

extern uint8_t up[RING_HEADER_SIZE + SWITCH_RING];
extern uint8_t down[RING_HEADER_SIZE + SWITCH_RING];
extern struct ring from_driver, to_driver;
extern uint8_t record[SWITCH_HEADER + 80000]; /* the one that was made last */

/* Before the driver starts: both rings are empty. */
void switch_reset(void);

/* What the driver says that it accepts (NET_PORT_...). */
uint32_t accepts(void);

bool has_said(const char *part);

/* Makes a plain frame of `length` bytes, as a record. Each seed gives another one. */
void make(uint32_t length, uint8_t seed);

/* Gives the driver `count` bytes of the record, without telling it; false if there is no room. */
bool put(uint32_t count);

/* The next record from the driver holds this frame; false also if there is none. */
bool got(uint32_t length, uint8_t seed);
/* The same, and its header has these flags and is zero otherwise. */
bool got_with(uint32_t length, uint8_t seed, uint8_t flags);
bool got_nothing(void);
