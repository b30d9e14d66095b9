/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/net_buffers.c lib/virtqueue.c tests/unit/fake/virtio_driver.c
 *
 * The buffers that a guest has for what it receives: as many as a frame takes, but not any number,
 * and those known to be too few are not looked at for each frame again.
 */

#include <linux/virtio_config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net_buffers.h"
#include "lib/net_port.h"
#include "tests/unit/fake/virtio_driver.h"

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 0x200000ull
#define DATA     (RAM_GPA + 0x100000)
#define TABLE    (RAM_GPA + 0x80000)
#define NOWHERE  (RAM_GPA + RAM_SIZE) /* looking at such a buffer breaks the queue */
#define SIZE     1024u
#define HEADER   12u
#define LARGEST  (HEADER + NET_GSO_FRAME_MAX)

static struct guest_memory memory;
static struct driver_queue driver;
static struct virtqueue queue;
static struct net_buffers buffers;

static void enable(uint16_t size)
{
    const uint64_t features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_INDIRECT_DESC;

    driver_queue_init(&driver, &memory, RAM_GPA, size);
    assert_null(virtqueue_enable(&queue, &memory, features, size, driver.desc_gpa, driver.avail_gpa,
                                 driver.used_gpa));
}

static int setup(void **state)
{
    (void)state;
    if (memory.base == NULL) {
        memory = (struct guest_memory){aligned_alloc(4096, RAM_SIZE), RAM_GPA, RAM_SIZE};
    }
    memset(memory.base, 0, RAM_SIZE);
    enable(SIZE);
    return 0;
}

/* `count` chains of one buffer of `bytes` each. */
static void offer(unsigned count, uint32_t bytes)
{
    for (unsigned i = 0; i < count; i++) {
        driver_add(&driver, &(struct driver_buffer){DATA, bytes}, 0, 1);
    }
}

/* One chain, in a table of its own, of `count` pieces, of which those from `bad` on are nowhere. */
static void offer_pieces(unsigned count, uint32_t bytes, unsigned bad)
{
    struct vring_desc *table = driver_memory(&memory, TABLE);

    for (unsigned i = 0; i < count; i++) {
        table[i] = (struct vring_desc){
            .addr = i < bad ? DATA : NOWHERE,
            .len = bytes,
            .flags = VRING_DESC_F_WRITE | (i + 1 < count ? VRING_DESC_F_NEXT : 0),
            .next = (uint16_t)(i + 1),
        };
    }
    driver_set_desc(&driver, 0, TABLE, count * (uint32_t)sizeof(*table), VRING_DESC_F_INDIRECT, 0);
    driver_offer(&driver, 0);
}

static enum net_collect collect(uint32_t needed)
{
    return net_buffers_collect(&buffers, &queue, true, needed);
}

/* What drivers do: a chain for each frame, or mergeable buffers of a frame or of a page. */
static void largest_frame_fits_what_drivers_offer(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1526, 1536, 2048, 4096, 65536};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        enable(SIZE);
        offer(SIZE, sizes[i]);
        for (unsigned left = SIZE, each = (LARGEST + sizes[i] - 1) / sizes[i]; left >= each;) {
            assert_int_equal(collect(LARGEST), NET_COLLECTED);
            assert_int_equal(buffers.count, each);
            net_buffers_push(&buffers, &queue);
            left -= each;
        }
    }
    for (unsigned pieces = 17; pieces <= 128; pieces++) {
        enable(SIZE);
        offer_pieces(pieces, LARGEST / pieces + 1, pieces);
        assert_int_equal(net_buffers_collect(&buffers, &queue, false, LARGEST), NET_COLLECTED);
    }
    enable(SIZE);
    offer(20, 5); /* less than a header each, too */
    assert_int_equal(collect(HEADER + 60), NET_COLLECTED);
    assert_int_equal(buffers.count, 15);
    assert_null(virtqueue_error(&queue));
}

/* However many crumbs a guest offers: no frame makes anybody pick up more than some. */
static void crumbs_are_not_all_picked_up(void **state)
{
    (void)state;
    offer(64, 1);
    driver_add(&driver, &(struct driver_buffer){NOWHERE, 1}, 0, 1);
    offer(900, 1);
    assert_int_equal(collect(HEADER + 60), NET_UNSUITED);
    assert_int_equal(collect(LARGEST), NET_UNSUITED);
    assert_null(virtqueue_error(&queue));
    assert_int_equal(collect(64), NET_COLLECTED); /* none of them is lost */
    assert_int_equal(collect(1), NET_QUEUE_BROKEN);
}

