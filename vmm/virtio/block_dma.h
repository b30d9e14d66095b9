/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Cache maintenance for a disk that reads and writes the guest's memory past the caches
 * (lib/dma.h). The guest believes that its caches see what a disk does: it is the monitor, which
 * maps the guest's memory, that makes this so.
 *
 * A guest may name any of its memory, overlapping or in the midst of a cache line. It harms only
 * itself: lines do not lie across the ends of a guest's memory. If it writes to a line while the
 * disk does, one of the two is lost.
 */

#include <stdbool.h>
#include <stdint.h>
#include "block/rings.h"

/*
 * How many pieces of memory a disk's reads in flight may have. A single request has room always.
 * What has none now waits until others have ended.
 */
#define BLOCK_DMA_PIECES 512u

_Static_assert(BLOCK_DMA_PIECES >= BLOCK_SEGMENTS_MAX, "room for a request");

/* A piece of the guest's memory that the disk writes. */
struct block_dma_piece {
    uint8_t *start;
    uint32_t length;
    uint16_t next; /* in its list, by number plus 1; 0: it is the last one */
};

struct block_dma {
    struct block_dma_piece pieces[BLOCK_DMA_PIECES];
    uint16_t free; /* lists, by the number of the first piece plus 1; 0: an empty one */
    uint32_t free_count;
    uint16_t reads[BLOCK_DEPTH]; /* of each slot */
};

void block_dma_init(struct block_dma *dma);

/*
 * Hand the memory of a read or write to the disk, before its record is committed. Its segments have
 * been checked: `ram` is where this PD sees the guest's RAM, which is regions of `region_size`
 * bytes. The pieces of a read are kept under `slot`, below BLOCK_DEPTH, which has none. Returns
 * false, and has done nothing, if there is no room for them now.
 */
bool block_dma_begin(struct block_dma *dma, uint32_t slot, const struct block_request_copy *request,
                     uint8_t *ram, uint64_t region_size);

/*
 * Take the memory of the slot's read back, when the disk has ended it, or has never had it. Call it
 * before the guest hears of that. Nothing happens if the slot has no read.
 */
void block_dma_end(struct block_dma *dma, uint32_t slot);
