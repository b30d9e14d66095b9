/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/virtqueue.c tests/unit/fake/virtio_driver.c
 *
 * The device's side of virtqueues against a driver: every order of chains, wrap-around, event
 * indices; and a driver that writes into its rings what no driver may.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/virtqueue.h"
#include "tests/unit/fake/virtio_driver.h"

#define RAM_GPA   0x40000000ull
#define RAM_SIZE  0x100000ull
#define RAM_END   (RAM_GPA + RAM_SIZE)
#define QUEUE_GPA RAM_GPA
#define DATA_GPA  (RAM_GPA + 0x40000)
#define TABLE_GPA (RAM_GPA + 0x80000)
#define SIZE      16u
#define INDIRECT  (1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT     (1ull << VIRTIO_RING_F_EVENT_IDX)

static struct guest_memory memory;
static struct driver_queue driver;
static struct virtqueue queue;
static struct virtqueue_chain chain;

/* On the heap and exactly as long as allowed, so that the sanitizer sees a segment too many. */
static struct virtqueue_segment *segments;

static const char *enable(uint64_t features, uint16_t size)
{
    driver_queue_init(&driver, &memory, QUEUE_GPA, size);
    return virtqueue_enable(&queue, &memory, features, size, driver.desc_gpa, driver.avail_gpa,
                            driver.used_gpa);
}

static int setup(void **state)
{
    (void)state;
    memory = (struct guest_memory){
        .base = aligned_alloc(4096, RAM_SIZE), .gpa = RAM_GPA, .size = RAM_SIZE};
    memset(memory.base, 0, RAM_SIZE);
    segments = malloc(VIRTQUEUE_SIZE_MAX * sizeof(*segments));
    assert_null(enable(INDIRECT | EVENT, SIZE));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(memory.base);
    free(segments);
    return 0;
}

static enum virtqueue_pop pop(void)
{
    return virtqueue_pop(&queue, segments, VIRTQUEUE_SIZE_MAX, &chain);
}

static void expect_broken(const char *part_of_cause)
{
    uint16_t used = driver_used_idx(&driver);

    assert_int_equal(pop(), VIRTQUEUE_BROKEN);
    assert_non_null(virtqueue_error(&queue));
    if (strstr(virtqueue_error(&queue), part_of_cause) == NULL) {
        fail_msg("cause is '%s', not '%s'", virtqueue_error(&queue), part_of_cause);
    }
    /* For good, even if the driver mends its ways. */
    *driver_avail_idx(&driver) = 0;
    assert_int_equal(pop(), VIRTQUEUE_BROKEN);
    assert_false(virtqueue_enable_kicks(&queue));
    assert_int_equal(driver_used_idx(&driver), used);
}

/* ---- What a driver may do ---- */

static void test_not_enabled(void **state)
{
    (void)state;
    struct virtqueue none = {0};

    assert_false(virtqueue_enabled(&none));
    assert_int_equal(virtqueue_pop(&none, segments, 1, &chain), VIRTQUEUE_EMPTY);
    virtqueue_push(&none, 0, 0);
    assert_false(virtqueue_flush(&none));
    virtqueue_disable_kicks(&none);
    assert_false(virtqueue_enable_kicks(&none));
    virtqueue_publish(&none);
    assert_int_equal(virtqueue_available(&none), 0);
    assert_int_equal(virtqueue_used(&none), 0);
}

static void test_chain_of_both_kinds(void **state)
{
    (void)state;
    const struct driver_buffer buffers[] = {
        {DATA_GPA, 10}, {DATA_GPA + 100, 20}, {DATA_GPA + 200, 30}, {RAM_END - 1, 1}};
    uint32_t head, written;
    uint16_t added = driver_add(&driver, buffers, 2, 2);

    assert_int_equal(pop(), VIRTQUEUE_POPPED);
    assert_int_equal(chain.head, added);
    assert_int_equal(chain.readable, 2);
    assert_int_equal(chain.writable, 2);
    assert_int_equal(chain.readable_bytes, 30);
    assert_int_equal(chain.writable_bytes, 31);
    for (int i = 0; i < 4; i++) {
        assert_ptr_equal(segments[i].data, driver_memory(&memory, buffers[i].gpa));
        assert_int_equal(segments[i].length, buffers[i].length);
    }
    assert_int_equal(pop(), VIRTQUEUE_EMPTY);

    virtqueue_push(&queue, chain.head, 31);
    assert_false(driver_take(&driver, &head, &written)); /* not before it is published */
    assert_true(virtqueue_flush(&queue));
    assert_true(driver_take(&driver, &head, &written));
    assert_int_equal(head, added);
    assert_int_equal(written, 31);
    assert_false(virtqueue_flush(&queue));
}

