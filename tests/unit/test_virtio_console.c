/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/console.c vmm/virtio/virtio.c vmm/virtio/net.c lib/net_filter.c
 * SOURCES: vmm/virtio/block.c vmm/virtio/block_chain.c vmm/virtio/device.c
 * SOURCES: vmm/virtio/block_dma.c vmm/virtio/mmio.c vmm/virtio/rng.c vmm/virtio/input.c
 * SOURCES: vmm/console_port.c vmm/panic.c
 * SOURCES: vmm/entropy.c lib/chacha20.c
 * SOURCES: lib/virtqueue.c
 * SOURCES: vmm/virtio/net_control.c vmm/virtio/net_features.c vmm/virtio/net_isolated.c
 * SOURCES: vmm/virtio/net_moderation.c vmm/virtio/net_vhost.c
 * SOURCES: lib/net_header.c lib/net_buffers.c lib/offload.c lib/checksum.c lib/ring.c
 * SOURCES: tests/unit/fake/virtio_driver.c tests/unit/fake/virtio_bus.c
 * SOURCES: tests/unit/fake/fake_dma.c tests/unit/fake/fake_microkit.c
 *
 * virtio-console between a driver and the console multiplexer's rings, and how the monitor's
 * virtio devices are created and found by their channels.
 */

#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_mmio.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/console_state.h"
#include "lib/ring.h"
#include "tests/unit/fake/virtio_bus.h"
#include "vmm/console_port.h"
#include "vmm/freeze.h"
#include "vmm/timer.h"
#include "vmm/virtio/mmio.h"
#include "vmm/virtio/virtio.h"

#define RAM_GPA     0x40000000ull
#define RAM_SIZE    0x100000ull
#define DEVICE      0x0a000000ull
#define NET_DEVICE  0x0a001000ull
#define INTID       48u
#define CHANNEL     3u
#define NET_CHANNEL 4u
#define RING_SIZE   4096u
#define RX          0u
#define TX          1u
#define SIZE        16u
#define DATA        (RAM_GPA + 0x20000)
#define PLAIN       VIRTIO_FEATURE(VIRTIO_F_VERSION_1)
#define EVENT       VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX)

bool freeze_active(void)
{
    return false;
}

void timer_silence_until(uint64_t deadline)
{
    (void)deadline;
}

static uint8_t output_region[RING_HEADER_SIZE + RING_SIZE] __attribute__((aligned(4096)));
static uint8_t input_region[RING_HEADER_SIZE + RING_SIZE] __attribute__((aligned(4096)));
static uint8_t net_regions[2][RING_HEADER_SIZE + RING_SIZE] __attribute__((aligned(4096)));
static uint32_t pages[2][1024] __attribute__((aligned(4096)));

static struct vmm_config config = {
    .name = "vm0",
    .console = {.present = true,
                .channel = CHANNEL,
                .output = output_region,
                .input = input_region,
                .output_size = RING_SIZE,
                .input_size = RING_SIZE,
                .registers = pages[0],
                .gpa = DEVICE,
                .intid = INTID},
    .interface_count = 1,
    .interfaces = {{.channel = NET_CHANNEL,
                    .mtu = 1500,
                    .to_switch = net_regions[0],
                    .from_switch = net_regions[1],
                    .ring_size = RING_SIZE,
                    .registers = pages[1],
                    .gpa = NET_DEVICE,
                    .intid = INTID + 1}},
};

static struct guest_memory memory;
static struct driver_queue rx, tx;
static struct ring at_console_in;
static struct ring at_console_out;
static uint8_t text[3 * RING_SIZE];
static uint8_t got[3 * RING_SIZE];

static void begin(uint64_t features)
{
    bus_negotiate(DEVICE, features);
    driver_queue_init(&rx, &memory, RAM_GPA, SIZE);
    driver_queue_init(&tx, &memory, RAM_GPA + 0x4000, SIZE);
    assert_int_equal(bus_enable_queue(DEVICE, RX, &rx), 1);
    assert_int_equal(bus_enable_queue(DEVICE, TX, &tx), 1);
    bus_driver_ok(DEVICE);
    assert_true(virtio_console_ready());
}

