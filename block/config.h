/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the generator tells the disk multiplexer. */

#include <stdbool.h>
#include <stdint.h>
#include "lib/stats.h"

#define BLOCK_MAX_CLIENTS  32
#define BLOCK_BUFFER_SIZE  (64u << 10) /* bytes of the multiplexer's own data region */
#define BLOCK_DRIVER_CHILD 0u          /* the driver is its child PD of this number */

enum block_slice_kind {
    BLOCK_SLICE_RANGE = 0, /* `offset` and `size` say which */
    BLOCK_SLICE_BY_NAME,   /* the GPT partition of this name */
    BLOCK_SLICE_BY_NUMBER, /* the GPT partition with this number, counted from 1 */
};

/* One disk of one VM. */
struct block_client_config {
    const char *name; /* for messages: "vm0 disk0" */
    uint8_t channel;
    bool read_only;
    enum block_slice_kind slice_kind;
    uint64_t offset;       /* bytes from the disk's start, a multiple of 4096 */
    uint64_t size;         /* bytes, a multiple of 4096; 0: to the disk's end */
    const char *partition; /* UTF-8 */
    uint32_t number;
    void *requests; /* ring regions, records: see protocol.h */
    void *replies;
    uint32_t request_ring_size; /* bytes of data */
    uint32_t reply_ring_size;
    uint32_t first_region; /* the client's data regions among all: this one and those behind it */
    uint32_t region_count;

    /* Limits: limit.h. */
    uint64_t bytes_rate;      /* bytes per second; 0: none */
    uint32_t operations_rate; /* requests per second; 0: none */
    uint32_t burst_us; /* what may go at once: what the rates allow in so many us, 1 s at most */
};

struct block_config {
    uint8_t driver_channel;
    void *requests; /* ring regions to and from the driver */
    void *replies;
    uint32_t request_ring_size;
    uint32_t reply_ring_size;
    void *buffer; /* data region 0, BLOCK_BUFFER_SIZE bytes: the multiplexer's own */
    const uint64_t *region_sizes; /* bytes; all data regions, in the driver's order */
    uint32_t region_count;
    void *log; /* ring region: to the console, a stream; NULL: none */
    uint32_t log_size;
    uint8_t log_channel;
    bool has_timer; /* if a client has a limit */
    uint8_t timer_channel;
    struct stats_disk *stats; /* what is counted of each client, for others to read */
    uint32_t client_count;
    struct block_client_config clients[BLOCK_MAX_CLIENTS];
};

extern const struct block_config block_config;
