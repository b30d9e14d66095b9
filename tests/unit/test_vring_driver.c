/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/vring_driver.c lib/virtio_bus.c tests/unit/fake/virtio_device.c
 *
 * The driver's side of a virtqueue and of the virtio-mmio transport, against a device polite and
 * hostile.
 */

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/virtio_bus.h"
#include "lib/vring_driver.h"
#include "tests/unit/fake/virtio_device.h"

#define SIZE     8
#define INDIRECT 6
#define EVENT    (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define TABLES   (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define MODERN   (1ULL << VIRTIO_F_VERSION_1)
#define KIND     2u

static struct vring_driver queue;
static void *memory;
static uint8_t buffers[64][16];

/* A device with one queue, and the driver's view of it. */
static void start(uint64_t features)
{
    uint64_t agreed;

    fake_virtio_reset(KIND, features | MODERN);
    assert_null(
        virtio_bus_negotiate(FAKE_VIRTIO_REGISTERS, KIND, features | MODERN, MODERN, &agreed));
    memory = aligned_alloc(16, vring_driver_bytes(SIZE, INDIRECT)); /* ASan sees each byte beyond */
    assert_non_null(memory);
    memset(memory, 0xaa, vring_driver_bytes(SIZE, INDIRECT));
    vring_driver_init(&queue, memory, (uintptr_t)memory, SIZE, INDIRECT, agreed);
    assert_null(virtio_bus_add_queue(FAKE_VIRTIO_REGISTERS, 0, &queue));
    virtio_bus_start(FAKE_VIRTIO_REGISTERS);
}

