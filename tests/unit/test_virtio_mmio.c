/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/device.c vmm/virtio/mmio.c lib/virtqueue.c tests/unit/fake/virtio_driver.c
 * SOURCES: tests/unit/fake/virtio_bus.c tests/unit/fake/fake_microkit.c
 *
 * The virtio-mmio transport with a device that does nothing but note what it is told: the registers
 * as the guest sees them in the page, the way to DRIVER_OK, and drivers that stray from it.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/fake/virtio_bus.h"
#include "vmm/virtio/mmio.h"

#define RAM_GPA   0x40000000ull
#define RAM_SIZE  0x40000ull
#define DEVICE    0x0a000000ull
#define INTID     48u
#define VERSION_1 VIRTIO_FEATURE(VIRTIO_F_VERSION_1)
#define EVENT     VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define BASE      2u /* a feature of the device's own, */
#define ON_BASE   3u /* and one that needs it */
#define OWN       (VIRTIO_FEATURE(BASE) | VIRTIO_FEATURE(ON_BASE))

#define S_ACK    VIRTIO_CONFIG_S_ACKNOWLEDGE
#define S_DRIVER VIRTIO_CONFIG_S_DRIVER
#define S_OK     VIRTIO_CONFIG_S_FEATURES_OK
#define S_GO     VIRTIO_CONFIG_S_DRIVER_OK
#define S_RESET  VIRTIO_CONFIG_S_NEEDS_RESET
#define S_FAILED VIRTIO_CONFIG_S_FAILED

static uint32_t page[VIRTIO_MMIO_PAGE_SIZE / 4] __attribute__((aligned(4096)));
static struct guest_memory memory;
static struct driver_queue driver;
static struct virtio_device device;

static struct {
    unsigned starts, stops, resets, turns, queue_stops;
    uint32_t pending;
    uint32_t turns_wanted;
    uint32_t config_offset, config_value;
    uint8_t config_width;
} seen;

static const char *check(uint64_t features)
{
    return (features & OWN) == VIRTIO_FEATURE(ON_BASE) ? "one without the other" : NULL;
}

static void start(struct virtio_device *d)
{
    assert_ptr_equal(d, &device);
    assert_true(virtio_device_running(d));
    seen.starts++;
}

static void stop(struct virtio_device *d)
{
    (void)d;
    seen.stops++;
}

static void reset(struct virtio_device *d)
{
    const uint8_t config[] = {1, 2, 3, 4, 5, 6};

    seen.resets++;
    virtio_device_set_config(d, 0, config, sizeof(config));
}

static void queue_stopped(struct virtio_device *d, uint32_t queue)
{
    (void)d;
    assert_int_equal(queue, 1);
    seen.queue_stops++;
}

static uint32_t work(struct virtio_device *d, uint32_t pending)
{
    assert_true(virtio_device_running(d));
    seen.turns++;
    seen.pending = pending;
    if (seen.turns_wanted > 0) {
        seen.turns_wanted--;
        return pending;
    }
    return 0;
}

static bool write_config(struct virtio_device *d, uint32_t offset, uint8_t width, uint32_t value)
{
    (void)d;
    seen.config_offset = offset;
    seen.config_width = width;
    seen.config_value = value;
    return offset == 8;
}

static const struct virtio_device_ops ops = {
    .id = 42,
    .queue_count = 2,
    .queue_size_max = {64, 16},
    .check_features = check,
    .start = start,
    .stop = stop,
    .reset = reset,
    .queue_stopped = queue_stopped,
    .work = work,
    .write_config = write_config,
};

static uint32_t reg(uint32_t offset)
{
    return page[offset / 4];
}

static void put(uint32_t offset, uint32_t value)
{
    bus_write(DEVICE + offset, value);
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    if (device.ops == NULL) {
        memory = (struct guest_memory){aligned_alloc(4096, RAM_SIZE), RAM_GPA, RAM_SIZE};
        device.ops = &ops;
        device.name = "thing";
        device.features = VERSION_1 | EVENT | OWN;
        virtio_device_init(&device, &memory, page, DEVICE, INTID);
    }
    memset(memory.base, 0, RAM_SIZE);
    driver_queue_init(&driver, &memory, RAM_GPA, 16);
    put(VIRTIO_MMIO_STATUS, 0);
    bus_clear();
    memset(&seen, 0, sizeof(seen));
    return 0;
}

