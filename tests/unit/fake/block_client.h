/* SPDX-License-Identifier: BSD-2-Clause */
/* The client of a disk's driver: its ends of the two rings, and what it expects in them. */

#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "block/protocol.h"
#include "lib/ring.h"
#include "tests/unit/fake/block_request.h"

extern uint8_t to_driver[RING_HEADER_SIZE + BLOCK_REQUEST_RING];
extern uint8_t from_driver[RING_HEADER_SIZE + BLOCK_REPLY_RING];
extern struct ring requests, replies;
extern struct request request; /* the next one */

/* Before the driver starts: both rings are empty. */
void client_reset(void);

/* `count` bytes of the request, or all of it. The driver is not told. */
void client_send_bytes(uint32_t count);
void client_send(void);

/* The next answer to a request; false if there is none. */
bool client_receive(uint32_t *id, uint32_t *status);

/* The next answer is this one. */
void expect(uint32_t id, uint32_t status);
void expect_nothing(void);

/* The next answer describes the disk. */
struct block_info expect_info(void);
