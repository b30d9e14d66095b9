/* SPDX-License-Identifier: BSD-2-Clause */

#include "schedule.h"

#include <stdbool.h>

#define QUANTUM      (128u << 10) /* bytes of credit in each round */
#define REQUEST_COST (16u << 10)  /* what a request costs besides the bytes that it moves */

static uint32_t turn; /* the client whose turn it is */

static uint32_t cost(const struct client *client)
{
    return client->moves + REQUEST_COST;
}

enum outcome { HAS_SENT, SAVES, IDLE, NO_ROOM };

/* One turn of one client. */
static enum outcome take_turn(struct client *client, uint32_t owner)
{
    bool sent = false;

    while (client_ready(client)) {
        if (!client->granted) {
            client->granted = true;
            client->credit += QUANTUM;
        }
        if (client->credit < cost(client)) {
            return sent ? HAS_SENT : SAVES;
        }
        if (!client_send(client, owner)) {
            return NO_ROOM; /* the turn is not over */
        }
        client->credit -= cost(client);
        sent = true;
    }
    client->credit = 0; /* who has nothing to do saves nothing up */
    return sent ? HAS_SENT : IDLE;
}

/* Ends because credits grow in each round, requests are finite in size, and slots in number. */
void schedule(struct client *clients, uint32_t count)
{
    uint32_t idle = 0;

    while (idle < count) {
        if (turn >= count) {
            turn = 0;
        }
        switch (take_turn(&clients[turn], turn)) {
        case NO_ROOM:
            return;
        case IDLE:
            idle++;
            break;
        default:
            idle = 0;
        }
        clients[turn].granted = false;
        turn++;
    }
}
