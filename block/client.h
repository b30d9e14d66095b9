/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One client, which is one disk of one VM: its rings, its slice of the board's disk, and the checks
 * that keep it there. A request is copied once, checked, and translated into the driver's regions
 * and sectors before anything else is done with it.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "driver.h"
#include "lib/ring.h"
#include "limit.h"

struct client {
    const struct block_client_config *config;
    struct ring requests;
    struct ring replies;
    struct block_info info; /* its disk, as described to it */
    uint64_t first;         /* where its slice begins, in sectors of the whole disk */
    bool open;              /* its disk has been described; requests are taken from then on */
    bool reported;          /* a broken ring */
    uint32_t in_flight;     /* requests, */
    uint32_t writes;        /* those of them that change the disk, */
    uint32_t bytes;         /* and what they move */
    struct limit limit;
    struct stats_disk *stats;

    uint32_t refused; /* requests that were answered as invalid since client_flush */

    /* The oldest request that is not yet in flight, checked and translated. */
    bool waiting;
    bool held; /* by its limit, when it was last looked at */
    struct block_request_copy request;
    uint32_t transfer_bytes; /* what it costs in its turn, besides REQUEST_COST */

    /* The scheduler's, see schedule.h. */
    uint64_t deficit;
    bool quantum_added;
};

/* Attach to the client's rings. `config` is kept, and what it does is counted in `stats`. */
void client_init(struct client *client, const struct block_client_config *config,
                 struct stats_disk *stats);

/*
 * Open the client's disk and describe it to the client: `sectors` sectors of `disk` from `first`
 * on, which the caller has checked. If `sectors` is 0 the client has no medium.
 */
void client_open(struct client *client, const struct block_info *disk, uint64_t first,
                 uint64_t sectors);

/*
 * Whether the client has a request that may go now. Invalid requests are answered here, some of
 * them until client_flush. If there is none, it is time to ask again when the client notifies, one
 * of its requests ends, its limit lets one go (client_is_held), or client_flush has said so.
 */
bool client_ready(struct client *client);

/*
 * Whether its limit has held a request up when client_ready last looked. Then *opens is when that
 * may go, in ticks of CNTPCT_EL0, and may have passed meanwhile.
 */
bool client_is_held(const struct client *client, uint64_t *opens);

/* Send the request that is ready. Returns false if the driver has no room now. */
bool client_send(struct client *client, uint32_t owner);

/* A request of the client's has ended. */
void client_done(struct client *client, const struct flight *flight, uint32_t status);

/*
 * After a batch: notify the client if it waits for what was done. Returns true if so many of its
 * requests were invalid that there may be more: the others' turn comes first, then it is asked
 * again.
 */
bool client_flush(struct client *client);