static int setup(void **state)
{
    (void)state;
    if (memory.base == NULL) {
        memory = (struct guest_memory){aligned_alloc(4096, RAM_SIZE), RAM_GPA, RAM_SIZE};
        memset(memory.base, 0, RAM_SIZE);
        for (unsigned i = 0; i < sizeof(text); i++) {
            text[i] = (uint8_t)('a' + i % 26 + i / 4096);
        }
        bus_clear();
        console_port_init(&config.console);
        assert_false(virtio_console_ready());
        virtio_init(&config, &memory);
        ring_init(&at_console_in, output_region, RING_SIZE);
        ring_init(&at_console_out, input_region, RING_SIZE);
    }
    virtio_reset();
    while (ring_read(&at_console_in, got, sizeof(got)) > 0 ||
           console_port_read(got, sizeof(got)) > 0) {
    }
    fake_reset();
    bus_clear();
    return 0;
}

/* One chain of `count` bytes of the text from `from`. */
static void guest_prints(uint32_t from, uint32_t count, unsigned pieces)
{
    struct driver_buffer buffers[8];
    uint32_t each = count / pieces;

    memcpy(driver_memory(&memory, DATA + from), text + from, count);
    for (unsigned i = 0; i < pieces; i++) {
        buffers[i] = (struct driver_buffer){DATA + from + i * each,
                                            i + 1 < pieces ? each : count - i * each};
    }
    driver_add(&tx, buffers, pieces, 0);
}

static void guest_offers(uint32_t length, unsigned pieces)
{
    static uint32_t slot;
    struct driver_buffer buffers[8];

    for (unsigned i = 0; i < pieces; i++) {
        buffers[i] = (struct driver_buffer){DATA + 0x8000 + 0x400 * (slot++ % 64), length};
    }
    driver_add(&rx, buffers, 0, pieces);
}

static uint32_t guest_reads(void *to)
{
    uint32_t head, written, total = 0;

    assert_true(driver_take(&rx, &head, &written));
    while (written > 0) {
        const struct vring_desc *desc = &rx.desc[head];
        uint32_t part = written < desc->len ? written : desc->len;

        memcpy((uint8_t *)to + total, driver_memory(&memory, desc->addr), part);
        total += part;
        written -= part;
        head = desc->next;
    }
    return total;
}

static void test_prints(void **state)
{
    (void)state;
    begin(PLAIN);
    assert_false(ring_await_data(&at_console_in));
    guest_prints(0, 10, 1);
    guest_prints(10, 500, 7);
    guest_prints(510, 1, 1);
    bus_kick(DEVICE, TX);
    assert_int_equal(fake_notified(CHANNEL), 1);
    assert_int_equal(ring_read(&at_console_in, got, sizeof(got)), 511);
    assert_memory_equal(got, text, 511);
    assert_int_equal(driver_used_idx(&tx), 3);
    assert_true(bus.level[INTID]);
}

/* Not a byte is lost or doubled, however the console's ring fills up. */
static void test_console_that_is_slow(void **state)
{
    (void)state;
    uint32_t read = 0;

    begin(PLAIN | EVENT);
    guest_prints(0, 3 * RING_SIZE - 100, 5);
    guest_prints(3 * RING_SIZE - 100, 100, 3);
    bus_kick(DEVICE, TX);
    assert_int_equal(driver_used_idx(&tx), 0);
    while (driver_used_idx(&tx) < 2) {
        read += ring_read(&at_console_in, got + read, 777);
        if (ring_take_space_wanted(&at_console_in)) {
            assert_true(virtio_notified(CHANNEL));
        }
    }
    read += ring_read(&at_console_in, got + read, sizeof(got) - read);
    assert_int_equal(read, 3 * RING_SIZE);
    assert_memory_equal(got, text, read);
}