/* Nor if they are the pieces of one chain. */
static void pieces_are_not_all_walked(void **state)
{
    (void)state;
    for (int mergeable = 0; mergeable < 2; mergeable++) {
        enable(SIZE);
        offer_pieces(1000, 1, 129);
        assert_int_equal(net_buffers_collect(&buffers, &queue, mergeable != 0, HEADER + 60),
                         NET_UNSUITED);
        assert_int_equal(net_buffers_collect(&buffers, &queue, mergeable != 0, LARGEST),
                         NET_UNSUITED);
        assert_null(virtqueue_error(&queue));
    }
    /* Together, too: chains of 60 pieces, of which the third does not fit. */
    enable(SIZE);
    offer_pieces(60, 1, 60);
    driver_offer(&driver, 0);
    driver_offer(&driver, 0);
    assert_int_equal(collect(121), NET_UNSUITED);
    assert_int_equal(collect(120), NET_COLLECTED);
    assert_int_equal(buffers.count, 2);
    assert_int_equal(collect(60), NET_COLLECTED);
}

/* A second look would see the buffer that has become larger meanwhile, against the rules. */
static void what_will_never_do_is_looked_at_once(void **state)
{
    (void)state;
    offer(500, 10);
    assert_int_equal(collect(HEADER + 1500), NET_UNSUITED);
    driver.desc[0].len = 4096;
    assert_int_equal(collect(HEADER + 1500), NET_UNSUITED);
    offer(10, 4096); /* they are behind the others */
    assert_int_equal(collect(HEADER + 1500), NET_UNSUITED);
    assert_int_equal(collect(LARGEST), NET_UNSUITED);
    /* A smaller frame is another matter; what it leaves is looked at. */
    assert_int_equal(collect(HEADER + 300), NET_COLLECTED);
    assert_int_equal(buffers.count, 1);
    driver.desc[1].len = 4096;
    assert_int_equal(collect(HEADER + 1500), NET_COLLECTED);
}

static void too_few_are_looked_at_again_when_there_are_more(void **state)
{
    (void)state;
    offer(3, 100);
    assert_int_equal(collect(HEADER + 1500), NET_NO_BUFFERS);
    driver.desc[0].len = 4096;
    assert_int_equal(collect(HEADER + 1500), NET_NO_BUFFERS);
    driver.desc[0].len = 100;
    offer(1, 1000);
    assert_int_equal(collect(HEADER + 1500), NET_NO_BUFFERS);
    offer(1, 1000);
    assert_int_equal(collect(HEADER + 1500), NET_COLLECTED);
    assert_int_equal(buffers.count, 5);
    assert_int_equal(collect(1), NET_NO_BUFFERS);
    offer(1, 1);
    assert_int_equal(collect(1), NET_COLLECTED);
}

static void new_queue_has_no_history(void **state)
{
    (void)state;
    offer(500, 1);
    assert_int_equal(collect(HEADER + 60), NET_UNSUITED);
    enable(SIZE);
    offer(1, 2048);
    assert_int_equal(collect(HEADER + 60), NET_COLLECTED);
    enable(16); /* all there can ever be */
    offer(16, 50);
    assert_int_equal(collect(HEADER + 1500), NET_UNSUITED);
    virtqueue_disable(&queue);
    assert_int_equal(collect(HEADER + 60), NET_NO_BUFFERS);
}

/* Any sizes in any order: the answer is the one of somebody who counts anew each time. */
static void answers_follow_the_model(void **state)
{
    (void)state;
    static uint32_t waiting[1u << 16];
    uint32_t first = 0, last = 0;
    unsigned collected = 0, refused = 0;

    srand(3);
    for (int round = 0; round < 60000; round++) {
        bool plenty = round / 1000 % 2 != 0; /* queues run dry, and fill up, in turns */

        if ((rand() % 3 == 0 || plenty) && last - first < SIZE && last < (1u << 16)) {
            waiting[last] = rand() % 4 == 0 ? 2048 : 1 + (uint32_t)rand() % 60;
            offer(1, waiting[last++]);
            continue;
        }
        uint32_t needed = rand() % 2 == 0 ? 72 : 1 + (uint32_t)rand() % 5000;
        uint32_t sum = 0, count = 0;

        while (sum < needed && count < 64 && first + count < last) {
            sum += waiting[first + count++];
        }
        enum net_collect expected = sum >= needed ? NET_COLLECTED
                                    : count == 64 ? NET_UNSUITED
                                                  : NET_NO_BUFFERS;
        assert_int_equal(collect(needed), expected);
        if (expected == NET_COLLECTED) {
            assert_int_equal(buffers.count, count);
            net_buffers_push(&buffers, &queue);
            first += count;
            collected++;
        } else {
            refused++;
        }
    }
    assert_true(collected > 1000 && refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(largest_frame_fits_what_drivers_offer, setup),
        cmocka_unit_test_setup(crumbs_are_not_all_picked_up, setup),
        cmocka_unit_test_setup(pieces_are_not_all_walked, setup),
        cmocka_unit_test_setup(what_will_never_do_is_looked_at_once, setup),
        cmocka_unit_test_setup(too_few_are_looked_at_again_when_there_are_more, setup),
        cmocka_unit_test_setup(new_queue_has_no_history, setup),
        cmocka_unit_test_setup(answers_follow_the_model, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