static void go(void)
{
    assert_int_equal(bus_negotiate(DEVICE, VERSION_1), S_ACK | S_DRIVER | S_OK);
    assert_int_equal(bus_enable_queue(DEVICE, 1, &driver), 1);
    bus_driver_ok(DEVICE);
    assert_true(virtio_device_running(&device));
}

static void test_registers_after_reset(void **state)
{
    (void)state;
    assert_int_equal(reg(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
    assert_int_equal(reg(VIRTIO_MMIO_VERSION), 2);
    assert_int_equal(reg(VIRTIO_MMIO_DEVICE_ID), 42);
    assert_int_not_equal(reg(VIRTIO_MMIO_VENDOR_ID), 0);
    assert_int_equal(reg(VIRTIO_MMIO_DEVICE_FEATURES), (uint32_t)(EVENT | OWN));
    assert_int_equal(reg(VIRTIO_MMIO_QUEUE_NUM_MAX), 64);
    assert_int_equal(reg(VIRTIO_MMIO_QUEUE_READY), 0);
    assert_int_equal(reg(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    assert_int_equal(reg(VIRTIO_MMIO_STATUS), 0);
    assert_int_equal(reg(VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
    assert_int_equal(reg(VIRTIO_MMIO_SHM_LEN_HIGH), UINT32_MAX);
    assert_memory_equal((uint8_t *)page + VIRTIO_MMIO_CONFIG, "\1\2\3\4\5\6\0\0", 8);
}

/* Reads that do come here find what the page has, in any width. */
static void test_reads(void **state)
{
    (void)state;
    assert_int_equal(bus_read(DEVICE, 4), 0x74726976);
    assert_int_equal(bus_read(DEVICE + VIRTIO_MMIO_CONFIG + 1, 1), 2);
    assert_int_equal(bus_read(DEVICE + VIRTIO_MMIO_CONFIG + 2, 2), 0x0403);
    assert_int_equal(bus_read(DEVICE + VIRTIO_MMIO_CONFIG, 8), 0x060504030201ull);
    assert_int_equal(bus_read(DEVICE + VIRTIO_MMIO_PAGE_SIZE - 8, 8), 0);

    struct mmio_access beyond = {.width = 8};
    assert_false(mmio_route(DEVICE + VIRTIO_MMIO_PAGE_SIZE - 4, &beyond));
}

static void test_selectors(void **state)
{
    (void)state;
    put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    assert_int_equal(reg(VIRTIO_MMIO_DEVICE_FEATURES), VERSION_1 >> 32);
    put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
    assert_int_equal(reg(VIRTIO_MMIO_DEVICE_FEATURES), 0);
    put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, UINT32_MAX);
    assert_int_equal(reg(VIRTIO_MMIO_DEVICE_FEATURES), 0);
    put(VIRTIO_MMIO_QUEUE_SEL, 1);
    assert_int_equal(reg(VIRTIO_MMIO_QUEUE_NUM_MAX), 16);
    put(VIRTIO_MMIO_QUEUE_SEL, 2);
    assert_int_equal(reg(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
    put(VIRTIO_MMIO_QUEUE_SEL, UINT32_MAX);
    assert_int_equal(reg(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
}

static void test_way_to_driver_ok(void **state)
{
    (void)state;
    go();
    assert_int_equal(seen.starts, 1);
    assert_int_equal(device.driver_features, VERSION_1);
    /* What was made available before is looked for without a kick. */
    assert_int_equal(seen.turns, 1);
    assert_int_equal(seen.pending, 3);
    bus_clear();
    bus_kick(DEVICE, 1);
    assert_int_equal(seen.turns, 2);
    assert_true((seen.pending & 2) != 0);
    assert_int_equal(bus.message_count, 0);
    assert_int_equal(bus.fetches, 0); /* the cheap way */
}

static void test_features_refused(void **state)
{
    (void)state;
    const struct {
        uint64_t features;
        const char *cause;
    } bad[] = {
        {0, "legacy"},
        {EVENT, "legacy"},
        {VERSION_1 | VIRTIO_FEATURE(7), "not offered"},
        {VERSION_1 | VIRTIO_FEATURE(63), "not offered"},
        {UINT64_MAX, "not offered"},
        {VERSION_1 | VIRTIO_FEATURE(ON_BASE), "one without the other"},
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bus_clear();
        assert_int_equal(bus_negotiate(DEVICE, bad[i].features), S_ACK | S_DRIVER);
        assert_true(bus_said(bad[i].cause));
        bus_driver_ok(DEVICE); /* the driver does not look */
        assert_int_equal(reg(VIRTIO_MMIO_STATUS), S_ACK | S_DRIVER);
        assert_int_equal(bus_enable_queue(DEVICE, 0, &driver), 0);
    }
    assert_int_equal(bus_negotiate(DEVICE, VERSION_1 | EVENT | OWN), S_ACK | S_DRIVER | S_OK);
    assert_int_equal(seen.starts, 0);
}

static void test_everything_in_one_write(void **state)
{
    (void)state;
    put(VIRTIO_MMIO_STATUS, S_ACK | S_DRIVER | S_OK | S_GO);
    assert_int_equal(reg(VIRTIO_MMIO_STATUS), S_ACK | S_DRIVER); /* VERSION_1 is missing */
    assert_int_equal(seen.starts, 0);
}

static void test_features_are_final(void **state)
{
    (void)state;
    assert_int_equal(bus_negotiate(DEVICE, VERSION_1), S_ACK | S_DRIVER | S_OK);
    put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)EVENT);
    assert_int_equal(device.driver_features, VERSION_1);
    assert_true(bus_said("after FEATURES_OK"));
}

static void test_features_beyond_64(void **state)
{
    (void)state;
    put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2);
    put(VIRTIO_MMIO_DRIVER_FEATURES, 0);
    assert_int_equal(bus.message_count, 0);
    put(VIRTIO_MMIO_DRIVER_FEATURES, 1);
    assert_int_equal(bus.message_count, 1);
    assert_int_equal(device.driver_features, 0);
}

static void test_status_bits_stay(void **state)
{
    (void)state;
    go();
    put(VIRTIO_MMIO_STATUS, S_ACK);
    assert_int_equal(reg(VIRTIO_MMIO_STATUS), S_ACK | S_DRIVER | S_OK | S_GO);
    assert_true(bus_said("status bits cleared"));
    put(VIRTIO_MMIO_STATUS, S_ACK | S_DRIVER | S_OK | S_GO | S_RESET | 0xffffff10);
    assert_int_equal(reg(VIRTIO_MMIO_STATUS), S_ACK | S_DRIVER | S_OK | S_GO);
}

static void test_driver_gives_up(void **state)
{
    (void)state;
    go();
    put(VIRTIO_MMIO_STATUS, reg(VIRTIO_MMIO_STATUS) | S_FAILED);
    assert_int_equal(seen.stops, 2); /* the reset's, and this */
    assert_false(virtio_device_running(&device));
    bus_kick(DEVICE, 1);
    assert_int_equal(seen.turns, 1);
}

static void test_queue_setup_refused(void **state)
{
    (void)state;
    struct driver_queue bad = driver;

    assert_int_equal(bus_negotiate(DEVICE, VERSION_1), S_ACK | S_DRIVER | S_OK);
    bad.size = 0;
    assert_int_equal(bus_enable_queue(DEVICE, 0, &bad), 0);
    bad.size = 12;
    assert_int_equal(bus_enable_queue(DEVICE, 0, &bad), 0);
    bad.size = 128;
    assert_int_equal(bus_enable_queue(DEVICE, 0, &bad), 0);
    assert_true(bus_said("too large"));
    bad = driver;
    bad.desc_gpa += 8;
    assert_int_equal(bus_enable_queue(DEVICE, 0, &bad), 0);
    assert_true(bus_said("misaligned"));
    bad = driver;
    bad.used_gpa = 0xffffffff00000000ull;
    assert_int_equal(bus_enable_queue(DEVICE, 0, &bad), 0);
    assert_true(bus_said("outside of the guest's memory"));
    /* A queue that does not exist. */
    assert_int_equal(bus_enable_queue(DEVICE, 2, &driver), 0);
    assert_true(bus_said("queue 2 does not exist"));
    assert_int_equal(bus_enable_queue(DEVICE, UINT32_MAX, &driver), 0);
    /* After all that a good one. */
    assert_int_equal(bus_enable_queue(DEVICE, 0, &driver), 1);
}

static void test_queue_before_features(void **state)
{
    (void)state;
    assert_int_equal(bus_enable_queue(DEVICE, 0, &driver), 0);
    assert_true(bus_said("before FEATURES_OK"));
}

static void test_enabled_queue_is_final(void **state)
{
    (void)state;
    go();
    put(VIRTIO_MMIO_QUEUE_NUM, 8);
    put(VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
    assert_true(bus_said("changed while it is enabled"));
    assert_int_equal(device.setup[1].size, 16);
    put(VIRTIO_MMIO_QUEUE_READY, 1);
    put(VIRTIO_MMIO_QUEUE_READY, 2);
    assert_int_equal(reg(VIRTIO_MMIO_QUEUE_READY), 1);
}

static void test_queue_taken_back(void **state)
{
    (void)state;
    go();
    put(VIRTIO_MMIO_QUEUE_SEL, 1);
    put(VIRTIO_MMIO_QUEUE_READY, 0);
    assert_int_equal(reg(VIRTIO_MMIO_QUEUE_READY), 0);
    assert_int_equal(seen.queue_stops, 1);
    /* And given again, elsewhere. */
    driver_queue_init(&driver, &memory, RAM_GPA + 0x4000, 8);
    assert_int_equal(bus_enable_queue(DEVICE, 1, &driver), 1);
    assert_int_equal(seen.turns, 2);
}

static void test_bad_kicks(void **state)
{
    (void)state;
    bus_kick(DEVICE, 0);
    assert_true(bus_said("kick before DRIVER_OK (queue 0)"));
    assert_int_equal(bus_negotiate(DEVICE, VERSION_1), S_ACK | S_DRIVER | S_OK);
    assert_int_equal(bus_enable_queue(DEVICE, 1, &driver), 1);
    bus_clear();
    bus_kick(DEVICE, 1);
    assert_true(bus_said("kick before DRIVER_OK"));
    bus_driver_ok(DEVICE);
    /* A kick of a queue that is none makes the device look at those that are. */
    bus_kick(DEVICE, 32);
    bus_kick(DEVICE, UINT32_MAX);
    assert_int_equal(seen.pending, 3);
}

static void test_turns_until_done(void **state)
{
    (void)state;
    go();
    seen.turns_wanted = 5;
    bus_kick(DEVICE, 1);
    assert_int_equal(seen.turns, 1 + 6);
}

/* A device that always has more to do has its neighbours wait for two milliseconds, not for ever.
 */
static void test_turns_until_a_pause(void **state)
{
    (void)state;
    go();
    fake.frequency = 1000000;
    bus.turn = 400;
    seen.turns_wanted = 100;
    bus_kick(DEVICE, 1);
    assert_int_equal(seen.turns, 1 + 5);
    assert_true(bus.pauses);
    bus_kick(DEVICE, 1); /* that is no way around it */
    assert_int_equal(seen.turns, 1 + 5);
    bus.pauses = false;
    bus.elapsed = 0;
    virtio_devices_run();
    assert_int_equal(seen.turns, 1 + 10);
    bus.pauses = false;
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0); /* and after a reset there is nothing left */
    virtio_devices_run();
    assert_int_equal(seen.turns, 1 + 10);
}

static void test_interrupts(void **state)
{
    (void)state;
    go();
    virtio_device_interrupt(&device);
    assert_true(bus.level[INTID]);
    assert_int_equal(reg(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
    virtio_device_interrupt(&device);
    assert_int_equal(bus.rises[INTID], 1);
    bus_clear();
    assert_int_equal(bus_acknowledge(DEVICE), VIRTIO_MMIO_INT_VRING);
    assert_false(bus.level[INTID]);
    assert_int_equal(reg(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    assert_int_equal(bus.fetches, 0);
    /* With two up, each goes by itself. */
    virtio_device_interrupt(&device);
    virtio_device_set_config(&device, 0, "\1", 1);
    put(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
    assert_true(bus.level[INTID]);
    assert_int_equal(bus_acknowledge(DEVICE), VIRTIO_MMIO_INT_VRING);
    assert_false(bus.level[INTID]);
}

static void test_config_change(void **state)
{
    (void)state;
    uint32_t generation = reg(VIRTIO_MMIO_CONFIG_GENERATION);

    go();
    virtio_device_set_config(&device, 3, "\xaa\xbb", 2);
    assert_memory_equal((uint8_t *)page + VIRTIO_MMIO_CONFIG, "\1\2\3\xaa\xbb\6\0\0", 8);
    assert_int_equal(reg(VIRTIO_MMIO_CONFIG_GENERATION), generation + 1);
    assert_int_equal(bus_acknowledge(DEVICE), VIRTIO_MMIO_INT_CONFIG);
}

static void test_config_writes(void **state)
{
    (void)state;
    bus_write_width(DEVICE + VIRTIO_MMIO_CONFIG + 8, 1, 0x41);
    assert_int_equal(seen.config_offset, 8);
    assert_int_equal(seen.config_width, 1);
    assert_int_equal(seen.config_value, 0x41);
    assert_int_equal(bus.message_count, 0);
    bus_write_width(DEVICE + VIRTIO_MMIO_CONFIG + 8, 8, 0x41);
    bus_write_width(DEVICE + VIRTIO_MMIO_CONFIG, 2, 0x41);
    bus_write_width(DEVICE + VIRTIO_MMIO_PAGE_SIZE - 1, 1, 0x41);
    assert_int_equal(bus.message_count, 3);
    assert_memory_equal((uint8_t *)page + VIRTIO_MMIO_CONFIG, "\1\2\3\4\5\6\0\0", 8);
}

static void test_odd_writes(void **state)
{
    (void)state;
    uint32_t before[VIRTIO_MMIO_PAGE_SIZE / 4];

    go();
    memcpy(before, page, sizeof(page));
    bus_write_width(DEVICE + VIRTIO_MMIO_STATUS, 1, 0);
    bus_write_width(DEVICE + VIRTIO_MMIO_STATUS, 2, 0);
    bus_write_width(DEVICE + VIRTIO_MMIO_STATUS, 8, 0);
    bus_write_width(DEVICE + VIRTIO_MMIO_STATUS + 2, 4, 0);
    assert_int_equal(bus.message_count, 4);
    /* Registers that are read-only or are none. */
    const uint32_t offsets[] = {0x000, 0x004, 0x008, 0x00c, 0x010, 0x018,
                                0x034, 0x040, 0x060, 0x0c0, 0x0f8, 0x0fc};
    for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        put(offsets[i], 0xdeadbeef);
    }
    assert_int_equal(bus.message_count, 4 + sizeof(offsets) / sizeof(offsets[0]));
    assert_memory_equal(before, page, sizeof(page));
}

static void test_failure(void **state)
{
    (void)state;
    go();
    virtio_device_fail(&device, "it ate the rings");
    assert_true(bus_said("thing"));
    assert_true(bus_said("it ate the rings"));
    assert_int_equal(reg(VIRTIO_MMIO_STATUS), S_ACK | S_DRIVER | S_OK | S_GO | S_RESET);
    assert_int_equal(reg(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    assert_true(bus.level[INTID]);
    assert_int_equal(seen.stops, 2);
    virtio_device_fail(&device, "again");
    assert_false(bus_said("again"));
    bus_kick(DEVICE, 1);
    assert_true(bus_said("before the reset"));
    virtio_device_schedule(&device, 3);
    virtio_devices_run();
    assert_int_equal(seen.turns, 1);
    /* A driver that keeps what it reads cannot clear the bit, only reset. */
    put(VIRTIO_MMIO_STATUS, S_ACK | S_DRIVER | S_OK | S_GO);
    assert_int_equal(reg(VIRTIO_MMIO_STATUS) & S_RESET, S_RESET);
    put(VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(reg(VIRTIO_MMIO_STATUS), 0);
    assert_false(bus.level[INTID]);
    go();
}

static void test_reset(void **state)
{
    (void)state;
    go();
    virtio_device_interrupt(&device);
    virtio_device_set_config(&device, 0, "\x7f", 1);
    put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    virtio_device_schedule(&device, 3);
    seen.turns = 0;
    put(VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(seen.turns, 0);
    assert_false(bus.level[INTID]);
    assert_false(virtqueue_enabled(&device.queue[1]));
    assert_int_equal(device.driver_features, 0);
    test_registers_after_reset(state);
    virtio_devices_reset();
    assert_int_equal(seen.resets, 3);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_registers_after_reset),
        TEST(test_reads),
        TEST(test_selectors),
        TEST(test_way_to_driver_ok),
        TEST(test_features_refused),
        TEST(test_everything_in_one_write),
        TEST(test_features_are_final),
        TEST(test_features_beyond_64),
        TEST(test_status_bits_stay),
        TEST(test_driver_gives_up),
        TEST(test_queue_setup_refused),
        TEST(test_queue_before_features),
        TEST(test_enabled_queue_is_final),
        TEST(test_queue_taken_back),
        TEST(test_bad_kicks),
        TEST(test_turns_until_done),
        TEST(test_turns_until_a_pause),
        TEST(test_interrupts),
        TEST(test_config_change),
        TEST(test_config_writes),
        TEST(test_odd_writes),
        TEST(test_failure),
        TEST(test_reset),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(memory.base);
    return failed;
}
