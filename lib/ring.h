/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A queue between two PDs: one producer, one consumer, one shared memory region.
 *
 * The region is one page of indices and flags followed by `size` bytes of data, a power of two.
 * It carries either a stream of bytes (consoles) or records, each contiguous in memory (frames);
 * an end uses one set of calls or the other.
 *
 * Either end may be hostile. Each end therefore keeps its own index in its own memory and never
 * reads it back; what it reads from the other end it reads once and checks. An impossible index or
 * length marks the ring broken: a broken ring reads as empty and writes as full, for good, and
 * `ring_broken` says so. Whatever an end does, the other touches nothing outside the region.
 *
 * Waking: a consumer that is about to sleep calls ring_await_data (a producer ring_await_space) and
 * looks once more if that returns true. After a batch the other end asks ring_take_data_wanted
 * (or ring_take_space_wanted) and notifies its peer's channel only if that returns true.
 */

#include <stdbool.h>
#include <stdint.h>

#define RING_HEADER_SIZE    4096u /* the data begins here in the region */
#define RING_SIZE_MIN       4096u
#define RING_RECORD_ALIGN   64u /* a record's payload begins at a multiple of this */
#define RING_RECORD_MAX(sz) ((sz) / 2 - RING_RECORD_ALIGN)

/* What lies at the start of the shared region. Each index is written by one end only. */
struct ring_shared {
    uint32_t head; /* free-running count of bytes produced */
    uint32_t data_wanted;
    uint8_t pad0[56];
    uint32_t tail;         /* free-running count of bytes consumed */
    uint32_t space_wanted; /* how many bytes the producer waits for */
    uint8_t pad1[56];
};

/* One end's private view. */
struct ring {
    struct ring_shared *shared;
    uint8_t *data;
    uint32_t size;
    uint32_t own;    /* head if producer, tail if consumer */
    uint32_t peer;   /* the other's index when last read */
    uint32_t opened; /* bytes that ring_reserve or ring_peek has opened */
    bool records;    /* ring_reserve has refused a record here */
    bool broken;
};

/*
 * Attach to a ring. `region` is RING_HEADER_SIZE + `size` bytes, zeroed at boot, aligned to 4 KiB;
 * `size` is a power of two, at least RING_SIZE_MIN. Both ends attach, in either order, to a fresh
 * region. With no region (NULL) or another size the ring is broken from the start.
 */
void ring_init(struct ring *ring, void *region, uint32_t size);

/*
 * Streams: attach to a ring that may be in use. This end goes on where it was before its PD began
 * anew. The index is what the region says, which the other end can write: then this end skips or
 * repeats bytes, and touches nothing else. Not for records, which begin at certain indices.
 */
void ring_resume_producer(struct ring *ring, void *region, uint32_t size);
void ring_resume_consumer(struct ring *ring, void *region, uint32_t size);

/*
 * Make a region as it was at boot, with nothing in it. Neither end may be at work on it, and both
 * attach anew. Other words of the first page are as they were.
 */
void ring_clear(void *region);

bool ring_broken(const struct ring *ring);

/* Producer: how many bytes of a stream ring_write would take now. */
uint32_t ring_space(struct ring *ring);

/* Streams: copy up to `count` bytes in or out; returns how many were. */
uint32_t ring_write(struct ring *ring, const void *bytes, uint32_t count);
uint32_t ring_read(struct ring *ring, void *bytes, uint32_t count);

/*
 * Records, producer: `ring_reserve` returns where to put a record of `count` bytes
 * (count <= RING_RECORD_MAX(size)), or NULL while there is no room; `ring_commit` makes it visible
 * to the consumer. A reservation that is not committed is dropped by the next ring_reserve.
 */
void *ring_reserve(struct ring *ring, uint32_t count);
void ring_commit(struct ring *ring);

/*
 * Records, consumer: `ring_peek` returns the oldest record and its length, or NULL when there is
 * none. The record lies in shared memory and may change under the reader: what is decided on must
 * be copied first. `ring_release` gives its room back to the producer.
 */
const void *ring_peek(struct ring *ring, uint32_t *count);
void ring_release(struct ring *ring);

/*
 * Records, consumer: look at the record behind those that are open, without waiting or reading the
 * producer's index afresh; NULL if none is known of, or it is not contiguous with them. With what
 * it has said of the record, ring_open_behind opens that one too: ring_release gives the room of
 * all back. Only after a ring_peek that has returned a record.
 */
const void *ring_peek_behind(const struct ring *ring, uint32_t *count);
void ring_open_behind(struct ring *ring, uint32_t count);

/*
 * Returns true if there is data (space for a record of `count` bytes, or `count` bytes of a stream)
 * and the caller must look again; otherwise the other end has been asked to wake this one.
 */
bool ring_await_data(struct ring *ring);
bool ring_await_space(struct ring *ring, uint32_t count);

/* Returns true, once, if the other end asked to be woken and there is what it waits for. */
bool ring_take_data_wanted(struct ring *ring);
bool ring_take_space_wanted(struct ring *ring);