/* The rest of a chain that was under way does not come out of the next driver's first. */
static void test_reset_in_flight(void **state)
{
    (void)state;
    begin(PLAIN);
    guest_prints(0, 2 * RING_SIZE, 1);
    bus_kick(DEVICE, TX);
    assert_int_equal(driver_used_idx(&tx), 0);
    virtio_reset();
    assert_false(virtio_console_ready());
    assert_int_equal(ring_read(&at_console_in, got, sizeof(got)), RING_SIZE);
    assert_true(virtio_notified(CHANNEL));
    begin(PLAIN);
    guest_prints(100, 50, 1);
    bus_kick(DEVICE, TX);
    assert_int_equal(ring_read(&at_console_in, got, sizeof(got)), 50);
    assert_memory_equal(got, text + 100, 50);

    /* Likewise if only the queue is taken back. */
    guest_prints(0, 2 * RING_SIZE, 1);
    bus_kick(DEVICE, TX);
    bus_write(DEVICE + VIRTIO_MMIO_QUEUE_SEL, TX);
    bus_write(DEVICE + VIRTIO_MMIO_QUEUE_READY, 0);
    assert_int_equal(ring_read(&at_console_in, got, sizeof(got)), RING_SIZE);
    driver_queue_init(&tx, &memory, RAM_GPA + 0x4000, SIZE);
    guest_prints(100, 50, 1);
    assert_int_equal(bus_enable_queue(DEVICE, TX, &tx), 1);
    assert_int_equal(ring_read(&at_console_in, got, sizeof(got)), 50);
}

static void test_input(void **state)
{
    (void)state;
    begin(PLAIN);
    guest_offers(64, 1);
    guest_offers(10, 3);
    bus_kick(DEVICE, RX);
    assert_int_equal(driver_used_idx(&rx), 0);
    ring_write(&at_console_out, "x", 1);
    assert_true(ring_take_data_wanted(&at_console_out));
    assert_true(virtio_notified(CHANNEL));
    assert_int_equal(guest_reads(got), 1);
    assert_int_equal(got[0], 'x');
    assert_true(bus.level[INTID]);
    ring_write(&at_console_out, text, 25);
    virtio_notified(CHANNEL);
    assert_int_equal(guest_reads(got), 25);
    assert_memory_equal(got, text, 25);
}

/* Input waits in the ring while the guest has no room for it. */
static void test_guest_that_does_not_read(void **state)
{
    (void)state;
    begin(PLAIN | EVENT);
    ring_write(&at_console_out, text, 100);
    virtio_notified(CHANNEL);
    guest_offers(30, 1);
    bus_kick(DEVICE, RX);
    assert_int_equal(guest_reads(got), 30);
    assert_int_equal(driver_avail_event(&rx), 1);
    guest_offers(300, 1);
    bus_kick(DEVICE, RX);
    assert_int_equal(guest_reads(got + 30), 70);
    assert_memory_equal(got, text, 100);
}

/* Before the driver is ready the input is somebody else's. */
static void test_input_before_driver(void **state)
{
    (void)state;
    bus_negotiate(DEVICE, PLAIN);
    ring_write(&at_console_out, "hello", 5);
    assert_true(virtio_notified(CHANNEL));
    assert_int_equal(console_port_read(got, 2), 2);
    begin(PLAIN);
    guest_offers(30, 1);
    bus_kick(DEVICE, RX);
    assert_int_equal(guest_reads(got), 3);
    assert_memory_equal(got, "llo", 3);
}

static uint32_t swallowed;

/* The console takes whatever it is told of, and at once, since it is more urgent. */
static void swallow(microkit_channel ch)
{
    if (ch == CHANNEL) {
        swallowed += ring_read(&at_console_in, got, sizeof(got));
        ring_await_data(&at_console_in);
    }
}

/* However much a guest has to say: between two of its turns it is time for others. */
static void test_turn_is_bounded(void **state)
{
    struct driver_buffer buffers[8];
    uint32_t last = 0;

    (void)state;
    begin(PLAIN);
    for (unsigned i = 0; i < 8; i++) {
        buffers[i] = (struct driver_buffer){DATA, 2000};
    }
    driver_add(&tx, buffers, 8, 0);
    driver_add(&tx, buffers, 8, 0);
    swallowed = 0;
    swallow(CHANNEL);
    fake.on_notify = swallow;
    bus.turn = fake.frequency; /* a turn is enough for an event */
    bus_kick(DEVICE, TX);
    assert_true(bus.pauses);
    while (bus.pauses) {
        assert_in_range(swallowed - last, 1, 16384);
        last = swallowed;
        bus.pauses = false;
        bus.elapsed = 0;
        virtio_resumed();
    }
    fake.on_notify = NULL;
    assert_int_equal(swallowed, 2 * 8 * 2000);
    assert_int_equal(driver_used_idx(&tx), 2);
}

