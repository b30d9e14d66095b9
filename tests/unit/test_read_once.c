/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: tests/unit/fake/virtio_driver.c
 *
 * Shared memory whose other owner writes at the worst moment: each word of a ring between PDs, and
 * each descriptor of a virtqueue, becomes something else as soon as it has been read. What has been
 * checked must be what is used, so nobody may notice.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/guest_memory.h"
#include "lib/ring.h"
#include "lib/virtqueue.h"
#include "tests/unit/fake/virtio_driver.h"

/* ---- The code itself, with a door behind each of its looks ---- */

static uint32_t spoilt; /* what a word becomes */
static unsigned looks;

static uint32_t look(const uint32_t *word)
{
    uint32_t value = *(const volatile uint32_t *)word;

    *(volatile uint32_t *)(uintptr_t)word = spoilt;
    looks++;
    return value;
}

/* NOLINTNEXTLINE(bugprone-reserved-identifier): the compiler's it is */
#define __atomic_load_n(word, order) look(word)
#define min                          ring_min
#include "lib/ring.c"
#undef min
#undef __atomic_load_n

static void (*between)(void); /* a descriptor has been read, and its address is looked at */

static void *look_up(const struct guest_memory *memory, uint64_t gpa, uint64_t size)
{
    if (between != NULL) {
        between();
    }
    return guest_memory_at(memory, gpa, size);
}

#define guest_memory_at look_up
#define table           virtqueue_table
#include "lib/virtqueue.c"
#undef table
#undef guest_memory_at

/* ---- Rings ---- */

#define SIZE 4096u

static const uint32_t values[] = {0,          1,          64,         SIZE - 1,
                                  SIZE,       SIZE + 1,   0x7fffffff, 0x80000000,
                                  0xffffffbf, 0xffffffc0, 0xfffffffe, 0xffffffff};
#define VALUES (sizeof(values) / sizeof(values[0]))

static struct ring producer, consumer;
static uint8_t *region;

static void open_ring(void)
{
    free(region);
    region = aligned_alloc(4096, RING_HEADER_SIZE + SIZE);
    assert_non_null(region);
    memset(region, 0, RING_HEADER_SIZE + SIZE);
    ring_init(&producer, region, SIZE);
    ring_init(&consumer, region, SIZE);
    looks = 0;
}

static void index_is_read_once(void **state)
{
    (void)state;
    uint8_t bytes[1000] = {5}, got[SIZE];

    for (size_t i = 0; i < VALUES; i++) {
        spoilt = values[i];
        open_ring();
        assert_int_equal(ring_write(&producer, bytes, sizeof(bytes)), sizeof(bytes));
        assert_int_equal(ring_read(&consumer, got, sizeof(got)), sizeof(bytes));
        assert_memory_equal(got, bytes, sizeof(bytes));
        assert_int_equal(looks, 2);
    }
}

/* A record's length is read once as well, and what a peek has found is what a release gives back.
 */
static void length_is_read_once(void **state)
{
    (void)state;
    uint32_t count;

    for (size_t i = 0; i < VALUES; i++) {
        spoilt = values[i];
        open_ring();
        void *room = ring_reserve(&producer, 100);
        assert_non_null(room);
        memset(room, 9, 100);
        ring_commit(&producer);
        const uint8_t *record = ring_peek(&consumer, &count);
        assert_ptr_equal(record, room);
        assert_int_equal(count, 100);
        assert_int_equal(looks, 2);
        ring_release(&consumer);
        assert_int_equal(consumer.shared->tail, 192);
        assert_false(ring_broken(&consumer));
    }
}

/* Also of the one that says that the record lies at the region's start. */
static void length_behind_a_skip_is_read_once(void **state)
{
    (void)state;
    uint32_t count;

    spoilt = UINT32_MAX;
    open_ring();
    producer.own = producer.peer = consumer.own = consumer.peer = SIZE - 64;
    producer.shared->head = producer.shared->tail = SIZE - 64;
    assert_non_null(ring_reserve(&producer, 100));
    ring_commit(&producer);
    assert_ptr_equal(ring_peek(&consumer, &count), region + RING_HEADER_SIZE + RING_RECORD_ALIGN);
    assert_int_equal(count, 100);
    assert_int_equal(looks, 3);
}

