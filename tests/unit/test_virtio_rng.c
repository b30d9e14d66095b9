/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/rng.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/entropy.c
 * SOURCES: lib/chacha20.c lib/virtqueue.c
 * SOURCES: tests/unit/fake/virtio_driver.c tests/unit/fake/virtio_bus.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * The virtio entropy device and its driver, polite or hostile.
 */

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/fake/virtio_bus.h"
#include "vmm/entropy.h"
#include "vmm/virtio/mmio.h"
#include "vmm/virtio/rng.h"

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 0x100000ull
#define DEVICE   0x0a014000ull
#define INTID    68u
#define SIZE     16u
#define DATA     (RAM_GPA + 0x20000)
#define TABLES   (RAM_GPA + 0x40000)
#define PLAIN    VIRTIO_FEATURE(VIRTIO_F_VERSION_1)
#define INDIRECT VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC)

static uint32_t page[1024] __attribute__((aligned(4096)));
static const struct vmm_rng_config config = {.registers = page, .gpa = DEVICE, .intid = INTID};
static struct guest_memory memory;
static struct driver_queue queue;

static void begin(uint64_t features)
{
    assert_true(bus_negotiate(DEVICE, features) & VIRTIO_CONFIG_S_FEATURES_OK);
    driver_queue_init(&queue, &memory, RAM_GPA, SIZE);
    assert_int_equal(bus_enable_queue(DEVICE, 0, &queue), 1);
    bus_driver_ok(DEVICE);
}

static int set_up(void **state)
{
    static const uint8_t secret[ENTROPY_SECRET_SIZE] = {1, 2, 3};

    (void)state;
    fake_reset();
    if (memory.base == NULL) {
        memory = (struct guest_memory){aligned_alloc(4096, RAM_SIZE), RAM_GPA, RAM_SIZE};
        entropy_init(secret);
        bus_clear();
        virtio_rng_init(&config, &memory);
    }
    memset(memory.base, 0, RAM_SIZE);
    virtio_devices_reset();
    bus_clear();
    begin(PLAIN | INDIRECT);
    return 0;
}

static uint8_t *data(uint32_t at)
{
    return driver_memory(&memory, DATA + at);
}

static bool is_zero(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static uint32_t ask(const struct driver_buffer *buffers, unsigned readable, unsigned writable)
{
    uint32_t head, written;

    driver_add(&queue, buffers, readable, writable);
    bus_kick(DEVICE, 0);
    assert_true(driver_take(&queue, &head, &written));
    return written;
}

static void it_is_an_entropy_device(void **state)
{
    (void)state;
    assert_int_equal(page[VIRTIO_MMIO_DEVICE_ID / 4], VIRTIO_ID_RNG);
    assert_true(is_zero((uint8_t *)page + VIRTIO_MMIO_CONFIG, VIRTIO_CONFIG_SIZE_MAX));
}

static void a_buffer_is_filled(void **state)
{
    (void)state;
    struct driver_buffer buffer = {DATA, 64};

    assert_int_equal(ask(&buffer, 0, 1), 64);
    assert_true(bus.level[INTID]);
    for (unsigned i = 0; i < 64; i += 8) {
        assert_false(is_zero(data(i), 8));
    }
    assert_true(is_zero(data(64), 64));
}

/* With the counter where it was, and nothing of what came before. */
static void no_bytes_come_twice(void **state)
{
    (void)state;
    uint8_t first[64];
    struct driver_buffer buffer = {DATA, 64};

    ask(&buffer, 0, 1);
    memcpy(first, data(0), 64);
    ask(&buffer, 0, 1);
    for (unsigned i = 0; i < 64; i += 16) {
        for (unsigned k = 0; k < 64; k += 16) {
            assert_memory_not_equal(first + i, data(k), 16);
        }
    }
}

static void pieces_of_any_size(void **state)
{
    (void)state;
    struct driver_buffer buffers[] = {{DATA, 3}, {DATA + 100, 1}, {DATA + 200, 5}, {DATA + 300, 9}};

    assert_int_equal(ask(buffers, 1, 3), 15); /* what is readable is left alone */
    assert_true(is_zero(data(0), 100));
    assert_true(is_zero(data(101), 99));
    assert_false(is_zero(data(200), 5));
    assert_true(is_zero(data(205), 95));
    assert_false(is_zero(data(300), 9));
    assert_true(is_zero(data(309), 9));
}

/* A buffer may have 4 GiB, or all of memory many times: a part of it is filled. */
static void a_long_buffer_is_filled_in_part(void **state)
{
    (void)state;
    struct driver_buffer buffers[10];
    uint32_t filled;

    for (unsigned i = 0; i < 10; i++) {
        buffers[i] = (struct driver_buffer){DATA, 0x80000};
    }
    filled = ask(buffers, 0, 10);
    assert_in_range(filled, 64, 4096);
    assert_false(is_zero(data(filled - 8), 8));
    assert_true(is_zero(data(filled), 4096));
}

static void a_turn_is_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        driver_add(&queue, &(struct driver_buffer){DATA, 0x10000}, 0, 1);
    }
    bus.turn = fake.frequency; /* a turn is enough for an event */
    bus_kick(DEVICE, 0);
    assert_true(bus.pauses);
    assert_int_equal(driver_used_idx(&queue), 1);
    bus.pauses = false;
    bus.elapsed = 0;
    virtio_devices_run();
    assert_int_equal(driver_used_idx(&queue), 2);
}

