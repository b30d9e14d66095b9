/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Whose request goes next: deficit round robin (Shreedhar and Varghese, 1996) by bytes. Each
 * client that has something to do is given the same credit in each round, and what its requests
 * move is taken off it, so that neither many requests nor large ones get more than a fair share.
 */

#include <stdint.h>
#include "client.h"

/* Send what can be sent, of `count` clients; a client's index is the owner of its requests. */
void schedule(struct client *clients, uint32_t count);
