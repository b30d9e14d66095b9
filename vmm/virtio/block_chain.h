/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A guest's request to a disk (virtio 1.2, 5.2.6), as a chain of its buffers, and how it becomes a
 * request to the multiplexer (block/protocol.h). The multiplexer's request names the guest's own
 * buffers. The monitor reads the header of the guest's request, and writes the status byte; data it
 * reads or writes only for what it answers by itself.
 */

#include <linux/virtio_blk.h>
#include <stdbool.h>
#include <stdint.h>
#include "block/rings.h"
#include "lib/guest_memory.h"
#include "lib/virtqueue.h"

struct block_chain {
    struct virtqueue_chain popped;
    const struct virtqueue_segment *segments; /* the popped chain's */
    struct virtio_blk_outhdr header;          /* a private copy */
    uint8_t *status;                          /* the guest's status byte */
    uint32_t in_bytes;  /* data to fill: all that is writable but the status byte */
    uint32_t out_bytes; /* data to take: all that is readable but the header */

    /* Of a read or write, what no request has been made for yet: where it is, and how much. */
    uint64_t sector;
    uint32_t bytes_left;
    uint32_t segment;      /* of `segments`, */
    uint32_t segment_done; /* and so many bytes of it have been asked for */
};

static inline uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What is behind the virtio disk. */
struct block_backend {
    const struct guest_memory *memory;
    uint64_t ram_region_size; /* bytes of a data region: the guest's RAM is one or more of them */
    const char *id;           /* answers VIRTIO_BLK_T_GET_ID */
    struct block_info info;
};

/*
 * Find the status byte of a chain whose `popped` and `segments` are set. Returns NULL, or the cause
 * in words for which the chain cannot even be answered.
 */
const char *block_chain_find_status(struct block_chain *chain);

/* Not a VIRTIO_BLK_S_* status: the request is to be sent. */
#define BLOCK_CHAIN_SEND 0x100u

/*
 * Make a request to the multiplexer of a chain whose status byte has been found. `features` are the
 * driver's. Returns BLOCK_CHAIN_SEND, with `request` complete but for its id; or the VIRTIO_BLK_S_*
 * status with which the chain is to be answered at once, after in_bytes bytes of data. With
 * BLOCK_CHAIN_SEND, `bytes_left` says whether there is more than one request can name.
 */
unsigned block_chain_make_request(struct block_chain *chain, const struct block_backend *backend,
                                  uint64_t features, struct block_request_copy *request);

/*
 * Make the next request of a chain with bytes left. Returns false if none can be made: then the
 * chain's pieces are so small that a request cannot name a block of the disk.
 */
bool block_chain_next_request(struct block_chain *chain, const struct block_backend *backend,
                              struct block_request_copy *request);
