/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Reading the disk's GUID partition table at start: first the primary, if that is no good the
 * backup at the disk's end. One request is in flight at a time, into the multiplexer's own buffer.
 */

#include <stdbool.h>
#include <stdint.h>
#include "protocol.h"

#define PARTITIONS_OWNER UINT32_MAX /* of the requests, see struct flight */

/* Begin to read. `disk` is kept. Returns true if that is over already: there is nothing to read. */
bool partitions_begin(const struct block_info *disk);

/* The request in flight has ended with `status`. Returns true if reading is over, or has failed. */
bool partitions_continue(uint32_t status);

/*
 * When reading is over: find a partition by `name`, or by `number` if `name` is NULL. Gives its
 * place in sectors. Returns NULL, or why there is none, a sentence without a full stop.
 */
const char *partitions_find(const char *name, uint32_t number, uint64_t *first, uint64_t *sectors);
