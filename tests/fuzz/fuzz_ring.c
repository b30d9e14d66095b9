/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/ring.c
 *
 * Both ends of a ring, as a list of steps in any order. The input says whether it carries a stream
 * or records, where the indices begin, and whether what an end finds in the region is what the
 * other has put there. If it is, all is held against a model: what goes in comes out, in order;
 * room is refused only if there is none; who sleeps is woken. If it is not, each call still ends,
 * and what it hands out lies in the region, which AddressSanitizer sees.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/ring.h"

#define SIZE        4096u
#define QUEUED_MAX  (SIZE / RING_RECORD_ALIGN)
#define HEADER_SIZE RING_RECORD_ALIGN
#define COUNT_MAX   (SIZE + 256) /* of bytes in one call */
#define PERIOD      65536u

static uint8_t *region; /* apart from all else */

/* What is in the ring if nobody is hostile, and who sleeps. */
static struct {
    struct ring producer, consumer;
    bool records, hostile;
    bool producer_sleeps, consumer_sleeps;
    uint32_t wanted; /* by a producer that sleeps: bytes in the ring */
    uint32_t head, tail;
    uint32_t lengths[QUEUED_MAX]; /* of records; those with a skip in front have it in `skips` */
    uint32_t skips[QUEUED_MAX];
    uint32_t first, queued;
} now;

static void demand(bool holds)
{
    if (!holds && !now.hostile) {
        abort();
    }
}

/* What is sent from a place of the endless stream on. Of records too: they are told apart by it. */
static const uint8_t *bytes_at(uint32_t place)
{
    static uint8_t bytes[PERIOD + COUNT_MAX];

    if (bytes[1] == 0) {
        for (uint32_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)(i % PERIOD * 167 + (i % PERIOD >> 8));
        }
    }
    return bytes + place % PERIOD;
}

static uint32_t record_size(uint32_t count)
{
    return HEADER_SIZE + (count + RING_RECORD_ALIGN - 1) / RING_RECORD_ALIGN * RING_RECORD_ALIGN;
}

static uint32_t room(void)
{
    return SIZE - (now.head - now.tail);
}

/* What a record takes from here, with what is left unused before the region's end. */
static uint32_t skip_of(uint32_t total)
{
    uint32_t to_end = SIZE - now.head % SIZE;

    return total > to_end ? to_end : 0;
}

/* ---- Waking ---- */

/* An end that sleeps while there is what it waits for has lost its wake-up. */
static void look_for_sleepers(bool by_producer)
{
    if (by_producer) {
        bool wake = ring_take_data_wanted(&now.producer);

        demand(wake == (now.consumer_sleeps && now.head != now.tail));
        now.consumer_sleeps &= !wake;
    } else {
        bool wake = ring_take_space_wanted(&now.consumer);

        /* What ring_peek has skipped counts for it, and is given back by ring_release. */
        demand(wake == (now.producer_sleeps && SIZE - (now.head - now.consumer.own) >= now.wanted));
        now.producer_sleeps &= !wake;
    }
}

static void sleep_for_data(void)
{
    bool again = ring_await_data(&now.consumer);

    demand(again == (now.head != now.tail));
    now.consumer_sleeps = !again;
}

static void sleep_for_space(uint32_t count)
{
    bool refused = now.producer.records && count <= RING_RECORD_MAX(SIZE);
    uint32_t wanted = refused ? record_size(count) + skip_of(record_size(count)) : count;
    bool again = ring_await_space(&now.producer, count);

    wanted = wanted < SIZE ? wanted : SIZE;
    demand(again == (room() >= wanted));
    now.producer_sleeps = !again && wanted > 0;
    now.wanted = wanted;
}

/* ---- Streams ---- */

static void stream_in(uint32_t count)
{
    uint32_t taken;

    demand(ring_space(&now.producer) == room());
    taken = ring_write(&now.producer, bytes_at(now.head), count);
    demand(taken == (count < room() ? count : room()));
    now.head += taken;
}

static void stream_out(uint32_t count)
{
    static uint8_t bytes[COUNT_MAX];
    uint32_t got = ring_read(&now.consumer, bytes, count);

    demand(got == (count < now.head - now.tail ? count : now.head - now.tail));
    demand(memcmp(bytes, bytes_at(now.tail), got) == 0);
    now.tail += got;
}

/* ---- Records ---- */

static void record_in(uint32_t count, bool commit)
{
    uint8_t *bytes = ring_reserve(&now.producer, count);
    uint32_t total = record_size(count);
    uint32_t skip = skip_of(total);
    uint32_t last = (now.first + now.queued) % QUEUED_MAX;

    demand((bytes != NULL) == (count <= RING_RECORD_MAX(SIZE) && room() >= skip + total));
    if (bytes == NULL) {
        return;
    }
    if (!commit) {
        memset(bytes, (uint8_t)~count, count); /* the next one overwrites it */
        return;
    }
    memcpy(bytes, bytes_at(now.head), count);
    ring_commit(&now.producer);
    now.lengths[last] = count;
    now.skips[last] = skip;
    now.queued++;
    now.head += skip + total;
}

