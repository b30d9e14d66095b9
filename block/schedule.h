/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Whose request goes next: deficit round robin (Shreedhar and Varghese, 1996) by bytes. In each
 * round a client that has requests gets the same quantum added to its deficit counter. What a
 * request transfers is subtracted, so that neither many requests nor large ones get more than a
 * fair share.
 */

#include <stdbool.h>
#include <stdint.h>
#include "client.h"

/*
 * Send what can be sent for `count` clients. A client's index is the owner of its requests. Returns
 * false if the driver has no room for more: then not all clients have been asked.
 */
bool schedule(struct client *clients, uint32_t count);
