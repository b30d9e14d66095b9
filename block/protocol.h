/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Requests to a disk. They are records (lib/ring.h) from a monitor to the disk multiplexer, and
 * from there, in the same format, to the driver. Replies go back the same way. Sectors have
 * BLOCK_SECTOR bytes, whatever the disk's own block size. Sector 0 is the first of the client's
 * slice of the disk (for the driver: of the disk).
 *
 * Data is not copied. A client's data regions are the pieces of its guest's RAM; the driver's
 * configuration has their physical addresses. A segment names a region by its number (a client
 * counts its own from 0; the driver counts all) and a part of it, which the disk reads or writes
 * itself.
 *
 * The first record that a client receives is a block_info. From then on every request, valid or
 * not, is answered by one block_done with its id, in any order. A client has at most BLOCK_DEPTH
 * requests unanswered; what it sends beyond them waits in its ring.
 *
 * A flush covers every write of the same client that was in the ring before it.
 */

#include <stdint.h>

#define BLOCK_SECTOR       512u
#define BLOCK_SEGMENTS_MAX 256u       /* of a request */
#define BLOCK_BYTES_MAX    (8u << 20) /* of a request's data */
#define BLOCK_DEPTH        64u
#define BLOCK_REQUEST_RING (64u << 10) /* bytes of data in the rings that the generator makes */
#define BLOCK_REPLY_RING   (16u << 10)

enum block_op {
    BLOCK_READ = 0,
    BLOCK_WRITE,
    BLOCK_FLUSH,   /* what has been answered is on the medium when this is */
    BLOCK_DISCARD, /* the contents of these sectors are of no more interest */
    BLOCK_WRITE_ZEROES,
};

enum block_status {
    BLOCK_OK = 0,
    BLOCK_IO_ERROR,
    BLOCK_UNSUPPORTED, /* the disk has no such operation */
};

#define BLOCK_REQUEST_UNMAP (1u << 0) /* write zeroes: the disk may give the room back */

struct block_segment {
    uint32_t region;
    uint32_t length; /* bytes, above 0; the segments' sum is a multiple of the sector */
    uint64_t offset; /* bytes from the region's start */
};

/* A request's record begins with this; `segment_count` struct block_segment follow. */
struct block_request {
    uint32_t id;            /* the sender's, given back in the answer */
    uint16_t op;            /* enum block_op */
    uint16_t segment_count; /* 0 unless reading or writing */
    uint64_t sector;
    uint32_t sector_count; /* 0 for a flush; when reading or writing, what the segments hold */
    uint32_t flags;        /* BLOCK_REQUEST_* */
};

/* The first word of a reply: its kind. */
enum block_reply_kind { BLOCK_REPLY_INFO = 1, BLOCK_REPLY_DONE };

struct block_done {
    uint32_t kind; /* BLOCK_REPLY_DONE */
    uint32_t id;
    uint32_t status; /* enum block_status */
};

#define BLOCK_INFO_READ_ONLY    (1u << 0)
#define BLOCK_INFO_FLUSH        (1u << 1) /* a write may be answered before it is on the medium */
#define BLOCK_INFO_DISCARD      (1u << 2)
#define BLOCK_INFO_WRITE_ZEROES (1u << 3)
#define BLOCK_INFO_UNMAP        (1u << 4) /* write zeroes knows BLOCK_REQUEST_UNMAP */

/* A description of the disk, or of the client's slice. The limits are those of one request. */
struct block_info {
    uint32_t kind;         /* BLOCK_REPLY_INFO */
    uint32_t features;     /* BLOCK_INFO_* */
    uint64_t sectors;      /* 0: there is no disk, and every request is an error */
    uint32_t block_size;   /* bytes; what requests are aligned to: a power of two, 512 .. 4096 */
    uint32_t segments_max; /* at least 2 */
    uint32_t segment_bytes_max; /* at least 4096 */
    uint32_t discard_sectors_max;
    uint32_t discard_alignment; /* sectors */
    uint32_t write_zeroes_sectors_max;
    uint32_t optimal_blocks;   /* the best size of a request, in blocks; 0: unknown */
    uint16_t minimum_blocks;   /* a request smaller than this is slow; 0: unknown */
    uint8_t physical_exponent; /* a physical block is 2^this blocks, */
    uint8_t alignment_offset;  /* and one begins at this block */
};

/* In a ring of replies each takes a header line and one line: none is ever split or skipped. */
#define BLOCK_REPLY_BYTES 128u

_Static_assert(sizeof(struct block_request) == 24, "segments follow at a multiple of 8");
_Static_assert(sizeof(struct block_info) <= BLOCK_REPLY_BYTES / 2, "a reply's payload is a line");
_Static_assert(BLOCK_REPLY_RING / BLOCK_REPLY_BYTES > BLOCK_DEPTH, "room for every answer");