static void test_indirect(void **state)
{
    (void)state;
    const struct driver_buffer buffers[] = {{DATA_GPA, 7}, {DATA_GPA + 64, 9}, {DATA_GPA + 99, 1}};

    /* Tables need no alignment. */
    for (unsigned shift = 0; shift < 9; shift++) {
        driver_add_indirect(&driver, TABLE_GPA + shift, buffers, 1, 2);
        assert_int_equal(pop(), VIRTQUEUE_POPPED);
        assert_int_equal(chain.readable, 1);
        assert_int_equal(chain.writable, 2);
        assert_int_equal(chain.readable_bytes, 7);
        assert_int_equal(chain.writable_bytes, 10);
        assert_ptr_equal(segments[2].data, driver_memory(&memory, DATA_GPA + 99));
    }
}

/* Ordinary descriptors may come before the one that refers to a table (2.7.5.3.2). */
static void test_indirect_behind_direct(void **state)
{
    (void)state;
    const struct driver_buffer buffer = {DATA_GPA + 64, 9};

    driver_add_indirect(&driver, TABLE_GPA, &buffer, 0, 1);
    driver_set_desc(&driver, 5, DATA_GPA, 7, VRING_DESC_F_NEXT, 0);
    driver.avail[2] = 5;
    /* The write flag of a descriptor that refers to a table means nothing. */
    driver.desc[0].flags |= VRING_DESC_F_WRITE;
    assert_int_equal(pop(), VIRTQUEUE_POPPED);
    assert_int_equal(chain.head, 5);
    assert_int_equal(chain.readable, 1);
    assert_int_equal(chain.writable, 1);
}

static void test_longest_chains(void **state)
{
    (void)state;
    struct driver_buffer buffers[SIZE];

    for (unsigned i = 0; i < SIZE; i++) {
        buffers[i] = (struct driver_buffer){DATA_GPA + i, 1};
    }
    driver_add(&driver, buffers, SIZE, 0);
    assert_int_equal(pop(), VIRTQUEUE_POPPED);
    assert_int_equal(chain.readable, SIZE);
    driver_add_indirect(&driver, TABLE_GPA, buffers, 0, SIZE);
    assert_int_equal(pop(), VIRTQUEUE_POPPED);
    assert_int_equal(chain.writable, SIZE);
}

static void test_many_rounds(void **state)
{
    (void)state;
    const unsigned total = 3 * 65536 + 5;
    unsigned added = 0, popped = 0, taken = 0;

    srand(1);
    while (taken < total) {
        uint32_t head, written;

        for (unsigned n = (unsigned)rand() % SIZE; n > 0 && added - taken < SIZE; n--) {
            struct driver_buffer buffer = {DATA_GPA + added % 4096, 1 + added % 100};

            driver_add(&driver, &buffer, 1, 0);
            added++;
        }
        for (unsigned n = (unsigned)rand() % SIZE; n > 0 && popped < added; n--) {
            assert_int_equal(pop(), VIRTQUEUE_POPPED);
            if (rand() % 4 == 0) {
                virtqueue_unpop(&queue, 1);
                continue;
            }
            assert_int_equal(chain.head, popped % SIZE);
            assert_int_equal(chain.readable_bytes, 1 + popped % 100);
            virtqueue_push(&queue, chain.head, popped);
            popped++;
        }
        virtqueue_flush(&queue);
        while (driver_take(&driver, &head, &written)) {
            assert_int_equal(head, taken % SIZE);
            assert_int_equal(written, taken);
            taken++;
        }
        assert_int_equal(taken, popped);
    }
}

