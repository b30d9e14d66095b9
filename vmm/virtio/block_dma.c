/* SPDX-License-Identifier: BSD-2-Clause */

#include "block_dma.h"

#include <string.h>
#include "lib/dma.h"

void block_dma_init(struct block_dma *dma)
{
    memset(dma, 0, sizeof(*dma));
    for (uint32_t i = 0; i + 1 < BLOCK_DMA_PIECES; i++) {
        dma->pieces[i].next = (uint16_t)(i + 2);
    }
    dma->free = 1;
    dma->free_count = BLOCK_DMA_PIECES;
}

/* A new piece of the slot's read. There is a free one. */
static struct block_dma_piece *add_piece(struct block_dma *dma, uint32_t slot)
{
    uint16_t number = dma->free;
    struct block_dma_piece *piece = &dma->pieces[number - 1];

    dma->free = piece->next;
    dma->free_count--;
    piece->next = dma->reads[slot];
    dma->reads[slot] = number;
    return piece;
}

bool block_dma_begin(struct block_dma *dma, uint32_t slot, const struct block_request_copy *request,
                     uint8_t *ram, uint64_t region_size)
{
    bool read = request->head.op == BLOCK_READ;

    if (read && request->head.segment_count > dma->free_count) {
        return false;
    }
    for (uint32_t i = 0; i < request->head.segment_count; i++) {
        const struct block_segment *segment = &request->segments[i];
        uint8_t *start = ram + segment->region * region_size + segment->offset;

        if (read) {
            dma_invalidate(start, segment->length);
            struct block_dma_piece *piece = add_piece(dma, slot);

            piece->start = start;
            piece->length = segment->length;
        } else {
            dma_clean(start, segment->length);
        }
    }
    return true;
}

void block_dma_end(struct block_dma *dma, uint32_t slot)
{
    while (dma->reads[slot] != 0) {
        uint16_t number = dma->reads[slot];
        struct block_dma_piece *piece = &dma->pieces[number - 1];

        dma_invalidate(piece->start, piece->length);
        dma->reads[slot] = piece->next;
        piece->next = dma->free;
        dma->free = number;
        dma->free_count++;
    }
}
