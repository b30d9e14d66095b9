/* SPDX-License-Identifier: BSD-2-Clause */

#include "block_chain.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define HEADER ((uint32_t)sizeof(struct virtio_blk_outhdr))

static bool has(uint64_t features, unsigned feature)
{
    return (features >> feature & 1u) != 0;
}

/* Copy `count` bytes of the readable segments from `skip` on. False if some are not there. */
static bool copy_out(const struct block_chain *chain, uint32_t skip, void *to, uint32_t count)
{
    return virtqueue_copy_out(chain->segments, chain->popped.readable, skip, to, count) == count;
}

/* Fill the writable segments. What does not fit is left out. False if some are not there. */
static bool copy_in(const struct block_chain *chain, const void *from, uint32_t count)
{
    const uint8_t *bytes = from;

    for (uint32_t i = 0; i < chain->popped.writable && count > 0; i++) {
        const struct virtqueue_segment *segment = &chain->segments[chain->popped.readable + i];
        uint32_t part = segment->length < count ? segment->length : count;

        if (segment->data == NULL) {
            return false;
        }
        memcpy(segment->data, bytes, part);
        bytes += part;
        count -= part;
    }
    return true;
}

const char *block_chain_find_status(struct block_chain *chain)
{
    const struct virtqueue_segment *last;

    if (chain->popped.writable == 0) {
        return "a request without room for its status";
    }
    last = &chain->segments[chain->popped.readable + chain->popped.writable - 1];
    if (last->data == NULL) {
        return "a request's status is to go where there is no memory";
    }
    chain->status = last->data + last->length - 1;
    chain->in_bytes = chain->popped.writable_bytes - 1;
    return NULL;
}

/*
 * Append `count` bytes of the guest's memory to the request's segments: those behind the first
 * `skip` bytes of the chain's segments from `first` on. A piece ends where two of RAM's regions
 * meet. Returns false if some memory is not there, or if the request would have too many segments.
 */
static bool add_data(const struct block_chain *chain, const struct block_backend *backend,
                     struct block_request_copy *request, uint32_t first, uint32_t skip,
                     uint32_t count)
{
    for (const struct virtqueue_segment *segment = &chain->segments[first]; count > 0; segment++) {
        uint64_t offset;
        uint32_t length;

        if (skip >= segment->length) {
            skip -= segment->length;
            continue;
        }
        if (segment->data == NULL) {
            return false;
        }
        offset = (uint64_t)(segment->data - backend->memory->base) + skip;
        length = segment->length - skip < count ? segment->length - skip : count;
        skip = 0;
        count -= length;
        while (length > 0) {
            uint64_t in_region = offset % backend->ram_region_size;
            uint64_t piece = backend->ram_region_size - in_region;

            if (request->head.segment_count == backend->info.segments_max) {
                return false;
            }
            if (piece > length) {
                piece = length;
            }
            if (piece > backend->info.segment_bytes_max) {
                piece = backend->info.segment_bytes_max;
            }
            request->segments[request->head.segment_count++] =
                (struct block_segment){.region = (uint32_t)(offset / backend->ram_region_size),
                                       .length = (uint32_t)piece,
                                       .offset = in_region};
            offset += piece;
            length -= (uint32_t)piece;
        }
    }
    return true;
}

/* ---- Kinds of requests (5.2.6) ---- */

static unsigned make_transfer(const struct block_chain *chain, const struct block_backend *backend,
                              struct block_request_copy *request, bool write)
{
    uint32_t bytes = write ? chain->out_bytes : chain->in_bytes;

    if (bytes == 0 || bytes % BLOCK_SECTOR != 0 || bytes > BLOCK_BYTES_MAX) {
        return VIRTIO_BLK_S_IOERR;
    }
    request->head = (struct block_request){.op = write ? BLOCK_WRITE : BLOCK_READ,
                                           .sector = chain->header.sector,
                                           .sector_count = bytes / BLOCK_SECTOR};
    return add_data(chain, backend, request, write ? 0 : chain->popped.readable, write ? HEADER : 0,
                    bytes)
               ? BLOCK_CHAIN_SEND
               : VIRTIO_BLK_S_IOERR;
}

static unsigned make_flush(uint64_t features, struct block_request_copy *request)
{
    if (!has(features, VIRTIO_BLK_F_FLUSH)) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    request->head = (struct block_request){.op = BLOCK_FLUSH};
    return BLOCK_CHAIN_SEND;
}

/* Discard and write zeroes, of one range: configuration space allows no more. */
static unsigned make_range(const struct block_chain *chain, uint64_t features,
                           struct block_request_copy *request, bool discard)
{
    struct virtio_blk_discard_write_zeroes range;

    if (!has(features, discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES)) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    if (chain->out_bytes != sizeof(range) || !copy_out(chain, HEADER, &range, sizeof(range))) {
        return VIRTIO_BLK_S_IOERR;
    }
    if ((range.flags & ~(discard ? 0u : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP)) != 0) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    request->head = (struct block_request){
        .op = discard ? BLOCK_DISCARD : BLOCK_WRITE_ZEROES,
        .sector = range.sector,
        .sector_count = range.num_sectors,
        .flags = range.flags != 0 ? BLOCK_REQUEST_UNMAP : 0,
    };
    return BLOCK_CHAIN_SEND;
}

/* The id string: not terminated if it has all its bytes (5.2.6). */
static unsigned answer_id(struct block_chain *chain, const struct block_backend *backend)
{
    char id[VIRTIO_BLK_ID_BYTES] = {0};

    if (chain->in_bytes > sizeof(id)) {
        chain->in_bytes = sizeof(id);
    }
    for (unsigned i = 0; i < sizeof(id) && backend->id[i] != '\0'; i++) {
        id[i] = backend->id[i];
    }
    return copy_in(chain, id, chain->in_bytes) ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

unsigned block_chain_make_request(struct block_chain *chain, const struct block_backend *backend,
                                  uint64_t features, struct block_request_copy *request)
{
    if (!copy_out(chain, 0, &chain->header, HEADER)) {
        return VIRTIO_BLK_S_IOERR;
    }
    chain->out_bytes = chain->popped.readable_bytes - HEADER;
    switch (chain->header.type) {
    case VIRTIO_BLK_T_IN:
        return make_transfer(chain, backend, request, false);
    case VIRTIO_BLK_T_OUT:
        return make_transfer(chain, backend, request, true);
    case VIRTIO_BLK_T_FLUSH:
        return make_flush(features, request);
    case VIRTIO_BLK_T_DISCARD:
        return make_range(chain, features, request, true);
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return make_range(chain, features, request, false);
    case VIRTIO_BLK_T_GET_ID:
        return answer_id(chain, backend);
    default:
        return VIRTIO_BLK_S_UNSUPP;
    }
}