static void test_unpop_of_several(void **state)
{
    (void)state;
    const struct driver_buffer buffer = {DATA_GPA, 1};

    for (int i = 0; i < 5; i++) {
        driver_add(&driver, &buffer, 1, 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pop(), VIRTQUEUE_POPPED);
    }
    virtqueue_unpop(&queue, 3);
    assert_int_equal(pop(), VIRTQUEUE_POPPED);
    assert_int_equal(chain.head, 1);
}

static void add_and_push(unsigned count)
{
    const struct driver_buffer buffer = {DATA_GPA, 1};

    while (count-- > 0) {
        driver_add(&driver, &buffer, 1, 0);
        assert_int_equal(pop(), VIRTQUEUE_POPPED);
        virtqueue_push(&queue, chain.head, 0);
    }
}

static void test_interrupts_by_event_index(void **state)
{
    (void)state;
    *driver_used_event(&driver) = 0;
    add_and_push(1);
    assert_true(virtqueue_flush(&queue)); /* index 0 has become used */
    add_and_push(3);
    assert_false(virtqueue_flush(&queue)); /* still 0, and that is past */
    *driver_used_event(&driver) = 6;
    add_and_push(2);
    assert_false(virtqueue_flush(&queue)); /* 4 and 5 */
    add_and_push(4);
    assert_true(virtqueue_flush(&queue));                      /* 6 is among them */
    *driver_avail_flags(&driver) = VRING_AVAIL_F_NO_INTERRUPT; /* has no meaning now */
    *driver_used_event(&driver) = 10;
    add_and_push(1);
    assert_true(virtqueue_flush(&queue));
}

static void test_interrupts_by_flag(void **state)
{
    (void)state;
    assert_null(enable(0, SIZE));
    add_and_push(1);
    assert_true(virtqueue_flush(&queue));
    *driver_avail_flags(&driver) = VRING_AVAIL_F_NO_INTERRUPT;
    add_and_push(1);
    assert_false(virtqueue_flush(&queue));
    assert_int_equal(driver_used_idx(&driver), 2);
}

/* What is published first and told later is asked for as a whole. */
static void test_published_and_signalled_later(void **state)
{
    (void)state;
    *driver_used_event(&driver) = 1;
    add_and_push(2);
    assert_int_equal(virtqueue_used(&queue), 0);
    virtqueue_publish(&queue);
    assert_int_equal(driver_used_idx(&driver), 2);
    assert_int_equal(virtqueue_used(&queue), 2);
    assert_int_equal(virtqueue_unsignalled(&queue), 2);
    add_and_push(3);
    virtqueue_publish(&queue);
    assert_true(virtqueue_flush(&queue)); /* 1 was among the first */
    assert_int_equal(virtqueue_unsignalled(&queue), 0);
    add_and_push(2);
    virtqueue_publish(&queue);
    *driver_used_event(&driver) = 7; /* it has seen them */
    assert_false(virtqueue_flush(&queue));
}

static void test_kicks_delayed(void **state)
{
    (void)state;
    const struct driver_buffer buffer = {DATA_GPA, 1};

    add_and_push(3);
    assert_false(virtqueue_enable_kicks_delayed(&queue, 8));
    assert_int_equal(driver_avail_event(&driver), 11); /* a kick comes with the ninth */
    assert_int_equal(virtqueue_available(&queue), 3);
    driver_add(&driver, &buffer, 1, 0);
    assert_int_equal(virtqueue_available(&queue), 4);
    assert_true(virtqueue_enable_kicks_delayed(&queue, 8)); /* one is there already */
    assert_int_equal(pop(), VIRTQUEUE_POPPED);
    assert_false(virtqueue_enable_kicks_delayed(&queue, 0));
    assert_int_equal(driver_avail_event(&driver), 4);

    assert_null(enable(0, SIZE)); /* without event indices: any */
    virtqueue_disable_kicks(&queue);
    (void)virtqueue_enable_kicks_delayed(&queue, 8);
    assert_int_equal(driver_used_flags(&driver), 0);
}

