/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The disk's driver as the multiplexer sees it: requests go, and answers come, in a slot each. */

#include <stdbool.h>
#include <stdint.h>
#include "protocol.h"

/* The multiplexer's private copy of a request. */
struct request {
    struct block_request head;
    struct block_segment segments[BLOCK_SEGMENTS_MAX];
};

/* On whose behalf a request is in flight, and what is to be remembered of it. */
struct flight {
    uint32_t owner;
    uint32_t id; /* the owner's */
    uint32_t bytes;
    bool writes;
};

/* Attach to the rings that the configuration names. */
void driver_init(void);

/*
 * Send a request, which is checked and in the driver's terms; its id is not looked at. Returns
 * false if there is no room now; there will be when something in flight has finished, or the
 * driver notifies.
 */
bool driver_send(const struct request *request, const struct flight *flight);

enum driver_event {
    DRIVER_NOTHING = 0,
    DRIVER_INFO, /* *info is what the disk is like: the driver's first word */
    DRIVER_DONE, /* *flight has ended with *status */
};

/* What the driver has to say. After DRIVER_NOTHING it notifies when there is more. */
enum driver_event driver_take(struct block_info *info, struct flight *flight, uint32_t *status);

/* After a batch: notify the driver if it waits for what was done. */
void driver_flush(void);
