/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The multiplexer's end of the rings to the disk's driver. Each request in flight has a slot. */

#include <stdbool.h>
#include <stdint.h>
#include "rings.h"

/* A request in flight: whose it is, and what its completion needs. */
struct flight {
    uint32_t owner;
    uint32_t id; /* the owner's */
    uint32_t bytes;
    uint16_t op; /* block/protocol.h */
    bool writes;
    uint64_t begin; /* ticks of the counter */
};

/* Attach to the rings that the configuration names. */
void driver_init(void);

/*
 * Send a request that is checked and translated; its id is replaced. Returns false if there is no
 * room now. Try again when a request in flight has ended or the driver notifies.
 */
bool driver_send(const struct block_request_copy *request, const struct flight *flight);

enum driver_event {
    DRIVER_NOTHING = 0,
    DRIVER_INFO, /* *info describes the disk: the driver's first record */
    DRIVER_DONE, /* *flight has ended with *status */
};

/* Take the next record from the driver. After DRIVER_NOTHING it notifies when there is one. */
enum driver_event driver_take(struct block_info *info, struct flight *flight, uint32_t *status);

/* After a batch: notify the driver if it waits for what was done. */
void driver_flush(void);