static void test_kicks_by_event_index(void **state)
{
    (void)state;
    const struct driver_buffer buffer = {DATA_GPA, 1};

    assert_false(virtqueue_enable_kicks(&queue));
    assert_int_equal(driver_avail_event(&driver), 0);
    add_and_push(3);
    virtqueue_disable_kicks(&queue);
    assert_int_equal(driver_avail_event(&driver), 0); /* in the past: no kick */
    assert_false(virtqueue_enable_kicks(&queue));
    assert_int_equal(driver_avail_event(&driver), 3);
    driver_add(&driver, &buffer, 1, 0);
    assert_true(virtqueue_enable_kicks(&queue)); /* it came before the event index */
    assert_int_equal(pop(), VIRTQUEUE_POPPED);
    assert_false(virtqueue_enable_kicks(&queue));
    /* A chain put back is no news; the next one is. */
    virtqueue_unpop(&queue, 1);
    assert_false(virtqueue_enable_kicks(&queue));
    assert_int_equal(driver_avail_event(&driver), 4);
    driver_add(&driver, &buffer, 1, 0);
    assert_true(virtqueue_enable_kicks(&queue));
}

static void test_kicks_by_flag(void **state)
{
    (void)state;
    assert_null(enable(0, SIZE));
    virtqueue_disable_kicks(&queue);
    assert_int_equal(driver_used_flags(&driver), VRING_USED_F_NO_NOTIFY);
    assert_false(virtqueue_enable_kicks(&queue));
    assert_int_equal(driver_used_flags(&driver), 0);
}

/* ---- What a driver may not do ---- */

static void test_bad_sizes(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 3, 17, 1023, 2048, 65536, UINT32_MAX};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_non_null(virtqueue_enable(&queue, &memory, 0, sizes[i], QUEUE_GPA,
                                         QUEUE_GPA + 0x20000, QUEUE_GPA + 0x30000));
        assert_false(virtqueue_enabled(&queue));
    }
    assert_null(enable(0, 1));
    assert_null(enable(0, VIRTQUEUE_SIZE_MAX));
}

static void test_bad_places(void **state)
{
    (void)state;
    const uint64_t good[3] = {driver.desc_gpa, driver.avail_gpa, driver.used_gpa};
    const uint64_t bytes[3] = {16 * SIZE, 6 + 2 * SIZE, 6 + 8 * SIZE};
    const uint64_t alignment[3] = {16, 2, 4};

    for (int ring = 0; ring < 3; ring++) {
        uint64_t last = (RAM_END - bytes[ring]) & ~(alignment[ring] - 1);
        const uint64_t bad[] = {0,
                                good[ring] + alignment[ring] / 2,
                                RAM_GPA - alignment[ring],
                                last + alignment[ring],
                                RAM_END,
                                UINT64_MAX - 15};

        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            uint64_t at[3] = {good[0], good[1], good[2]};

            at[ring] = bad[i];
            assert_non_null(virtqueue_enable(&queue, &memory, EVENT, SIZE, at[0], at[1], at[2]));
            assert_int_equal(virtqueue_pop(&queue, segments, 1, &chain), VIRTQUEUE_EMPTY);
        }
        uint64_t at[3] = {good[0], good[1], good[2]};
        at[ring] = last;
        assert_null(virtqueue_enable(&queue, &memory, EVENT, SIZE, at[0], at[1], at[2]));
    }
}

static void test_index_jumps(void **state)
{
    (void)state;
    const uint16_t jumps[] = {SIZE + 1, 100, 0x7fff, 0x8000, 0xffff};

    for (unsigned i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        assert_null(enable(EVENT, SIZE));
        *driver_avail_idx(&driver) = jumps[i];
        expect_broken("jumps beyond");
    }
    /* Backwards, after some good ones. */
    assert_null(enable(EVENT, SIZE));
    add_and_push(3);
    *driver_avail_idx(&driver) = 2;
    expect_broken("jumps beyond");
    /* As many as the queue has room for are no jump. */
    assert_null(enable(EVENT, SIZE));
    for (unsigned i = 0; i < SIZE; i++) {
        driver_set_desc(&driver, (uint16_t)i, DATA_GPA, 1, 0, 0);
        driver_offer(&driver, (uint16_t)i);
    }
    for (unsigned i = 0; i < SIZE; i++) {
        assert_int_equal(pop(), VIRTQUEUE_POPPED);
    }
}

