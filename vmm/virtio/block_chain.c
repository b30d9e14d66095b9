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

/* ---- Data ---- */

/* Whether all of a chain's segments that the disk is to write, or to read, are there. */
static bool is_there(const struct block_chain *chain, bool write)
{
    uint32_t first = write ? 0 : chain->popped.readable;
    uint32_t count = write ? chain->popped.readable : chain->popped.writable;

    for (uint32_t i = first; i < first + count; i++) {
        if (chain->segments[i].data == NULL) {
            return false;
        }
    }
    return true;
}

/*
 * Append `length` bytes of the guest's memory to the request's segments. A piece ends where two of
 * RAM's regions meet. Returns how many bytes found no room.
 */
static uint32_t add_piece(const struct block_backend *backend, struct block_request_copy *request,
                          const uint8_t *data, uint32_t length)
{
    uint64_t offset = (uint64_t)(data - backend->memory->base);

    while (length > 0 && request->head.segment_count < backend->info.segments_max) {
        uint64_t in_region = offset % backend->ram_region_size;
        uint64_t piece = backend->ram_region_size - in_region;

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
    return length;
}

/* Append up to `count` of the chain's bytes that are left. Returns how many found room. */
static uint32_t add_data(const struct block_chain *chain, const struct block_backend *backend,
                         struct block_request_copy *request, uint32_t count)
{
    const struct virtqueue_segment *segment = &chain->segments[chain->segment];
    uint32_t skip = chain->segment_done;
    uint32_t added = 0;

    while (added < count) {
        uint32_t part = smaller(segment->length - skip, count - added);
        uint32_t left_out = add_piece(backend, request, segment->data + skip, part);

        added += part - left_out;
        if (left_out > 0) {
            break;
        }
        segment++;
        skip = 0;
    }
    return added;
}

/* Take the last `count` bytes out of a request again. */
static void remove_data(struct block_request_copy *request, uint32_t count)
{
    while (count > 0) {
        struct block_segment *last = &request->segments[request->head.segment_count - 1];
        uint32_t part = smaller(last->length, count);

        last->length -= part;
        request->head.segment_count -= last->length == 0;
        count -= part;
    }
}

static void skip_data(struct block_chain *chain, uint32_t count)
{
    while (count > 0) {
        uint32_t rest = chain->segments[chain->segment].length - chain->segment_done;

        if (count < rest) {
            chain->segment_done += count;
            return;
        }
        chain->segment++;
        chain->segment_done = 0;
        count -= rest;
    }
}

/* A request that is not a chain's last one ends with a block of the disk. */
bool block_chain_next_request(struct block_chain *chain, const struct block_backend *backend,
                              struct block_request_copy *request)
{
    uint32_t block =
        backend->info.block_size > BLOCK_SECTOR ? backend->info.block_size : BLOCK_SECTOR;
    uint32_t bytes;

    request->head = (struct block_request){
        .op = chain->header.type == VIRTIO_BLK_T_OUT ? BLOCK_WRITE : BLOCK_READ,
        .sector = chain->sector};
    bytes = add_data(chain, backend, request, smaller(chain->bytes_left, BLOCK_BYTES_MAX));
    if (bytes < chain->bytes_left) {
        remove_data(request, bytes % block);
        bytes -= bytes % block;
    }
    if (bytes == 0) {
        return false;
    }
    request->head.sector_count = bytes / BLOCK_SECTOR;
    if (bytes < chain->bytes_left) {
        skip_data(chain, bytes);
    }
    chain->sector += bytes / BLOCK_SECTOR;
    chain->bytes_left -= bytes;
    return true;
}

/* ---- Kinds of requests (5.2.6) ---- */

/*
 * Whether so many sectors from `sector` on are on the disk. The multiplexer checks each request.
 * This keeps the beginning of what does not fit from being written, if it is several requests.
 */
static bool is_on_disk(const struct block_info *info, uint64_t sector, uint64_t count)
{
    return sector <= info->sectors && count <= info->sectors - sector;
}

static unsigned make_transfer(struct block_chain *chain, const struct block_backend *backend,
                              struct block_request_copy *request, bool write)
{
    uint32_t bytes = write ? chain->out_bytes : chain->in_bytes;

    if (bytes == 0 || bytes % BLOCK_SECTOR != 0 || !is_there(chain, write)) {
        return VIRTIO_BLK_S_IOERR;
    }
    chain->sector = chain->header.sector;
    chain->bytes_left = bytes;
    chain->segment = write ? 0 : chain->popped.readable;
    chain->segment_done = 0;
    skip_data(chain, write ? HEADER : 0);
    if (!block_chain_next_request(chain, backend, request)) {
        return VIRTIO_BLK_S_IOERR;
    }
    if (chain->bytes_left != 0 &&
        !is_on_disk(&backend->info, chain->header.sector, bytes / BLOCK_SECTOR)) {
        return VIRTIO_BLK_S_IOERR;
    }
    return BLOCK_CHAIN_SEND;
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