static void look_at_record(const uint8_t *bytes, uint32_t length, uint32_t index, uint32_t at)
{
    static uint8_t copy[COUNT_MAX];

    memcpy(copy, bytes, length);
    demand(length == now.lengths[index] && memcmp(copy, bytes_at(at), length) == 0);
}

static void record_out(uint32_t behind, bool release)
{
    uint32_t length;
    const uint8_t *bytes = ring_peek(&now.consumer, &length);
    uint32_t at = now.tail;
    uint32_t open = 0;
    uint32_t ends = now.tail;

    demand((bytes != NULL) == (now.queued > 0));
    while (bytes != NULL) {
        uint32_t index = (now.first + open) % QUEUED_MAX;

        look_at_record(bytes, length, index, at);
        if (!now.hostile) {
            ends = at + now.skips[index] + record_size(length);
            at = ends;
        }
        open++;
        if (open > behind || open >= QUEUED_MAX) {
            break;
        }
        bytes = ring_peek_behind(&now.consumer, &length);
        if (bytes != NULL) {
            demand(open < now.queued && now.skips[(now.first + open) % QUEUED_MAX] == 0);
            ring_open_behind(&now.consumer, length);
        }
    }
    if (release && open > 0) {
        ring_release(&now.consumer);
        if (!now.hostile) {
            now.tail = ends;
            now.first = (now.first + open) % QUEUED_MAX;
            now.queued -= open;
        }
    }
}

/* ---- Steps ---- */

/* The other end, or both, are hostile: some bytes of the region are others. */
static void spoil(struct input *input)
{
    uint32_t value = (uint32_t)take(input, 4);
    uint32_t at;

    switch (take(input, 1) % 4) {
    case 0:
        memcpy(region, &value, sizeof(value));
        break;
    case 1:
        memcpy(region + offsetof(struct ring_shared, tail), &value, sizeof(value));
        break;
    case 2:
        scribble(input, region, RING_HEADER_SIZE);
        break;
    default: /* a record's length: a small one, or one near 2^32 */
        at = (value & 1 ? now.consumer.own : value >> 8) % SIZE / RING_RECORD_ALIGN *
             RING_RECORD_ALIGN;
        value = value & 2 ? 0u - (uint32_t)take(input, 1) : (uint32_t)take(input, 2);
        memcpy(region + RING_HEADER_SIZE + at, &value, sizeof(value));
    }
}

static void step(struct input *input)
{
    bool broken[] = {ring_broken(&now.producer), ring_broken(&now.consumer)};
    uint32_t count = (uint32_t)take(input, 2) % COUNT_MAX;
    uint8_t what = (uint8_t)take(input, 1);

    switch (what % 8) {
    case 0:
    case 1:
        if (now.records) {
            record_in(count, (what & 32) == 0);
        } else {
            stream_in(count);
        }
        break;
    case 2:
    case 3:
        if (now.records) {
            record_out(what >> 4, (what & 8) == 0);
        } else {
            stream_out(count);
        }
        break;
    case 4:
        look_for_sleepers((what & 8) != 0);
        break;
    case 5:
        sleep_for_data();
        break;
    case 6:
        sleep_for_space(count);
        break;
    default:
        if (now.hostile) {
            spoil(input);
        } else if (!now.records && (what & 8) != 0) {
            ring_resume_producer(&now.producer, region, SIZE);
        } else if (!now.records) {
            ring_resume_consumer(&now.consumer, region, SIZE);
        }
    }
    if ((broken[0] && !ring_broken(&now.producer)) || (broken[1] && !ring_broken(&now.consumer))) {
        abort(); /* it is for good, for who does not attach anew */
    }
    demand(!ring_broken(&now.producer) && !ring_broken(&now.consumer));
}

/* As if so many bytes had gone through. A record begins at a multiple of RING_RECORD_ALIGN. */
static void begin_at(uint32_t at)
{
    struct ring_shared *shared = (void *)region;

    memset(region, 0, RING_HEADER_SIZE + SIZE);
    shared->head = shared->tail = now.head = now.tail = at;
    ring_resume_producer(&now.producer, region, SIZE);
    ring_resume_consumer(&now.consumer, region, SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint32_t kind = (uint32_t)take(&input, 1);
    uint32_t at = (uint32_t)take(&input, 4);

    if (region == NULL) {
        region = aligned_alloc(4096, RING_HEADER_SIZE + SIZE);
    }
    memset(&now, 0, sizeof(now));
    now.records = (kind & 1) != 0;
    now.hostile = (kind & 2) != 0;
    begin_at(now.records ? at / RING_RECORD_ALIGN * RING_RECORD_ALIGN : at);
    while (input.left > 0) {
        step(&input);
    }
    return 0;
}