static void test_head_beyond_table(void **state)
{
    (void)state;
    driver_offer(&driver, SIZE);
    expect_broken("beyond the table");
    assert_null(enable(0, SIZE));
    driver_offer(&driver, 0xffff);
    expect_broken("beyond the table");
}

static void test_addresses_outside(void **state)
{
    (void)state;
    const struct driver_buffer bad[] = {
        {0, 1},
        {RAM_GPA - 1, 1},
        {RAM_GPA - 1, 2},
        {RAM_END, 1},
        {RAM_END - 1, 2},
        {DATA_GPA, (uint32_t)RAM_SIZE},
        {RAM_GPA, UINT32_MAX}, /* 4 GiB less one: the most that a descriptor can say */
        {UINT64_MAX, 1},
        {UINT64_MAX - 3, 100},
        {UINT64_MAX - UINT32_MAX + 1, UINT32_MAX},
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(enable(INDIRECT, SIZE));
        driver_add(&driver, &bad[i], i % 2, 1 - i % 2);
        expect_broken("outside");
        assert_null(enable(INDIRECT, SIZE));
        driver_add_indirect(&driver, TABLE_GPA, &bad[i], 1, 0);
        expect_broken("outside");
    }
}

static void test_length_zero(void **state)
{
    (void)state;
    const struct driver_buffer buffers[] = {{DATA_GPA, 1}, {DATA_GPA, 0}};

    driver_add(&driver, buffers, 2, 0);
    expect_broken("length 0");
    assert_null(enable(INDIRECT, SIZE));
    driver_add_indirect(&driver, TABLE_GPA, buffers, 1, 1);
    expect_broken("length 0");
}

/* Each descriptor is allowed; their sum is not. */
static void test_four_gigabytes(void **state)
{
    (void)state;
    const uint32_t piece = 1u << 31;
    struct guest_memory large = {.base = memory.base, .gpa = RAM_GPA, .size = 8ull << 30};

    /* Nothing is written to or read from the buffers here, so they need not exist. */
    driver_queue_init(&driver, &large, QUEUE_GPA, SIZE);
    assert_null(virtqueue_enable(&queue, &large, 0, SIZE, driver.desc_gpa, driver.avail_gpa,
                                 driver.used_gpa));
    const struct driver_buffer almost[] = {{RAM_GPA, piece}, {RAM_GPA, piece - 1}};
    driver_add(&driver, almost, 1, 1);
    assert_int_equal(pop(), VIRTQUEUE_POPPED);
    assert_int_equal(chain.readable_bytes, piece);
    assert_int_equal(chain.writable_bytes, piece - 1);
    const struct driver_buffer just[] = {{RAM_GPA, piece}, {RAM_GPA, piece}};
    driver_add(&driver, just, 1, 1);
    expect_broken("4 GiB");
}

static void test_loops(void **state)
{
    (void)state;
    driver_set_desc(&driver, 0, DATA_GPA, 1, VRING_DESC_F_NEXT, 0);
    driver_offer(&driver, 0);
    expect_broken("loop");

    assert_null(enable(INDIRECT, SIZE));
    for (uint16_t i = 0; i < SIZE; i++) {
        driver_set_desc(&driver, i, DATA_GPA, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE,
                        (uint16_t)((i + 1) % SIZE));
    }
    driver_offer(&driver, 7);
    expect_broken("loop");

    /* Within a table. */
    assert_null(enable(INDIRECT, SIZE));
    const struct driver_buffer buffers[] = {{DATA_GPA, 1}, {DATA_GPA, 1}};
    driver_add_indirect(&driver, TABLE_GPA, buffers, 2, 0);
    struct vring_desc *table = driver_memory(&memory, TABLE_GPA);
    table[1].flags = VRING_DESC_F_NEXT;
    table[1].next = 0;
    expect_broken("loop");
}

