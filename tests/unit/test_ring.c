/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/ring.c
 *
 * Rings between PDs: order and content against a model, waking between two threads, and an end that
 * writes whatever it likes into the shared memory.
 */

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/ring.h"

#define SIZE 4096u

/* Both ends of one ring. The region is a heap block, so that a step beyond it is an ASan report. */
struct pair {
    void *region;
    struct ring producer;
    struct ring consumer;
};

static void pair_open(struct pair *pair, uint32_t size)
{
    pair->region = aligned_alloc(4096, RING_HEADER_SIZE + size);
    assert_non_null(pair->region);
    memset(pair->region, 0, RING_HEADER_SIZE + size);
    ring_init(&pair->producer, pair->region, size);
    ring_init(&pair->consumer, pair->region, size);
}

static void pair_close(struct pair *pair)
{
    free(pair->region);
}

/* Let the free-running indices begin at `at`, as if that many bytes had gone through. */
static void pair_start_at(struct pair *pair, uint32_t at)
{
    pair->producer.shared->head = at;
    pair->producer.shared->tail = at;
    pair->producer.own = pair->producer.peer = at;
    pair->consumer.own = pair->consumer.peer = at;
}

static uint32_t seed = 1;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

static void fresh_ring_is_empty(void **state)
{
    (void)state;
    struct pair pair;
    char byte;
    uint32_t count;

    pair_open(&pair, SIZE);
    assert_int_equal(ring_space(&pair.producer), SIZE);
    assert_int_equal(ring_read(&pair.consumer, &byte, 1), 0);
    assert_null(ring_peek(&pair.consumer, &count));
    assert_false(ring_broken(&pair.producer));
    assert_false(ring_broken(&pair.consumer));
    pair_close(&pair);
}

static void bad_region_is_broken(void **state)
{
    (void)state;
    static _Alignas(4096) uint8_t region[RING_HEADER_SIZE + SIZE];
    static const uint32_t sizes[] = {0, 1, 2048, 4097, 6144, UINT32_MAX};
    struct ring ring;
    uint32_t count;
    char byte = 0;

    for (size_t i = 0; i <= sizeof(sizes) / sizeof(sizes[0]); i++) {
        bool last = i == sizeof(sizes) / sizeof(sizes[0]);

        ring_init(&ring, last ? NULL : region, last ? SIZE : sizes[i]);
        assert_true(ring_broken(&ring));
        assert_int_equal(ring_write(&ring, &byte, 1), 0);
        assert_int_equal(ring_read(&ring, &byte, 1), 0);
        assert_int_equal(ring_space(&ring), 0);
        assert_null(ring_reserve(&ring, 1));
        ring_commit(&ring);
        assert_null(ring_peek(&ring, &count));
        ring_release(&ring);
        assert_false(ring_await_data(&ring));
        assert_false(ring_await_space(&ring, 1));
        assert_false(ring_take_data_wanted(&ring));
        assert_false(ring_take_space_wanted(&ring));
    }
}

static void stream_fills_and_empties(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t in[SIZE + 1], out[SIZE + 1];

    pair_open(&pair, SIZE);
    for (uint32_t i = 0; i < sizeof(in); i++) {
        in[i] = (uint8_t)(i * 7);
    }
    assert_int_equal(ring_write(&pair.producer, in, sizeof(in)), SIZE);
    assert_int_equal(ring_write(&pair.producer, in, 1), 0);
    assert_int_equal(ring_read(&pair.consumer, out, sizeof(out)), SIZE);
    assert_memory_equal(in, out, SIZE);
    assert_int_equal(ring_read(&pair.consumer, out, 1), 0);
    pair_close(&pair);
}

