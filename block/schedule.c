/* SPDX-License-Identifier: BSD-2-Clause */

#include "schedule.h"

#include <stdbool.h>

#define QUANTUM (128u << 10) /* bytes added to the deficit counter in each round */

/* What a request costs besides the bytes that it transfers, in bytes. */
#define REQUEST_COST (16u << 10)

static uint32_t turn; /* the client whose turn it is */

static uint32_t cost(const struct client *client)
{
    return client->transfer_bytes + REQUEST_COST;
}

enum outcome { HAS_MORE, IDLE, NO_ROOM };

/* One turn of one client. */
static enum outcome take_turn(struct client *client, uint32_t owner)
{
    while (client_ready(client)) {
        if (!client->quantum_added) {
            client->quantum_added = true;
            client->deficit += QUANTUM;
        }
        if (client->deficit < cost(client)) {
            return HAS_MORE;
        }
        if (!client_send(client, owner)) {
            return NO_ROOM; /* the turn is not over */
        }
        client->deficit -= cost(client);
    }
    client->deficit = 0; /* a client without requests saves nothing up */
    return IDLE;         /* it notifies when it has more */
}

/* Ends: deficit counters grow in each round, and sizes of requests and numbers of slots are
 * bounded. */
bool schedule(struct client *clients, uint32_t count)
{
    uint32_t idle = 0;

    while (idle < count) {
        if (turn >= count) {
            turn = 0;
        }
        switch (take_turn(&clients[turn], turn)) {
        case NO_ROOM:
            return false;
        case IDLE:
            idle++;
            break;
        default:
            idle = 0;
        }
        clients[turn].quantum_added = false;
        turn++;
    }
    return true;
}