static void test_successor_beyond_table(void **state)
{
    (void)state;
    driver_set_desc(&driver, 0, DATA_GPA, 1, VRING_DESC_F_NEXT, SIZE);
    driver_offer(&driver, 0);
    expect_broken("beyond the table");

    /* A table's own length counts, not the queue's. */
    assert_null(enable(INDIRECT, SIZE));
    const struct driver_buffer buffers[] = {{DATA_GPA, 1}, {DATA_GPA, 1}};
    driver_add_indirect(&driver, TABLE_GPA, buffers, 2, 0);
    struct vring_desc *table = driver_memory(&memory, TABLE_GPA);
    table[1].flags = VRING_DESC_F_NEXT;
    table[1].next = 2;
    expect_broken("beyond the table");
}

static void test_readable_after_writable(void **state)
{
    (void)state;
    driver_set_desc(&driver, 0, DATA_GPA, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
    driver_set_desc(&driver, 1, DATA_GPA, 1, 0, 0);
    driver_offer(&driver, 0);
    expect_broken("follows a writable");
}

static void test_bad_tables(void **state)
{
    (void)state;
    const struct driver_buffer buffer = {DATA_GPA, 1};
    const uint32_t lengths[] = {0, 1, 15, 17, 16 * SIZE + 16, 0xfffffff0};

    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_null(enable(INDIRECT, SIZE));
        driver_add_indirect(&driver, TABLE_GPA, &buffer, 1, 0);
        driver.desc[0].len = lengths[i];
        expect_broken("impossible length");
    }
    const uint64_t places[] = {0, RAM_GPA - 16, RAM_END - 15, RAM_END, UINT64_MAX - 15};
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        assert_null(enable(INDIRECT, SIZE));
        driver_add_indirect(&driver, TABLE_GPA, &buffer, 1, 0);
        driver.desc[0].addr = places[i];
        expect_broken("outside");
    }
    assert_null(enable(INDIRECT, SIZE));
    driver_add_indirect(&driver, TABLE_GPA, &buffer, 1, 0);
    driver.desc[0].flags |= VRING_DESC_F_NEXT;
    expect_broken("successor");

    assert_null(enable(INDIRECT, SIZE)); /* a table in a table, which may be itself */
    driver_add_indirect(&driver, TABLE_GPA, &buffer, 1, 0);
    struct vring_desc *table = driver_memory(&memory, TABLE_GPA);
    table[0] = (struct vring_desc){TABLE_GPA, 16, VRING_DESC_F_INDIRECT, 0};
    expect_broken("within an indirect");

    assert_null(enable(INDIRECT, SIZE)); /* the queue's own table as an indirect one */
    driver_set_desc(&driver, 0, driver.desc_gpa, 16, VRING_DESC_F_INDIRECT, 0);
    driver_offer(&driver, 0);
    expect_broken("within an indirect");

    assert_null(enable(EVENT, SIZE));
    driver_add_indirect(&driver, TABLE_GPA, &buffer, 1, 0);
    expect_broken("without the feature");
}

static void test_more_segments_than_asked_for(void **state)
{
    (void)state;
    const struct driver_buffer buffers[] = {{DATA_GPA, 1}, {DATA_GPA, 1}, {DATA_GPA, 1}};

    driver_add(&driver, buffers, 3, 0);
    uint16_t second = driver_add(&driver, buffers, 3, 0);
    assert_int_equal(virtqueue_pop(&queue, segments, 3, &chain), VIRTQUEUE_POPPED);
    assert_int_equal(virtqueue_pop(&queue, segments, 2, &chain), VIRTQUEUE_TOO_LONG);
    assert_int_equal(virtqueue_pop(&queue, segments, 0, &chain), VIRTQUEUE_TOO_LONG);
    assert_null(virtqueue_error(&queue));
    assert_int_equal(virtqueue_pop(&queue, segments, 3, &chain), VIRTQUEUE_POPPED);
    assert_int_equal(chain.head, second);
}

static void test_first_cause_stays(void **state)
{
    (void)state;
    virtqueue_break(&queue, "first");
    virtqueue_break(&queue, "second");
    assert_string_equal(virtqueue_error(&queue), "first");
    assert_int_equal(pop(), VIRTQUEUE_BROKEN);
    assert_null(enable(0, SIZE));
    assert_null(virtqueue_error(&queue));
    assert_int_equal(pop(), VIRTQUEUE_EMPTY);
}