/* Random writes and reads, across the wrap of the indices at 2^32. */
static void stream_follows_the_model(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t bytes[SIZE * 2];
    uint8_t next_in = 0, next_out = 0;
    uint32_t held = 0;

    pair_open(&pair, SIZE);
    pair_start_at(&pair, UINT32_MAX - 40 * SIZE + 17);
    for (int round = 0; round < 20000; round++) {
        uint32_t count = rnd() % (rnd() % 16 == 0 ? sizeof(bytes) : 700);

        if (rnd() % 2 == 0) {
            for (uint32_t i = 0; i < count; i++) {
                bytes[i] = (uint8_t)(next_in + i);
            }
            uint32_t expected = count < SIZE - held ? count : SIZE - held;
            assert_int_equal(ring_space(&pair.producer), SIZE - held);
            assert_int_equal(ring_write(&pair.producer, bytes, count), expected);
            next_in = (uint8_t)(next_in + expected);
            held += expected;
        } else {
            uint32_t expected = count < held ? count : held;
            assert_int_equal(ring_read(&pair.consumer, bytes, count), expected);
            for (uint32_t i = 0; i < expected; i++) {
                assert_int_equal(bytes[i], (uint8_t)(next_out + i));
            }
            next_out = (uint8_t)(next_out + expected);
            held -= expected;
        }
    }
    pair_close(&pair);
}

static bool send(struct pair *pair, uint8_t mark, uint32_t count)
{
    uint8_t *record = ring_reserve(&pair->producer, count);

    if (record == NULL) {
        return false;
    }
    assert_int_equal((uintptr_t)record % RING_RECORD_ALIGN, 0);
    memset(record, mark, count);
    ring_commit(&pair->producer);
    return true;
}

static void receive(struct pair *pair, uint8_t mark, uint32_t expected)
{
    uint32_t count = UINT32_MAX;
    const uint8_t *record = ring_peek(&pair->consumer, &count);

    assert_non_null(record);
    assert_int_equal((uintptr_t)record % RING_RECORD_ALIGN, 0);
    assert_int_equal(count, expected);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(record[i], mark);
    }
    ring_release(&pair->consumer);
}

static void records_keep_order_and_length(void **state)
{
    (void)state;
    struct pair pair;
    uint32_t count;

    pair_open(&pair, SIZE);
    assert_true(send(&pair, 1, 0));
    assert_true(send(&pair, 2, 1));
    assert_true(send(&pair, 3, 64));
    assert_true(send(&pair, 4, 65));
    receive(&pair, 1, 0);
    receive(&pair, 2, 1);
    receive(&pair, 3, 64);
    receive(&pair, 4, 65);
    assert_null(ring_peek(&pair.consumer, &count));
    pair_close(&pair);
}

static void record_of_any_position_fits_an_empty_ring(void **state)
{
    (void)state;
    struct pair pair;

    pair_open(&pair, SIZE);
    assert_null(ring_reserve(&pair.producer, RING_RECORD_MAX(SIZE) + 1));
    assert_null(ring_reserve(&pair.producer, UINT32_MAX));
    for (int i = 0; i < 200; i++) {
        assert_true(send(&pair, 1, 0));
        receive(&pair, 1, 0);
        assert_true(send(&pair, 2, RING_RECORD_MAX(SIZE)));
        receive(&pair, 2, RING_RECORD_MAX(SIZE));
    }
    pair_close(&pair);
}

static void commit_may_be_shorter_than_the_reservation(void **state)
{
    (void)state;
    struct pair pair;

    pair_open(&pair, SIZE);
    for (int i = 0; i < 300; i++) {
        uint8_t *record;

        assert_non_null(ring_reserve(&pair.producer, RING_RECORD_MAX(SIZE)));
        if (i % 3 == 0) {
            continue; /* dropped */
        }
        record = ring_reserve(&pair.producer, 10);
        assert_non_null(record);
        memset(record, i, 10);
        ring_commit(&pair.producer);
        receive(&pair, (uint8_t)i, 10);
    }
    pair_close(&pair);
}