static void test_hostile_guest(void **state)
{
    (void)state;
    const struct driver_buffer buffer = {DATA, 100};

    begin(PLAIN);
    ring_write(&at_console_out, "hello", 5);
    driver_add(&rx, &buffer, 1, 0);
    bus_kick(DEVICE, RX);
    assert_false(virtio_console_ready());
    assert_true(bus_said("console: a buffer to receive in that is not writable"));
    assert_int_equal(console_port_read(got, 10), 5); /* nothing of it is lost */

    begin(PLAIN);
    driver_offer(&tx, 1234);
    bus_kick(DEVICE, TX);
    assert_false(virtio_console_ready());

    /* Nothing to read in a chain to send: given back as it is. */
    begin(PLAIN);
    driver_add(&tx, &buffer, 0, 1);
    bus_kick(DEVICE, TX);
    assert_true(virtio_console_ready());
    assert_int_equal(driver_used_idx(&tx), 1);
    assert_int_equal(ring_read(&at_console_in, got, sizeof(got)), 0);
}

static void test_emergency_write(void **state)
{
    (void)state;
    const uint64_t address =
        DEVICE + VIRTIO_MMIO_CONFIG + offsetof(struct virtio_console_config, emerg_wr);

    bus_write(address, '!');
    bus_write_width(address, 1, '?');
    assert_int_equal(ring_read(&at_console_in, got, sizeof(got)), 2);
    assert_memory_equal(got, "!?", 2);
    bus_write(address - 4, '!');
    assert_int_equal(ring_read(&at_console_in, got, sizeof(got)), 0);
    assert_true(bus_said("configuration space"));
}

static void tell_size(uint32_t columns, uint32_t rows)
{
    *(uint32_t *)(void *)(input_region + CONSOLE_SIZE_OFFSET) = columns << 16 | rows;
    virtio_notified(CHANNEL);
}

static uint64_t size_seen(void)
{
    return bus_read(DEVICE + VIRTIO_MMIO_CONFIG, 2) << 16 |
           bus_read(DEVICE + VIRTIO_MMIO_CONFIG + 2, 2);
}

static void test_size_of_the_terminal(void **state)
{
    (void)state;
    assert_int_equal(size_seen(), 0); /* nobody knows */
    begin(PLAIN | VIRTIO_FEATURE(VIRTIO_CONSOLE_F_SIZE));
    bus_acknowledge(DEVICE);
    tell_size(132, 43);
    assert_int_equal(size_seen(), 132 << 16 | 43);
    assert_int_equal(bus_acknowledge(DEVICE), VIRTIO_MMIO_INT_CONFIG);
    tell_size(132, 43); /* as before */
    assert_int_equal(bus_acknowledge(DEVICE), 0);
    bus_write(DEVICE + VIRTIO_MMIO_CONFIG, 80);
    assert_int_equal(size_seen(), 132 << 16 | 43);
    tell_size(0xffff, 0xffff);
    assert_int_equal(size_seen(), 0xffffffff);
    virtio_reset();
    assert_int_equal(size_seen(), 0xffffffff);
    tell_size(0, 0);
    assert_int_equal(size_seen(), 0);
}

static void test_channels(void **state)
{
    (void)state;
    assert_true(virtio_notified(NET_CHANNEL));
    assert_false(virtio_notified(NET_CHANNEL + 1));
    assert_false(virtio_notified(0));
    assert_int_equal(bus_read(NET_DEVICE + VIRTIO_MMIO_DEVICE_ID, 4), 1);
    assert_int_equal(bus_read(DEVICE + VIRTIO_MMIO_DEVICE_ID, 4), 3);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_prints),
        TEST(test_console_that_is_slow),
        TEST(test_reset_in_flight),
        TEST(test_input),
        TEST(test_guest_that_does_not_read),
        TEST(test_input_before_driver),
        TEST(test_turn_is_bounded),
        TEST(test_hostile_guest),
        TEST(test_emergency_write),
        TEST(test_size_of_the_terminal),
        TEST(test_channels),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(memory.base);
    return failed;
}
