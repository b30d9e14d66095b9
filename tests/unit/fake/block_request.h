/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A request to a disk as it is in a ring, and the usual one: for tests of who passes them on. */

#include <stdint.h>
#include "block/protocol.h"

struct request {
    struct block_request head;
    struct block_segment segments[BLOCK_SEGMENTS_MAX];
};

/* What it reads or writes is at the start of the client's first region. */
static inline struct request request_of(uint32_t id, enum block_op op, uint64_t sector,
                                        uint32_t sector_count)
{
    struct request request = {
        .head = {.id = id, .op = (uint16_t)op, .sector = sector, .sector_count = sector_count}};

    if (op == BLOCK_READ || op == BLOCK_WRITE) {
        request.head.segment_count = 1;
        request.segments[0].length = sector_count * BLOCK_SECTOR;
    }
    return request;
}