static void commit_without_a_reservation_does_nothing(void **state)
{
    (void)state;
    struct pair pair;
    uint32_t count;

    pair_open(&pair, SIZE);
    ring_commit(&pair.producer);
    assert_null(ring_peek(&pair.consumer, &count));
    assert_true(send(&pair, 'a', 10));
    ring_commit(&pair.producer);
    receive(&pair, 'a', 10);
    assert_null(ring_peek(&pair.consumer, &count));
    ring_release(&pair.consumer);
    assert_int_equal(pair.producer.shared->tail, pair.producer.shared->head);
    assert_non_null(ring_reserve(&pair.producer, 10));
    assert_null(ring_reserve(&pair.producer, RING_RECORD_MAX(SIZE) + 1)); /* which drops that one */
    ring_commit(&pair.producer);
    assert_null(ring_peek(&pair.consumer, &count));
    pair_close(&pair);
}

static void records_follow_the_model(void **state)
{
    (void)state;
    struct pair pair;
    uint32_t lengths[SIZE];
    uint32_t first = 0, last = 0;

    pair_open(&pair, SIZE);
    pair_start_at(&pair, UINT32_MAX - 100 * SIZE + 1);
    for (int round = 0; round < 50000; round++) {
        if (rnd() % 2 == 0) {
            uint32_t count = rnd() % (RING_RECORD_MAX(SIZE) + 1);
            if (rnd() % 4 != 0) {
                count %= 200;
            }
            if (send(&pair, (uint8_t)last, count)) {
                lengths[last++ % SIZE] = count;
            } else {
                assert_true(last != first);
            }
        } else if (first != last) {
            receive(&pair, (uint8_t)first, lengths[first % SIZE]);
            first++;
        } else {
            uint32_t count;
            assert_null(ring_peek(&pair.consumer, &count));
        }
    }
    assert_false(ring_broken(&pair.producer));
    assert_false(ring_broken(&pair.consumer));
    pair_close(&pair);
}

static void consumer_is_woken_once(void **state)
{
    (void)state;
    struct pair pair;
    char byte = 'x';

    pair_open(&pair, SIZE);
    assert_false(ring_take_data_wanted(&pair.producer));
    assert_false(ring_await_data(&pair.consumer));
    ring_write(&pair.producer, &byte, 1);
    assert_true(ring_take_data_wanted(&pair.producer));
    assert_false(ring_take_data_wanted(&pair.producer));
    assert_true(ring_await_data(&pair.consumer));
    assert_false(ring_take_data_wanted(&pair.producer));
    pair_close(&pair);
}

static void stream_producer_is_woken_when_there_is_room(void **state)
{
    (void)state;
    struct pair pair;
    uint8_t bytes[SIZE] = {0};

    pair_open(&pair, SIZE);
    assert_true(ring_await_space(&pair.producer, SIZE));
    ring_write(&pair.producer, bytes, SIZE);
    assert_false(ring_await_space(&pair.producer, 100));
    assert_false(ring_take_space_wanted(&pair.consumer));
    ring_read(&pair.consumer, bytes, 99);
    assert_false(ring_take_space_wanted(&pair.consumer));
    ring_read(&pair.consumer, bytes, 1);
    assert_true(ring_take_space_wanted(&pair.consumer));
    assert_false(ring_take_space_wanted(&pair.consumer));
    assert_true(ring_await_space(&pair.producer, 100));
    assert_false(ring_await_space(&pair.producer, SIZE * 2));
    ring_read(&pair.consumer, bytes, SIZE);
    assert_true(ring_take_space_wanted(&pair.consumer));
    pair_close(&pair);
}

