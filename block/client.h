/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * One client, which is one disk of one VM: its rings, its part of the disk, and the checks that
 * keep it there. Whatever it sends, it is copied once, checked, and put into the driver's terms
 * before anybody else sees it.
 */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "driver.h"
#include "lib/ring.h"

struct client {
    const struct block_client_config *config;
    struct ring requests;
    struct ring replies;
    struct block_info info; /* its disk, as it has been told */
    uint64_t first;         /* where its part begins, in sectors of the whole disk */
    bool open;              /* has been told; from then on requests are taken */
    bool reported;          /* a broken ring */
    uint32_t in_flight;     /* requests, */
    uint32_t writes;        /* those of them that change the disk, */
    uint32_t bytes;         /* and what they move */

    /* The oldest request that is not yet in flight, checked and in the driver's terms. */
    bool waiting;
    struct request request;
    uint32_t moves; /* bytes: what its turn costs, nearly */

    /* The scheduler's, see schedule.h. */
    uint64_t credit;
    bool granted;
};

/* Attach to the client's rings. `config` is kept. */
void client_init(struct client *client, const struct block_client_config *config);

/*
 * Tell the client of its disk: the `sectors` from `first` of `disk`, which hold as they are told
 * or else `sectors` is 0: then it has no medium.
 */
void client_open(struct client *client, const struct block_info *disk, uint64_t first,
                 uint64_t sectors);

/*
 * Whether the client has a request that may go now. Requests that are wrong are answered here. If
 * not, the client notifies, or something of its own that is in flight ends.
 */
bool client_ready(struct client *client);

/* Send what is ready; false if the driver has no room now. */
bool client_send(struct client *client, uint32_t owner);

/* A request of the client's has ended. */
void client_done(struct client *client, const struct flight *flight, uint32_t status);

/* After a batch: notify the client if it waits for what was done. */
void client_flush(struct client *client);