static void expect_needs_reset(void)
{
    uint32_t head, written;

    bus_kick(DEVICE, 0);
    assert_true(page[VIRTIO_MMIO_STATUS / 4] & VIRTIO_CONFIG_S_NEEDS_RESET);
    assert_true(bus_said("rng"));
    assert_false(driver_take(&queue, &head, &written));
    begin(PLAIN | INDIRECT); /* a reset mends it */
    assert_int_equal(page[VIRTIO_MMIO_STATUS / 4] & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

static void nonsense_stops_the_device(void **state)
{
    (void)state;
    struct driver_buffer readable = {DATA, 64}, many[17];
    static const struct driver_buffer elsewhere[] = {{0, 64},
                                                     {RAM_GPA - 1, 64},
                                                     {RAM_GPA + RAM_SIZE - 63, 64},
                                                     {UINT64_MAX - 7, 64},
                                                     {DATA, UINT32_MAX}};

    driver_add(&queue, &readable, 1, 0);
    expect_needs_reset();
    for (unsigned i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        driver_add(&queue, &elsewhere[i], 0, 1);
        expect_needs_reset();
    }
    driver_set_desc(&queue, 0, DATA, 64, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 0); /* a loop */
    driver_offer(&queue, 0);
    expect_needs_reset();
    for (unsigned i = 0; i < 17; i++) { /* more descriptors than the queue has */
        many[i] = (struct driver_buffer){DATA, 1};
    }
    driver_add_indirect(&queue, TABLES, many, 0, 17);
    expect_needs_reset();
    driver_set_desc(&queue, 0, RAM_GPA + RAM_SIZE - 16, 48, VRING_DESC_F_INDIRECT, 0);
    driver_offer(&queue, 0);
    expect_needs_reset();
    assert_true(is_zero(data(0), 64));
}

/* A driver that asks for its own rings gets noise there: it harms itself. */
static void its_own_rings_may_be_filled(void **state)
{
    (void)state;
    struct driver_buffer buffer = {RAM_GPA, 0x4000};

    for (unsigned i = 0; i < 100; i++) {
        driver_add(&queue, &buffer, 0, 1);
        bus_kick(DEVICE, 0);
        begin(PLAIN | INDIRECT);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_an_entropy_device),
        TEST(a_buffer_is_filled),
        TEST(no_bytes_come_twice),
        TEST(pieces_of_any_size),
        TEST(a_long_buffer_is_filled_in_part),
        TEST(a_turn_is_bounded),
        TEST(nonsense_stops_the_device),
        TEST(its_own_rings_may_be_filled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