/* Rings full of noise: whatever comes out lies in the guest's memory, and it ends. */
static void test_noise(void **state)
{
    (void)state;
    uint8_t *end = memory.base + RAM_SIZE;

    srand(2);
    for (int round = 0; round < 20000; round++) {
        assert_null(enable(rand() % 2 ? INDIRECT : INDIRECT | EVENT, SIZE));
        for (uint16_t i = 0; i < SIZE; i++) {
            bool table = rand() % 8 == 0;
            uint64_t gpa =
                rand() % 16 == 0 ? (uint64_t)rand() << 20 : DATA_GPA + (uint64_t)(rand() % 0x1000);

            driver_set_desc(&driver, i, gpa, table ? 16u * (rand() % 20) : (uint32_t)rand() % 999,
                            (uint16_t)(rand() % 4) | (table ? VRING_DESC_F_INDIRECT : 0),
                            (uint16_t)(rand() % (SIZE + 1)));
            driver.avail[2 + i] = (uint16_t)(rand() % (SIZE + 1));
        }
        memcpy(driver_memory(&memory, DATA_GPA), driver.desc, 16 * SIZE);
        *driver_avail_idx(&driver) = (uint16_t)(rand() % (SIZE + 2));
        *driver_used_event(&driver) = (uint16_t)rand();
        while (pop() == VIRTQUEUE_POPPED) {
            uint64_t sum = 0;

            assert_in_range(chain.readable + chain.writable, 1, SIZE);
            for (int i = 0; i < chain.readable + chain.writable; i++) {
                assert_true(segments[i].data >= memory.base && segments[i].data < end);
                assert_in_range(segments[i].length, 1, end - segments[i].data);
                sum += segments[i].length;
            }
            assert_int_equal(sum, (uint64_t)chain.readable_bytes + chain.writable_bytes);
            virtqueue_push(&queue, chain.head, 0);
            virtqueue_flush(&queue);
            virtqueue_enable_kicks(&queue);
        }
    }
}

/* From any byte on, across segments, up to the last one or to one that is absent. */
static void test_copy_out(void **state)
{
    static uint8_t bytes[] = "abcdefghij";
    uint8_t copy[16];

    (void)state;
    segments[0] = (struct virtqueue_segment){bytes, 3};
    segments[1] = (struct virtqueue_segment){bytes + 3, 1};
    segments[2] = (struct virtqueue_segment){bytes + 4, 6};
    for (uint32_t skip = 0; skip <= 11; skip++) {
        for (uint32_t count = 0; count <= 11; count++) {
            uint32_t there = skip < 10 ? 10 - skip : 0;
            uint32_t expected = count < there ? count : there;

            memset(copy, '.', sizeof(copy));
            assert_int_equal(virtqueue_copy_out(segments, 3, skip, copy, count), expected);
            assert_memory_equal(copy, bytes + (expected != 0 ? skip : 0), expected);
            assert_int_equal(copy[expected], '.');
        }
    }
    segments[1].data = NULL;
    assert_int_equal(virtqueue_copy_out(segments, 3, 0, copy, 10), 3);
    assert_int_equal(virtqueue_copy_out(segments, 3, 4, copy, 10), 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_not_enabled),
        TEST(test_chain_of_both_kinds),
        TEST(test_indirect),
        TEST(test_indirect_behind_direct),
        TEST(test_longest_chains),
        TEST(test_many_rounds),
        TEST(test_unpop_of_several),
        TEST(test_interrupts_by_event_index),
        TEST(test_interrupts_by_flag),
        TEST(test_published_and_signalled_later),
        TEST(test_kicks_delayed),
        TEST(test_kicks_by_event_index),
        TEST(test_kicks_by_flag),
        TEST(test_bad_sizes),
        TEST(test_bad_places),
        TEST(test_index_jumps),
        TEST(test_head_beyond_table),
        TEST(test_addresses_outside),
        TEST(test_length_zero),
        TEST(test_four_gigabytes),
        TEST(test_loops),
        TEST(test_successor_beyond_table),
        TEST(test_readable_after_writable),
        TEST(test_bad_tables),
        TEST(test_more_segments_than_asked_for),
        TEST(test_first_cause_stays),
        TEST(test_copy_out),
        TEST(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
