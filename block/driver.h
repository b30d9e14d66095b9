/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The multiplexer's end of the rings to the disk's driver. Each request in flight has a slot, with
 * a copy of the request.
 *
 * A driver that faults is started again (lib/supervisor.h). Its init() resets the device before it
 * describes the disk, so nothing of before is in flight then. What was in flight is sent again, one
 * request after the other: if the driver faults with one alone, that one is answered with an error
 * and the rest goes on. New requests wait until all of this is over.
 *
 * A driver that is given up leaves a device that may still be at work. So what was in flight is
 * never answered: its memory must not be used for anything else. New requests are errors, as far as
 * their client may have another one in flight.
 */

#include <microkit.h>
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
    DRIVER_INFO, /* *info describes the disk: once, before all else */
    DRIVER_DONE, /* *flight has ended with *status */
};

/* Take the next record from the driver. After DRIVER_NOTHING it notifies when there is one. */
enum driver_event driver_take(struct block_info *info, struct flight *flight, uint32_t *status);

/* Whether driver_take has something that no notification of the driver's will tell of. */
bool driver_has_own(void);

/* The driver has faulted with this message. Take what it has to say afterwards. */
void driver_fault(microkit_msginfo info);

/* After a batch: notify the driver if it waits for what was done. */
void driver_flush(void);