/* Woken, the producer's next reservation succeeds; not woken, it would have failed. */
static void record_producer_is_woken_when_the_record_fits(void **state)
{
    (void)state;
    struct pair pair;
    uint32_t count;

    pair_open(&pair, SIZE);
    for (int round = 0; round < 2000; round++) {
        uint32_t wanted = rnd() % (RING_RECORD_MAX(SIZE) + 1);

        while (ring_reserve(&pair.producer, wanted) != NULL) {
            ring_commit(&pair.producer);
        }
        assert_false(ring_await_space(&pair.producer, wanted));
        assert_false(ring_take_space_wanted(&pair.consumer));
        do {
            assert_null(ring_reserve(&pair.producer, wanted));
            assert_non_null(ring_peek(&pair.consumer, &count));
            ring_release(&pair.consumer);
        } while (!ring_take_space_wanted(&pair.consumer));
        assert_true(ring_await_space(&pair.producer, wanted));
        assert_non_null(ring_reserve(&pair.producer, wanted));
    }
    pair_close(&pair);
}

struct threads {
    struct pair pair;
    sem_t to_consumer;
    sem_t to_producer;
    uint32_t total;
};

static void *produce(void *argument)
{
    struct threads *threads = argument;
    struct ring *ring = &threads->pair.producer;

    for (uint32_t i = 0; i < threads->total; i++) {
        uint32_t count = 4 + i % 300;
        uint8_t *record;

        while ((record = ring_reserve(ring, count)) == NULL) {
            if (ring_take_data_wanted(ring)) {
                sem_post(&threads->to_consumer);
            }
            if (!ring_await_space(ring, count)) {
                sem_wait(&threads->to_producer);
            }
        }
        memcpy(record, &i, sizeof(i));
        ring_commit(ring);
        if (i % 7 == 0 && ring_take_data_wanted(ring)) {
            sem_post(&threads->to_consumer);
        }
    }
    if (ring_take_data_wanted(ring)) {
        sem_post(&threads->to_consumer);
    }
    return NULL;
}

/* A lost wake-up hangs this test; a missing barrier garbles it. */
static void two_threads_lose_nothing(void **state)
{
    (void)state;
    struct threads threads = {.total = 100000};
    struct ring *ring = &threads.pair.consumer;
    pthread_t producer;

    pair_open(&threads.pair, SIZE);
    sem_init(&threads.to_consumer, 0, 0);
    sem_init(&threads.to_producer, 0, 0);
    assert_int_equal(pthread_create(&producer, NULL, produce, &threads), 0);
    for (uint32_t i = 0; i < threads.total; i++) {
        uint32_t count, value;
        const uint8_t *record;

        while ((record = ring_peek(ring, &count)) == NULL) {
            if (ring_take_space_wanted(ring)) {
                sem_post(&threads.to_producer);
            }
            if (!ring_await_data(ring)) {
                sem_wait(&threads.to_consumer);
            }
        }
        memcpy(&value, record, sizeof(value));
        assert_int_equal(value, i);
        assert_int_equal(count, 4 + i % 300);
        ring_release(ring);
        if (i % 5 == 0 && ring_take_space_wanted(ring)) {
            sem_post(&threads.to_producer);
        }
    }
    pthread_join(producer, NULL);
    pair_close(&threads.pair);
}

static const uint32_t hostile[] = {
    1,          63,         64,         SIZE - 1,   SIZE,       SIZE + 1,   SIZE * 2,
    0x7fffffff, 0x80000000, 0xfffff000, 0xffffffbf, 0xffffffc0, 0xfffffffe, 0xffffffff,
};

#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void hostile_head_breaks_the_consumer_only_when_impossible(void **state)
{
    (void)state;

    for (size_t i = 0; i < HOSTILE; i++) {
        struct pair pair;
        uint8_t bytes[SIZE];
        char byte = 0;

        pair_open(&pair, SIZE);
        pair.consumer.shared->head = hostile[i];
        if (hostile[i] <= SIZE) {
            assert_int_equal(ring_read(&pair.consumer, bytes, SIZE), hostile[i]);
            assert_false(ring_broken(&pair.consumer));
        } else {
            assert_int_equal(ring_read(&pair.consumer, bytes, SIZE), 0);
            assert_true(ring_broken(&pair.consumer));
            pair.consumer.shared->head = 1; /* for good */
            assert_int_equal(ring_read(&pair.consumer, &byte, 1), 0);
            assert_false(ring_await_data(&pair.consumer));
        }
        pair_close(&pair);
    }
}