static void request_to_be_woken_is_read_once(void **state)
{
    (void)state;
    uint8_t bytes[100] = {0};

    for (size_t i = 0; i < VALUES; i++) {
        spoilt = values[i];
        open_ring();
        assert_false(ring_await_data(&consumer)); /* spoils the index that it looks at, too */
        consumer.shared->head = producer.own;
        producer.shared->tail = consumer.own;
        assert_int_equal(ring_write(&producer, bytes, 100), 100);
        producer.shared->tail = consumer.own;
        assert_true(ring_take_data_wanted(&producer));
        assert_int_equal(producer.shared->data_wanted, 0);
    }
}

/* ---- Virtqueues ---- */

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 0x20000ull
#define DATA     (RAM_GPA + 0x10000)
#define TABLE    (RAM_GPA + 0x8000)
#define ENTRIES  16u

static struct guest_memory memory;
static struct driver_queue driver;
static struct virtqueue queue;
static struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];

static void open_queue(void)
{
    between = NULL;
    free(memory.base);
    memory = (struct guest_memory){aligned_alloc(4096, RAM_SIZE), RAM_GPA, RAM_SIZE};
    assert_non_null(memory.base);
    memset(memory.base, 0, RAM_SIZE);
    driver_queue_init(&driver, &memory, RAM_GPA, ENTRIES);
    assert_null(virtqueue_enable(&queue, &memory, 1ull << VIRTIO_RING_F_INDIRECT_DESC, ENTRIES,
                                 driver.desc_gpa, driver.avail_gpa, driver.used_gpa));
}

/* Descriptors that have been read, in the order of the chain, and the ring that named it. */
static struct vring_desc *chain_of[4];
static unsigned passed;

static void spoil(void)
{
    assert_in_range(passed, 0, 3);
    memset(chain_of[passed++], 0xff, sizeof(struct vring_desc));
    driver.avail[2] = 0xffff;
    *driver_avail_idx(&driver) = 0x4711;
}

static void check_chain(void)
{
    struct virtqueue_chain chain;

    passed = 0;
    between = spoil;
    assert_int_equal(virtqueue_pop(&queue, segments, VIRTQUEUE_SIZE_MAX, &chain), VIRTQUEUE_POPPED);
    between = NULL;
    assert_int_equal(chain.head, 0);
    assert_int_equal(chain.readable, 1);
    assert_int_equal(chain.writable, 2);
    assert_int_equal(chain.readable_bytes, 10);
    assert_int_equal(chain.writable_bytes, 50);
    for (unsigned i = 0; i < 3; i++) {
        assert_ptr_equal(segments[i].data, driver_memory(&memory, DATA + i * 100));
        assert_int_equal(segments[i].length, 10 * (i + 1));
    }
}

static const struct driver_buffer buffers[] = {{DATA, 10}, {DATA + 100, 20}, {DATA + 200, 30}};

static void descriptor_is_read_once(void **state)
{
    (void)state;
    open_queue();
    driver_add(&driver, buffers, 1, 2);
    for (unsigned i = 0; i < 3; i++) {
        chain_of[i] = &driver.desc[i];
    }
    check_chain();
    assert_int_equal(passed, 3);
}

static void descriptor_of_a_table_is_read_once(void **state)
{
    (void)state;
    struct vring_desc *table;

    open_queue();
    driver_add_indirect(&driver, TABLE, buffers, 1, 2);
    table = driver_memory(&memory, TABLE);
    chain_of[0] = &driver.desc[0];
    for (unsigned i = 0; i < 3; i++) {
        chain_of[i + 1] = &table[i];
    }
    check_chain();
    assert_int_equal(passed, 4);
}

static int clean_up(void **state)
{
    (void)state;
    free(region);
    free(memory.base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_is_read_once),
        cmocka_unit_test(length_is_read_once),
        cmocka_unit_test(length_behind_a_skip_is_read_once),
        cmocka_unit_test(request_to_be_woken_is_read_once),
        cmocka_unit_test(descriptor_is_read_once),
        cmocka_unit_test(descriptor_of_a_table_is_read_once),
    };

    return cmocka_run_group_tests(tests, NULL, clean_up);
}