static int set_up(void **state)
{
    (void)state;
    start(EVENT | TABLES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static void restart(uint64_t features)
{
    free(memory);
    start(features);
}

static bool add(uint16_t readable, uint16_t writable, uint16_t token)
{
    struct vring_driver_segment segments[64];

    for (uint16_t i = 0; i < readable + writable; i++) {
        segments[i] = (struct vring_driver_segment){(uintptr_t)buffers[i], 16};
    }
    return vring_driver_add(&queue, segments, readable, writable, token);
}

static enum vring_driver_take take(uint16_t *token, uint32_t *written)
{
    return vring_driver_take(&queue, token, written);
}

static void chains_arrive_as_they_were_added(void **state)
{
    (void)state;
    uint64_t features[] = {0, EVENT, TABLES, EVENT | TABLES};

    for (unsigned f = 0; f < 4; f++) {
        restart(features[f]);
        for (uint16_t length = 1; length <= INDIRECT; length++) {
            for (uint16_t readable = 0; readable <= length; readable++) {
                struct fake_virtio_chain chain;
                uint16_t token;
                uint32_t written;

                assert_true(add(readable, length - readable, 700 + length));
                assert_false(fake_virtio_pop(0, &chain)); /* not yet */
                assert_true(vring_driver_publish(&queue));
                assert_true(fake_virtio_pop(0, &chain));
                assert_int_equal(chain.readable, readable);
                assert_int_equal(chain.writable, length - readable);
                assert_int_equal(chain.indirect, length > 1 && (features[f] & TABLES));
                for (unsigned i = 0; i < length; i++) {
                    assert_ptr_equal(chain.segment[i].data, buffers[i]);
                    assert_int_equal(chain.segment[i].length, 16);
                }
                assert_int_equal(take(&token, &written), VRING_DRIVER_EMPTY);
                fake_virtio_push(0, chain.head, chain.writable_bytes);
                assert_int_equal(take(&token, &written), VRING_DRIVER_TAKEN);
                assert_int_equal(token, 700 + length);
                assert_int_equal(written, chain.writable_bytes);
            }
        }
    }
}

static void a_full_queue_takes_no_more(void **state)
{
    (void)state;
    struct fake_virtio_chain chain;
    uint16_t token;
    uint32_t written;

    for (uint16_t i = 0; i < SIZE; i++) {
        assert_true(add(2, 1, i));
    }
    assert_false(add(1, 0, 99));
    assert_true(vring_driver_publish(&queue));
    assert_true(fake_virtio_pop(0, &chain));
    fake_virtio_push(0, chain.head, 0);
    assert_int_equal(take(&token, &written), VRING_DRIVER_TAKEN);
    assert_int_equal(token, 0);
    assert_true(add(1, 0, 100));
    assert_false(add(1, 0, 101));
}

static void direct_chains_share_the_table(void **state)
{
    (void)state;
    struct fake_virtio_chain chain;
    uint16_t token;
    uint32_t written;

    restart(0);
    assert_int_equal(vring_driver_segments_max(&queue), SIZE);
    assert_false(add(0, 0, 0));
    assert_false(add(SIZE, 1, 0)); /* never */
    assert_true(add(3, 0, 1));
    assert_true(add(0, 3, 2));
    assert_false(add(2, 1, 3)); /* not now */
    assert_true(add(1, 1, 4));
    vring_driver_publish(&queue);
    for (int i = 0; i < 3; i++) {
        assert_true(fake_virtio_pop(0, &chain));
        fake_virtio_push(0, chain.head, 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(&token, &written), VRING_DRIVER_TAKEN);
    }
    assert_true(add(4, 4, 5));
    vring_driver_publish(&queue);
    assert_true(fake_virtio_pop(0, &chain));
    assert_int_equal(chain.readable + chain.writable, SIZE);
}

static void a_chain_longer_than_its_table_goes_direct(void **state)
{
    (void)state;
    struct fake_virtio_chain chain;

    assert_true(add(INDIRECT, 1, 1));
    assert_true(vring_driver_publish(&queue));
    assert_true(fake_virtio_pop(0, &chain));
    assert_false(chain.indirect);
    assert_int_equal(chain.readable, INDIRECT);
}

/* Any order of completion, for many times the queue's size and beyond the indices' wrap. */
static void completion_in_any_order(void **state)
{
    (void)state;
    static uint16_t in_device[SIZE];
    bool expected[65536] = {false};
    unsigned held = 0, rounds = 0;
    uint16_t next = 0;

    restart(EVENT);
    srand(1);
    while (rounds < 70000) {
        struct fake_virtio_chain chain;
        uint16_t token;
        uint32_t written;
        uint16_t length = (uint16_t)(1 + rand() % 3);

        if (add(length, 0, next)) {
            expected[next++] = true;
            vring_driver_publish(&queue);
        }
        while (held < SIZE && fake_virtio_pop(0, &chain)) {
            in_device[held++] = chain.head;
        }
        if (held > 0 && rand() % 2 == 0) {
            unsigned which = (unsigned)rand() % held;

            fake_virtio_push(0, in_device[which], 0);
            in_device[which] = in_device[--held];
            assert_int_equal(take(&token, &written), VRING_DRIVER_TAKEN);
            assert_true(expected[token]);
            expected[token] = false;
            rounds++;
        }
    }
}

static void interrupts_only_when_wanted(void **state)
{
    (void)state;
    uint64_t features[] = {0, EVENT};

    for (unsigned f = 0; f < 2; f++) {
        struct fake_virtio_chain chain;
        uint16_t token;
        uint32_t written;

        restart(features[f]);
        for (int i = 0; i < 4; i++) {
            assert_true(add(1, 0, 0));
        }
        vring_driver_publish(&queue);
        assert_true(fake_virtio_pop(0, &chain));
        assert_true(fake_virtio_push(0, chain.head, 0)); /* from the start */
        vring_driver_disable_interrupts(&queue);
        assert_true(fake_virtio_pop(0, &chain));
        assert_false(fake_virtio_push(0, chain.head, 0));
        assert_true(vring_driver_enable_interrupts(&queue)); /* two are there */
        assert_int_equal(take(&token, &written), VRING_DRIVER_TAKEN);
        assert_int_equal(take(&token, &written), VRING_DRIVER_TAKEN);
        assert_false(vring_driver_enable_interrupts(&queue));
        assert_true(fake_virtio_pop(0, &chain));
        assert_true(fake_virtio_push(0, chain.head, 0));
    }
}

static void the_device_is_notified_only_if_it_asks(void **state)
{
    (void)state;
    struct fake_virtio_chain chain;

    assert_false(vring_driver_publish(&queue)); /* nothing new */
    assert_true(add(1, 0, 0));
    assert_true(vring_driver_publish(&queue));
    assert_true(add(1, 0, 0));
    assert_false(vring_driver_publish(&queue)); /* it has not come back for the first */
    while (fake_virtio_pop(0, &chain)) {
    }
    assert_true(add(1, 0, 0));
    assert_true(vring_driver_publish(&queue));

    restart(0);
    ((uint16_t *)(uintptr_t)queue.used_paddr)[0] = VRING_USED_F_NO_NOTIFY;
    assert_true(add(1, 0, 0));
    assert_false(vring_driver_publish(&queue));
    ((uint16_t *)(uintptr_t)queue.used_paddr)[0] = 0;
    assert_true(add(1, 0, 0));
    assert_true(vring_driver_publish(&queue));
}

static void expect_broken(void)
{
    uint16_t token = 4711;
    uint32_t written = 4711;

    assert_int_equal(take(&token, &written), VRING_DRIVER_BROKEN);
    assert_non_null(queue.error);
    assert_int_equal(token, 4711);
    assert_int_equal(written, 4711);
    *fake_virtio_used_index(0) = 0;
    assert_int_equal(take(&token, &written), VRING_DRIVER_BROKEN); /* for good */
    assert_false(add(1, 0, 0));
    assert_false(vring_driver_publish(&queue));
    assert_false(vring_driver_enable_interrupts(&queue));
}

static void an_index_jump_breaks_it(void **state)
{
    (void)state;
    const uint16_t jumps[] = {2, SIZE, SIZE + 1, 0x8000, 0xffff};

    for (unsigned i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        restart(EVENT | TABLES);
        assert_true(add(1, 1, 0));
        vring_driver_publish(&queue);
        *fake_virtio_used_index(0) = jumps[i];
        expect_broken();
    }
    restart(0);
    *fake_virtio_used_index(0) = 1; /* nothing is in flight */
    expect_broken();
}

static void an_unknown_id_breaks_it(void **state)
{
    (void)state;
    const uint32_t ids[] = {1, SIZE - 1, SIZE, 0x10000, UINT32_MAX};

    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        restart(EVENT | TABLES);
        assert_true(add(1, 1, 0)); /* takes descriptor 0 */
        vring_driver_publish(&queue);
        fake_virtio_push(0, ids[i], 0);
        expect_broken();
    }
}

static void an_id_twice_or_from_within_a_chain_breaks_it(void **state)
{
    (void)state;
    uint16_t token;
    uint32_t written;

    restart(0);
    assert_true(add(2, 1, 0)); /* descriptors 0, 1, 2 */
    assert_true(add(1, 0, 1));
    vring_driver_publish(&queue);
    fake_virtio_push(0, 1, 0);
    expect_broken();

    restart(0);
    assert_true(add(1, 0, 0));
    assert_true(add(1, 0, 1));
    vring_driver_publish(&queue);
    fake_virtio_push(0, 0, 0);
    fake_virtio_push(0, 0, 0);
    assert_int_equal(take(&token, &written), VRING_DRIVER_TAKEN);
    expect_broken();
}

static void an_impossible_length_breaks_it(void **state)
{
    (void)state;
    const uint32_t lengths[] = {33, 0x80000000u, UINT32_MAX};
    uint16_t token;
    uint32_t written;

    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        restart(EVENT | TABLES);
        assert_true(add(1, 2, 0));
        vring_driver_publish(&queue);
        fake_virtio_push(0, 0, lengths[i]);
        expect_broken();
    }
    restart(EVENT | TABLES);
    assert_true(add(1, 2, 0));
    vring_driver_publish(&queue);
    fake_virtio_push(0, 0, 32);
    assert_int_equal(take(&token, &written), VRING_DRIVER_TAKEN);
    assert_int_equal(written, 32);
}