static void hostile_tail_breaks_the_producer(void **state)
{
    (void)state;

    for (size_t i = 0; i < HOSTILE; i++) {
        struct pair pair;
        uint8_t bytes[SIZE] = {0};

        pair_open(&pair, SIZE);
        assert_int_equal(ring_write(&pair.producer, bytes, SIZE / 2), SIZE / 2);
        pair.producer.shared->tail = hostile[i];
        uint32_t written = ring_write(&pair.producer, bytes, SIZE);
        if (hostile[i] <= SIZE / 2 || hostile[i] >= SIZE / 2 - SIZE) {
            assert_in_range(written, 1, SIZE);
        } else {
            assert_int_equal(written, 0);
            assert_true(ring_broken(&pair.producer));
            pair.producer.shared->tail = SIZE / 2;
            assert_int_equal(ring_space(&pair.producer), 0);
            assert_null(ring_reserve(&pair.producer, 0));
        }
        pair_close(&pair);
    }
}

static void hostile_record_length_breaks_the_consumer(void **state)
{
    (void)state;
    uint32_t count;

    for (size_t i = 0; i < HOSTILE; i++) {
        struct pair pair;

        pair_open(&pair, SIZE);
        assert_true(send(&pair, 9, 64)); /* a published record of one line */
        memcpy((uint8_t *)pair.region + RING_HEADER_SIZE, &hostile[i], 4);
        if (hostile[i] <= 64) {
            assert_non_null(ring_peek(&pair.consumer, &count));
            assert_in_range(count, 0, 64);
        } else {
            assert_null(ring_peek(&pair.consumer, &count));
            assert_true(ring_broken(&pair.consumer));
            assert_null(ring_peek(&pair.consumer, &count));
        }
        pair_close(&pair);
    }
}

static void record_may_not_leave_the_region(void **state)
{
    (void)state;
    struct pair pair;
    uint32_t count = 0, length = 1000;

    pair_open(&pair, SIZE);
    while (pair.producer.own < SIZE - 128) {
        assert_true(send(&pair, 5, 64));
        receive(&pair, 5, 64);
    }
    /* Enough is published, but it would run over the end. */
    memcpy((uint8_t *)pair.region + RING_HEADER_SIZE + SIZE - 128, &length, 4);
    pair.consumer.shared->head = pair.consumer.own + SIZE;
    assert_null(ring_peek(&pair.consumer, &count));
    assert_true(ring_broken(&pair.consumer));
    pair_close(&pair);
}

/* `published` bytes from `at` on, of which the first record says that it has `length`. */
static bool breaks(uint32_t at, uint32_t published, uint32_t skip, uint32_t length)
{
    struct pair pair;
    uint32_t count;
    bool broken;

    pair_open(&pair, SIZE);
    pair_start_at(&pair, at);
    pair.producer.shared->head = at + published;
    memcpy((uint8_t *)pair.region + RING_HEADER_SIZE + at % SIZE, skip != 0 ? &skip : &length, 4);
    if (skip != 0) {
        memcpy((uint8_t *)pair.region + RING_HEADER_SIZE, &length, 4);
    }
    broken = ring_peek(&pair.consumer, &count) == NULL;
    assert_true(broken == ring_broken(&pair.consumer));
    assert_true(broken || count == length);
    pair_close(&pair);
    return broken;
}

