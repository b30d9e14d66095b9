/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/ring.c
 * EVA: -eva-precision=2
 * LONG: yes
 *
 * Both ends of a ring of records, of any size, and what records and streams have in common;
 * ring_stream.c has the rest. The other end writes any words at any time: each read of one yields
 * any value.
 */

#include "prelude.h"

#include "lib/ring.c"

static uint8_t region[RING_HEADER_SIZE + (1ul << 31)];

/* What an end does besides, in any state. */
static void wait_or_wake(struct ring *ring)
{
    switch (any()) {
    case 0:
        ring_await_data(ring);
        break;
    case 1:
        ring_await_space(ring, (uint32_t)any());
        break;
    case 2:
        ring_take_data_wanted(ring);
        break;
    case 3:
        ring_take_space_wanted(ring);
        break;
    case 4:
        ring_space(ring);
        break;
    default:
        ring_broken(ring);
    }
}

static void produce(struct ring *ring)
{
    while (any()) {
        wait_or_wake(ring);
        ring_reserve(ring, (uint32_t)any());
        if (any()) {
            ring_commit(ring);
        }
    }
}

static void consume(struct ring *ring)
{
    uint32_t count;

    while (any()) {
        wait_or_wake(ring);
        ring_peek(ring, &count);
        while (any()) {
            ring_peek_behind(ring, &count);
            ring_open_behind(ring, (uint32_t)any());
        }
        if (any()) {
            ring_release(ring);
        }
    }
}

static void prove(void *memory, uint32_t size)
{
    struct ring ring;

    ring_init(&ring, memory, size);
    produce(&ring);
    ring_init(&ring, memory, size);
    consume(&ring);
    /* Of streams: the state of an end, wherever its index is. Reading and writing is in
     * ring_stream.c. */
    ring_resume_producer(&ring, memory, size);
    wait_or_wake(&ring);
    ring_resume_consumer(&ring, memory, size);
    wait_or_wake(&ring);
}

int main(void)
{
    make_any(region, sizeof(region));
    for (uint32_t size = RING_SIZE_MIN; size != 0; size *= 2) {
        prove(region, size);
    }
    prove(region, RING_SIZE_MIN / 2);
    prove(region, RING_SIZE_MIN + 64);
    prove(NULL, RING_SIZE_MIN);
    ring_clear(region);
    ring_clear(NULL);
    return 0;
}