/* What the device writes into descriptors and the available ring changes nothing for the driver. */
static void scribbles_are_not_read_back(void **state)
{
    (void)state;
    uint16_t token;
    uint32_t written;

    restart(0);
    assert_true(add(2, 2, 5));
    vring_driver_publish(&queue);
    memset((void *)(uintptr_t)queue.desc_paddr, 0xff, SIZE * sizeof(struct vring_desc));
    memset((void *)(uintptr_t)queue.avail_paddr, 0xff, 6 + 2 * SIZE);
    fake_virtio_push(0, 0, 0);
    assert_int_equal(take(&token, &written), VRING_DRIVER_TAKEN);
    assert_int_equal(token, 5);
    assert_true(add(4, 4, 6)); /* all descriptors are free again */
}

/* ---- The transport ---- */

static const char *negotiate(uint64_t wanted, uint64_t required, uint64_t *features)
{
    return virtio_bus_negotiate(FAKE_VIRTIO_REGISTERS, KIND, wanted, required, features);
}

static void features_are_agreed_on(void **state)
{
    (void)state;
    uint64_t features;

    fake_virtio_reset(KIND, MODERN | EVENT | 1ULL << 40 | 1);
    assert_null(negotiate(MODERN | 1ULL << 40 | 1ULL << 50, MODERN, &features));
    assert_true(features == (MODERN | 1ULL << 40));
    assert_true(fake_virtio.accepted == features);
    assert_int_equal(fake_virtio.resets, 1);
    virtio_bus_start(FAKE_VIRTIO_REGISTERS);
    assert_true(fake_virtio.status & VIRTIO_CONFIG_S_DRIVER_OK);
}