static void record_may_not_reach_beyond_what_is_published(void **state)
{
    (void)state;
    const uint32_t skip = UINT32_MAX;

    assert_false(breaks(0, 128, 0, 64));
    assert_true(breaks(0, 128, 0, 65));
    assert_true(breaks(0, 64, 0, 1));
    /* Nor behind what is left unused before the region's end, which may not be all there is. */
    assert_false(breaks(SIZE - 128, 256, skip, 64));
    assert_true(breaks(SIZE - 128, 256, skip, 65));
    assert_true(breaks(SIZE - 128, 128, skip, 0));
    assert_true(breaks(SIZE - 128, 64, skip, 0));
    assert_true(breaks(SIZE - 128, 256, skip, skip)); /* and not twice in a row */
    assert_true(breaks(0, SIZE, 0, skip));
}

/* The whole region is noise and changes all the time: nothing hangs and ASan stays silent. */
static void noise_is_survived(void **state)
{
    (void)state;

    for (int round = 0; round < 2000; round++) {
        struct pair pair;
        uint8_t bytes[256];
        uint32_t count;

        pair_open(&pair, SIZE);
        for (int step = 0; step < 50; step++) {
            uint32_t *words = pair.region;

            words[rnd() % 2 == 0 ? 0 : offsetof(struct ring_shared, tail) / 4] =
                rnd() % 3 == 0 ? rnd() : (rnd() % 64) * 64;
            words[1] = rnd();
            words[offsetof(struct ring_shared, space_wanted) / 4] = rnd();
            words[RING_HEADER_SIZE / 4 + (rnd() % 64) * 16] =
                rnd() % 4 == 0 ? UINT32_MAX : rnd() % 3000;
            switch (rnd() % 5) {
            case 0: {
                const uint8_t *record = ring_peek(&pair.consumer, &count);
                if (record != NULL) {
                    volatile uint8_t sum = 0;
                    for (uint32_t i = 0; i < count; i++) {
                        sum = (uint8_t)(sum + record[i]);
                    }
                    ring_release(&pair.consumer);
                }
                break;
            }
            case 1:
                send(&pair, 1, rnd() % RING_RECORD_MAX(SIZE));
                break;
            case 2:
                ring_read(&pair.consumer, bytes, sizeof(bytes));
                pair.consumer.own &= ~(RING_RECORD_ALIGN - 1); /* records and streams do not mix */
                break;
            case 3:
                ring_await_data(&pair.consumer);
                ring_take_space_wanted(&pair.consumer);
                break;
            default:
                ring_await_space(&pair.producer, rnd());
                ring_take_data_wanted(&pair.producer);
                break;
            }
        }
        pair_close(&pair);
    }
}

/* An end's own index in the region is for the other one: it knows it by itself. */
static void own_index_is_never_read_back(void **state)
{
    (void)state;

    for (size_t i = 0; i < HOSTILE; i++) {
        struct pair pair;
        uint8_t bytes[200] = {7}, got[200];

        pair_open(&pair, SIZE);
        for (int round = 0; round < 100; round++) {
            pair.producer.shared->head = hostile[i];
            assert_int_equal(ring_space(&pair.producer), SIZE);
            assert_int_equal(ring_write(&pair.producer, bytes, sizeof(bytes)), sizeof(bytes));
            pair.consumer.shared->tail = hostile[i];
            assert_int_equal(ring_read(&pair.consumer, got, sizeof(got)), sizeof(got));
            assert_int_equal(pair.consumer.shared->tail, pair.consumer.shared->head);
        }
        assert_false(ring_broken(&pair.producer) || ring_broken(&pair.consumer));
        pair_close(&pair);
    }
}

/* One end begins anew in the midst of things, and the other has not noticed. */
static void an_end_goes_on_where_it_was(void **state)
{
    (void)state;
    char got[SIZE];

    for (uint32_t at = 0; at < 3; at++) {
        struct pair pair;

        pair_open(&pair, SIZE);
        pair_start_at(&pair, at * (SIZE - 1) * 1000u);
        assert_int_equal(ring_write(&pair.producer, "abcdef", 6), 6);
        assert_int_equal(ring_read(&pair.consumer, got, 2), 2);
        ring_resume_producer(&pair.producer, pair.region, SIZE);
        assert_int_equal(ring_space(&pair.producer), SIZE - 4);
        assert_int_equal(ring_write(&pair.producer, "ghi", 3), 3);
        ring_resume_consumer(&pair.consumer, pair.region, SIZE);
        assert_int_equal(ring_read(&pair.consumer, got, SIZE), 7);
        assert_memory_equal(got, "cdefghi", 7);
        pair_close(&pair);
    }
}