static void what_is_no_such_device_is_named(void **state)
{
    (void)state;
    uint64_t features;

    fake_virtio_reset(KIND, MODERN);
    fake_virtio.magic = 0;
    assert_non_null(negotiate(MODERN, MODERN, &features));
    fake_virtio_reset(0, MODERN);
    assert_non_null(strstr(negotiate(MODERN, MODERN, &features), "no device"));
    fake_virtio_reset(KIND, MODERN);
    fake_virtio.version = 1;
    assert_non_null(strstr(negotiate(MODERN, MODERN, &features), "legacy"));
    fake_virtio_reset(KIND + 1, MODERN);
    assert_non_null(strstr(negotiate(MODERN, MODERN, &features), "another kind"));
    fake_virtio_reset(KIND, EVENT);
    assert_non_null(negotiate(MODERN | EVENT, MODERN, &features));
    assert_true(fake_virtio.status & VIRTIO_CONFIG_S_FAILED);
    fake_virtio_reset(KIND, MODERN);
    fake_virtio.refuses_features = true;
    assert_non_null(negotiate(MODERN, MODERN, &features));
    fake_virtio_reset(KIND, MODERN);
    fake_virtio.status = 15;
    fake_virtio.never_stops = true;
    assert_non_null(negotiate(MODERN, MODERN, &features));
}

static void queues_fit_the_device(void **state)
{
    (void)state;
    uint64_t features;

    fake_virtio_reset(KIND, MODERN);
    assert_null(negotiate(MODERN, MODERN, &features));
    assert_int_equal(virtio_bus_queue_size(FAKE_VIRTIO_REGISTERS, 1, 64), 64);
    fake_virtio.queue[1].size_max = 48;
    assert_int_equal(virtio_bus_queue_size(FAKE_VIRTIO_REGISTERS, 1, 64), 32);
    fake_virtio.queue[1].size_max = 0;
    assert_int_equal(virtio_bus_queue_size(FAKE_VIRTIO_REGISTERS, 1, 64), 0);
    fake_virtio.queue[0].refused = true;
    assert_non_null(virtio_bus_add_queue(FAKE_VIRTIO_REGISTERS, 0, &queue));
    fake_virtio.queue[0].ready = true;
    assert_non_null(virtio_bus_add_queue(FAKE_VIRTIO_REGISTERS, 0, &queue));
}

static void interrupts_are_taken_once(void **state)
{
    (void)state;
    fake_virtio.interrupts = VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG;
    assert_int_equal(virtio_bus_take_interrupts(FAKE_VIRTIO_REGISTERS), 3);
    assert_int_equal(virtio_bus_take_interrupts(FAKE_VIRTIO_REGISTERS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chains_arrive_as_they_were_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_queue_takes_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(direct_chains_share_the_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chain_longer_than_its_table_goes_direct, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(completion_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interrupts_only_when_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_device_is_notified_only_if_it_asks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_index_jump_breaks_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_id_breaks_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_id_twice_or_from_within_a_chain_breaks_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_impossible_length_breaks_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scribbles_are_not_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(features_are_agreed_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_such_device_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queues_fit_the_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interrupts_are_taken_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