/* What the other end writes there may be anything. */
static void an_end_that_begins_anew_believes_nothing(void **state)
{
    (void)state;
    char bytes[SIZE];

    for (int i = 0; i < 10000; i++) {
        struct pair pair;

        pair_open(&pair, SIZE);
        pair.producer.shared->head = i % 3 != 0 ? rnd() : rnd() % (2 * SIZE);
        pair.producer.shared->tail = i % 3 != 0 ? rnd() : rnd() % (2 * SIZE);
        ring_resume_producer(&pair.producer, pair.region, SIZE);
        ring_resume_consumer(&pair.consumer, pair.region, SIZE);
        ring_write(&pair.producer, bytes, rnd() % SIZE);
        ring_read(&pair.consumer, bytes, rnd() % SIZE);
        pair_close(&pair);
    }
    struct ring ring;

    ring_resume_producer(&ring, NULL, SIZE);
    assert_true(ring_broken(&ring));
    ring_resume_consumer(&ring, NULL, SIZE);
    assert_true(ring_broken(&ring));
}

static void a_cleared_region_is_a_fresh_one(void **state)
{
    (void)state;
    struct pair pair;
    uint32_t count;

    pair_open(&pair, SIZE);
    pair.producer.shared->head = 0x12345678;
    pair.producer.shared->data_wanted = 1;
    pair.producer.shared->space_wanted = 100;
    ((uint8_t *)pair.region)[RING_HEADER_SIZE - 1] = 7; /* a word that is not the ring's */
    ring_clear(pair.region);
    ring_clear(NULL);
    assert_int_equal(((uint8_t *)pair.region)[RING_HEADER_SIZE - 1], 7);
    ring_init(&pair.producer, pair.region, SIZE);
    ring_init(&pair.consumer, pair.region, SIZE);
    assert_null(ring_peek(&pair.consumer, &count));
    assert_false(ring_take_data_wanted(&pair.producer));
    assert_false(ring_take_space_wanted(&pair.consumer));
    assert_int_equal(ring_space(&pair.producer), SIZE);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_ring_is_empty),
        cmocka_unit_test(bad_region_is_broken),
        cmocka_unit_test(stream_fills_and_empties),
        cmocka_unit_test(stream_follows_the_model),
        cmocka_unit_test(records_keep_order_and_length),
        cmocka_unit_test(record_of_any_position_fits_an_empty_ring),
        cmocka_unit_test(commit_may_be_shorter_than_the_reservation),
        cmocka_unit_test(commit_without_a_reservation_does_nothing),
        cmocka_unit_test(records_follow_the_model),
        cmocka_unit_test(consumer_is_woken_once),
        cmocka_unit_test(stream_producer_is_woken_when_there_is_room),
        cmocka_unit_test(record_producer_is_woken_when_the_record_fits),
        cmocka_unit_test(two_threads_lose_nothing),
        cmocka_unit_test(hostile_head_breaks_the_consumer_only_when_impossible),
        cmocka_unit_test(hostile_tail_breaks_the_producer),
        cmocka_unit_test(hostile_record_length_breaks_the_consumer),
        cmocka_unit_test(record_may_not_leave_the_region),
        cmocka_unit_test(record_may_not_reach_beyond_what_is_published),
        cmocka_unit_test(noise_is_survived),
        cmocka_unit_test(own_index_is_never_read_back),
        cmocka_unit_test(an_end_goes_on_where_it_was),
        cmocka_unit_test(an_end_that_begins_anew_believes_nothing),
        cmocka_unit_test(a_cleared_region_is_a_fresh_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
