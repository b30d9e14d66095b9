/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/net.c vmm/virtio/net_control.c vmm/virtio/net_features.c
 * SOURCES: vmm/virtio/net_isolated.c vmm/virtio/net_moderation.c vmm/virtio/net_vhost.c
 * SOURCES: vmm/virtio/device.c vmm/virtio/mmio.c lib/net_filter.c
 * SOURCES: lib/net_header.c lib/net_buffers.c lib/virtqueue.c lib/offload.c lib/checksum.c
 * SOURCES: lib/ring.c tests/unit/fake/virtio_driver.c tests/unit/fake/virtio_bus.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * virtio-net between a driver and the far end of a switch's port: frames in all shapes both ways,
 * offloads, filters, back-pressure; and a guest and a switch that do not keep to the rules.
 */

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net_filter.h"
#include "lib/net_port.h"
#include "lib/ring.h"
#include "tests/unit/fake/virtio_bus.h"
#include "vmm/virtio/net.h"

#define RAM_GPA   0x40000000ull
#define RAM_SIZE  0x800000ull
#define DEVICE    0x0a000000ull
#define INTID     48u
#define CHANNEL   7u
#define RING_SIZE (512u * 1024u)
#define MTU       1500u
#define HEADER    12u
#define FRAME_MAX (MTU + 18u)
#define RX        0u
#define TX        1u
#define CONTROL   2u
#define SIZE      64u

#define RX_GPA      (RAM_GPA + 0x10000)
#define TX_GPA      (RAM_GPA + 0x20000)
#define CONTROL_GPA (RAM_GPA + 0x30000)
#define TX_DATA     (RAM_GPA + 0x100000)
#define RX_DATA     (RAM_GPA + 0x400000)

#define F(name)  VIRTIO_FEATURE(VIRTIO_NET_F_##name)
#define PLAIN    VIRTIO_FEATURE(VIRTIO_F_VERSION_1)
#define EVENT    VIRTIO_FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define MERGE    (PLAIN | F(MRG_RXBUF))
#define SENDER   (PLAIN | F(CSUM) | F(HOST_TSO4) | F(HOST_TSO6) | F(HOST_ECN))
#define RECEIVER (MERGE | F(GUEST_CSUM) | F(GUEST_TSO4) | F(GUEST_TSO6) | F(GUEST_ECN))
#define CONTROLS                                                                                   \
    (PLAIN | F(CTRL_VQ) | F(CTRL_RX) | F(CTRL_RX_EXTRA) | F(CTRL_VLAN) | F(CTRL_MAC_ADDR) |        \
     F(CTRL_GUEST_OFFLOADS) | F(GUEST_CSUM) | F(GUEST_TSO4))

static uint8_t to_switch_region[RING_HEADER_SIZE + RING_SIZE] __attribute__((aligned(4096)));
static uint8_t from_switch_region[RING_HEADER_SIZE + RING_SIZE] __attribute__((aligned(4096)));
static uint32_t page[1024] __attribute__((aligned(4096)));

static struct vmm_interface_config config = {
    .channel = CHANNEL,
    .mac = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01},
    .mtu = MTU,
    .to_switch = to_switch_region,
    .from_switch = from_switch_region,
    .ring_size = RING_SIZE,
    .registers = page,
    .gpa = DEVICE,
    .intid = INTID,
};

static struct guest_memory memory;
static struct virtio_device *device;
static struct driver_queue rx, tx, control;
static struct ring at_switch_in;  /* what the guest has sent */
static struct ring at_switch_out; /* what it is to receive */
static uint8_t pattern[HEADER + NET_GSO_FRAME_MAX + 64];

static void begin(uint64_t features)
{
    assert_int_equal(bus_negotiate(DEVICE, features) & VIRTIO_CONFIG_S_FEATURES_OK,
                     VIRTIO_CONFIG_S_FEATURES_OK);
    driver_queue_init(&rx, &memory, RX_GPA, SIZE);
    driver_queue_init(&tx, &memory, TX_GPA, SIZE);
    driver_queue_init(&control, &memory, CONTROL_GPA, SIZE);
    assert_int_equal(bus_enable_queue(DEVICE, RX, &rx), 1);
    assert_int_equal(bus_enable_queue(DEVICE, TX, &tx), 1);
    assert_int_equal(bus_enable_queue(DEVICE, CONTROL, &control), 1);
    bus_driver_ok(DEVICE);
    assert_true(virtio_device_running(device));
}

static int setup(void **state)
{
    uint32_t count;

    (void)state;
    fake_reset();
    if (device == NULL) {
        memory = (struct guest_memory){aligned_alloc(4096, RAM_SIZE), RAM_GPA, RAM_SIZE};
        memset(memory.base, 0, RAM_SIZE);
        for (unsigned i = 0; i < sizeof(pattern); i++) {
            pattern[i] = (uint8_t)(i * 7 + (i >> 8));
        }
        ring_init(&at_switch_in, to_switch_region, RING_SIZE);
        ring_init(&at_switch_out, from_switch_region, RING_SIZE);
        device = virtio_net_init(0, &config, &memory);
    }
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    while (ring_peek(&at_switch_in, &count) != NULL) {
        ring_release(&at_switch_in);
    }
    device->ops->notified(device); /* and what is left for the guest goes, too */
    bus_clear();
    fake_reset();
    return 0;
}

/* ---- The guest sends ---- */

/* A frame with this header in front, split over `pieces` buffers of a chain. */
static void guest_sends(const struct virtio_net_hdr_v1 *header, uint32_t length, unsigned pieces)
{
    static uint64_t at = TX_DATA;
    struct driver_buffer buffers[DRIVER_BUFFERS_MAX];
    uint32_t total = HEADER + length;

    at = at + total + 64 > TX_DATA + 0x200000 ? TX_DATA : at + 64;
    memcpy(driver_memory(&memory, at), header, HEADER);
    memcpy(driver_memory(&memory, at + HEADER), pattern, length);
    for (unsigned i = 0; i < pieces; i++) {
        uint32_t part = i + 1 < pieces ? total / pieces : total - i * (total / pieces);

        buffers[i] = (struct driver_buffer){at + i * (total / pieces), part};
    }
    at += total;
    driver_add(&tx, buffers, pieces, 0);
}

static const struct virtio_net_hdr_v1 no_offload;

/* What the switch gets next: `length` bytes of the pattern behind `header`. */
static void switch_gets(const struct virtio_net_hdr_v1 *header, uint32_t length)
{
    uint32_t count = 0;
    const uint8_t *record = ring_peek(&at_switch_in, &count);

    assert_non_null(record);
    assert_int_equal(count, HEADER + length);
    assert_memory_equal(record, header, HEADER);
    assert_memory_equal(record + HEADER, pattern, length);
    ring_release(&at_switch_in);
}

static void switch_gets_nothing(void)
{
    uint32_t count;

    assert_null(ring_peek(&at_switch_in, &count));
}

/* Sent frames' buffers are given back when the coalescing timer expires. */
static void all_used(struct driver_queue *queue)
{
    device->ops->timer_expired(device);
    assert_int_equal(driver_used_idx(queue), *driver_avail_idx(queue));
}

static void test_sends(void **state)
{
    (void)state;
    const uint32_t lengths[] = {14, 15, 60, 1000, FRAME_MAX};

    begin(PLAIN);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned pieces = 1; pieces <= 5; pieces++) {
            guest_sends(&no_offload, lengths[i], pieces);
            bus_kick(DEVICE, TX);
            switch_gets(&no_offload, lengths[i]);
            all_used(&tx);
        }
    }
    switch_gets_nothing();
    assert_int_equal(bus.message_count, 0);
}

static void test_wakes_switch_once(void **state)
{
    (void)state;
    begin(PLAIN);
    assert_false(ring_await_data(&at_switch_in));
    for (int i = 0; i < 20; i++) {
        guest_sends(&no_offload, 100, 2);
    }
    bus_kick(DEVICE, TX);
    assert_int_equal(fake_notified(CHANNEL), 1);
    guest_sends(&no_offload, 100, 2);
    bus_kick(DEVICE, TX);
    assert_int_equal(fake_notified(CHANNEL), 1); /* it is awake */
}

/* What the switch works as the monitor waits is charged with the next frame, and once. */
static void test_work_of_the_switch_is_charged(void **state)
{
    uint32_t *work = (uint32_t *)(void *)(from_switch_region + NET_PORT_WORK_OFFSET);

    (void)state;
    begin(PLAIN | EVENT);
    for (unsigned i = 1; i <= 3; i++) {
        assert_false(ring_await_data(&at_switch_in));
        *work += 100;
        guest_sends(&no_offload, 100, 1);
        bus_kick(DEVICE, TX);
        switch_gets(&no_offload, 100);
        assert_int_equal(bus.charged, 100 * i);
    }
}

/* Also when nobody has to be told, and when the switch says that there is room again. */
static void test_work_of_the_switch_is_charged_without_a_notification(void **state)
{
    uint32_t *work = (uint32_t *)(void *)(from_switch_region + NET_PORT_WORK_OFFSET);

    (void)state;
    begin(PLAIN | EVENT);
    *work += 100;
    guest_sends(&no_offload, 100, 1);
    bus_kick(DEVICE, TX);
    assert_int_equal(fake_notified(CHANNEL), 0);
    assert_int_equal(bus.charged, 100);
    *work += 50;
    device->ops->notified(device);
    assert_int_equal(bus.charged, 150);
}

/* Where the timer would answer late, nothing waits for it: each sent frame is signalled, and
 * kicked. */
static void test_late_timer_is_not_waited_for(void **state)
{
    (void)state;
    begin(PLAIN | EVENT);
    bus.timer_is_late = true;
    for (uint16_t i = 0; i < 3; i++) {
        *driver_used_event(&tx) = i;
        guest_sends(&no_offload, 100, 1);
        bus_kick(DEVICE, TX);
        assert_int_equal(driver_used_idx(&tx), i + 1);
        assert_int_equal(bus.rises[INTID], i + 1);
        bus_acknowledge(DEVICE);
    }
    assert_int_equal(bus.coalescing_timers, 0);
    assert_int_equal(bus.polling_timers, 0);
}

static void test_interrupts_for_sent_only_when_asked(void **state)
{
    (void)state;
    begin(PLAIN | EVENT);
    *driver_used_event(&tx) = 0x7fff;
    guest_sends(&no_offload, 100, 1);
    bus_kick(DEVICE, TX);
    all_used(&tx);
    assert_int_equal(bus.rises[INTID], 0);
    *driver_used_event(&tx) = 1;
    guest_sends(&no_offload, 100, 1);
    bus_kick(DEVICE, TX);
    all_used(&tx);
    assert_int_equal(bus.rises[INTID], 1);
}

/* One interrupt for all that has been sent until then. */
static void test_sent_frames_are_signalled_later(void **state)
{
    (void)state;
    begin(PLAIN | EVENT);
    for (uint16_t i = 0; i < 10; i++) {
        guest_sends(&no_offload, 100, 1);
        bus_kick(DEVICE, TX);
        switch_gets(&no_offload, 100);
    }
    assert_int_equal(bus.coalescing_timers, 1);
    assert_int_equal(driver_used_idx(&tx), 0);
    all_used(&tx);
    assert_int_equal(bus.rises[INTID], 1);
    bus_acknowledge(DEVICE);
    device->ops->timer_expired(device); /* for another device */
    assert_int_equal(bus.rises[INTID], 1);

    /* What a reset has made pointless does not come. */
    *driver_used_event(&tx) = 10;
    guest_sends(&no_offload, 100, 1);
    bus_kick(DEVICE, TX);
    assert_int_equal(bus.coalescing_timers, 2);
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    device->ops->timer_expired(device);
    assert_int_equal(bus.rises[INTID], 1);
}

/* Soon, if it may have to sleep for it. */
static void test_many_sent_frames_are_signalled_sooner(void **state)
{
    (void)state;
    begin(PLAIN | EVENT);
    guest_sends(&no_offload, 100, 1);
    bus_kick(DEVICE, TX);
    assert_int_equal(bus.coalescing_timers, 1);
    uint64_t few = bus.parked_ticks;
    for (unsigned i = 0; i < 16; i++) {
        guest_sends(&no_offload, 100, 1);
    }
    bus_kick(DEVICE, TX);
    assert_int_equal(bus.coalescing_timers, 2);
    assert_true(bus.parked_ticks < few);
}

/* Large frames are published at once; that the guest wants an interrupt is not forgotten. */
static void test_large_sent_is_published_at_once(void **state)
{
    (void)state;
    const struct virtio_net_hdr_v1 header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                             .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                             .gso_size = 1448,
                                             .csum_start = 34,
                                             .csum_offset = 16};

    begin(SENDER | EVENT);
    guest_sends(&header, 60000, 3);
    bus_kick(DEVICE, TX);
    assert_int_equal(driver_used_idx(&tx), 1);
    assert_int_equal(bus.rises[INTID], 0);
    assert_int_equal(bus.coalescing_timers, 1);
    device->ops->timer_expired(device);
    assert_int_equal(bus.rises[INTID], 1);
}

static void idle(void)
{
    device->ops->idle(device);
    virtio_devices_run();
}

/* A queue that has just been busy is not kicked for each frame. */
static void test_busy_queue_is_polled(void **state)
{
    (void)state;
    begin(PLAIN | EVENT);
    fake.counter += fake.frequency;
    guest_sends(&no_offload, 100, 1);
    idle(); /* not yet */
    switch_gets_nothing();
    bus_kick(DEVICE, TX);
    switch_gets(&no_offload, 100);
    assert_int_equal(driver_avail_event(&tx), 1);
    assert_int_equal(bus.polling_timers, 0);

    fake.counter += fake.frequency / 1000;
    guest_sends(&no_offload, 100, 1);
    bus_kick(DEVICE, TX);
    switch_gets(&no_offload, 100);
    assert_int_equal(driver_avail_event(&tx), 2 + 8);
    assert_int_equal(bus.polling_timers, 1);
    guest_sends(&no_offload, 100, 1);
    switch_gets_nothing();
    idle();
    switch_gets(&no_offload, 100);
    assert_int_equal(driver_avail_event(&tx), 3 + 8);

    /* The queue of a guest that does not go idle is polled, too, as long as it is busy. */
    guest_sends(&no_offload, 100, 1);
    device->ops->timer_expired(device);
    virtio_devices_run();
    switch_gets(&no_offload, 100);
    assert_int_equal(driver_avail_event(&tx), 4 + 8);
    assert_true(bus.polling_timers >= 3);

    /* It kicks again when it has sent nothing for a while. */
    fake.counter += fake.frequency / 100;
    device->ops->timer_expired(device);
    virtio_devices_run();
    assert_int_equal(driver_avail_event(&tx), 4);
    guest_sends(&no_offload, 100, 1);
    idle();
    switch_gets_nothing();
    bus_kick(DEVICE, TX);
    switch_gets(&no_offload, 100);
    assert_int_equal(driver_avail_event(&tx), 5);
}

/* What leaves the board is kicked for: the card sends it while the guest runs. */
static void test_what_goes_outside_is_not_polled(void **state)
{
    uint32_t *outside = (uint32_t *)(void *)(from_switch_region + NET_PORT_OUTSIDE_OFFSET);

    (void)state;
    begin(PLAIN | EVENT);
    *outside = 1;
    for (uint16_t i = 1; i <= 3; i++) {
        guest_sends(&no_offload, 100, 1);
        bus_kick(DEVICE, TX);
        switch_gets(&no_offload, 100);
        assert_int_equal(driver_avail_event(&tx), i);
    }
    assert_int_equal(bus.polling_timers, 0);
    *outside = 0;
    guest_sends(&no_offload, 100, 1);
    bus_kick(DEVICE, TX);
    switch_gets(&no_offload, 100);
    assert_int_equal(driver_avail_event(&tx), 4 + 8);
    *outside = UINT32_MAX; /* it was polled, and is no longer */
    guest_sends(&no_offload, 100, 1);
    idle();
    switch_gets(&no_offload, 100);
    assert_int_equal(driver_avail_event(&tx), 5);
    *outside = 0;
}

/* A driver without event indices kicks for each frame; a device that is off does not poll. */
static void test_polling_without_event_index_or_device(void **state)
{
    (void)state;
    begin(PLAIN);
    for (unsigned i = 0; i < 3; i++) {
        guest_sends(&no_offload, 100, 1);
        bus_kick(DEVICE, TX);
        switch_gets(&no_offload, 100);
        assert_int_equal(driver_used_flags(&tx), 0);
    }
    guest_sends(&no_offload, 100, 1);
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    idle();
    device->ops->timer_expired(device);
    virtio_devices_run();
    switch_gets_nothing();
}

/* At most half of the queue is kept from the guest, and it hears with what it receives. */
static void test_half_a_queue_sent_is_signalled_at_once(void **state)
{
    (void)state;
    begin(PLAIN | EVENT);
    for (unsigned i = 0; i < SIZE / 2; i++) {
        assert_int_equal(driver_used_idx(&tx), 0);
        guest_sends(&no_offload, 100, 1);
        bus_kick(DEVICE, TX);
        switch_gets(&no_offload, 100);
    }
    assert_int_equal(driver_used_idx(&tx), SIZE / 2);
    assert_int_equal(bus.rises[INTID], 1);
}

static void test_sends_large_segments(void **state)
{
    (void)state;
    struct virtio_net_hdr_v1 header = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
        .hdr_len = 54,
        .gso_size = 1448,
        .csum_start = 34,
        .csum_offset = 16,
    };

    begin(SENDER);
    guest_sends(&header, NET_GSO_FRAME_MAX, 17);
    bus_kick(DEVICE, TX);
    switch_gets(&header, NET_GSO_FRAME_MAX);
    assert_int_equal(bus.message_count, 0);
}

/* What has not been checked does not leave this guest. */
static void test_header_is_cleaned(void **state)
{
    (void)state;
    struct virtio_net_hdr_v1 header;

    begin(SENDER);
    memset(&header, 0xff, sizeof(header));
    header.flags = 0xff & ~VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header.gso_type = VIRTIO_NET_HDR_GSO_NONE;
    guest_sends(&header, 60, 1);
    bus_kick(DEVICE, TX);
    switch_gets(&no_offload, 60);
    header.flags = 0xff;
    header.csum_start = 34;
    header.csum_offset = 16;
    guest_sends(&header, 60, 1);
    bus_kick(DEVICE, TX);
    switch_gets(&(struct virtio_net_hdr_v1){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                            .csum_start = 34,
                                            .csum_offset = 16},
                60);
}

static void expect_dropped(const struct virtio_net_hdr_v1 *header, uint32_t length,
                           const char *cause)
{
    bus_clear();
    guest_sends(header, length, 1);
    bus_kick(DEVICE, TX);
    switch_gets_nothing();
    all_used(&tx);
    if (!bus_said(cause)) {
        fail_msg("no '%s' in: %s", cause, bus.messages);
    }
    assert_true(virtio_device_running(device));
}

static void test_bad_frames_are_dropped(void **state)
{
    (void)state;
    const struct virtio_net_hdr_v1 good = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
        .hdr_len = 54,
        .gso_size = 1448,
        .csum_start = 34,
        .csum_offset = 16,
    };
    struct virtio_net_hdr_v1 bad;

    begin(SENDER);
    expect_dropped(&no_offload, 0, "too short");
    expect_dropped(&no_offload, 13, "too short");
    expect_dropped(&no_offload, FRAME_MAX + 1, "too long");
    expect_dropped(&no_offload, NET_GSO_FRAME_MAX, "too long");
    expect_dropped(&good, NET_GSO_FRAME_MAX + 1, "too long");

    bad = good;
    bad.flags = 0;
    expect_dropped(&bad, 3000, "without a partial checksum");
    bad = good;
    bad.gso_size = 0;
    expect_dropped(&bad, 3000, "size 0");
    bad.gso_size = 1;
    expect_dropped(&bad, 3000, "too many segments");
    bad.gso_size = MTU + 1;
    expect_dropped(&bad, 3000, "larger than the MTU");
    bad = good;
    bad.hdr_len = 3001;
    expect_dropped(&bad, 3000, "longer than the frame");
    bad = good;
    bad.csum_start = 2983;
    expect_dropped(&bad, 3000, "outside of the frame");
    bad.csum_start = 0xffff;
    bad.csum_offset = 0xffff;
    expect_dropped(&bad, 3000, "outside of the frame");
    bad = good;
    bad.gso_type = 77;
    expect_dropped(&bad, 3000, "unknown kind");
    bad.gso_type = VIRTIO_NET_HDR_GSO_UDP;
    expect_dropped(&bad, 3000, "unknown kind");
    bad.gso_type = VIRTIO_NET_HDR_GSO_ECN;
    expect_dropped(&bad, 3000, "unknown kind");
    bad.gso_type = 5; /* a UDP segment: known, not negotiated */
    expect_dropped(&bad, 3000, "without the feature");

    begin(PLAIN | F(CSUM));
    expect_dropped(&good, 3000, "without the feature");
    begin(PLAIN | F(CSUM) | F(HOST_TSO4));
    bad = good;
    bad.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    expect_dropped(&bad, 3000, "ECN without the feature");
    begin(PLAIN);
    bad = good;
    bad.gso_type = 0;
    expect_dropped(&bad, 1000, "checksum without the feature");
}

/* What is too long, and which segments are too large, is the MTU's word. */
static void test_bounds_follow_the_mtu(void **state)
{
    (void)state;
    static const uint16_t mtus[] = {NET_MTU_MIN, 4096, NET_MTU_MAX};
    struct virtio_net_hdr_v1 header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                       .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                       .csum_start = 34,
                                       .csum_offset = 16};

    for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
        config.mtu = mtus[i];
        bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
        assert_int_equal(bus_read(DEVICE + VIRTIO_MMIO_CONFIG + 10, 2), mtus[i]);
        begin(SENDER);
        for (unsigned pieces = 1; pieces <= 5; pieces++) {
            guest_sends(&no_offload, mtus[i] + 18u, pieces);
            bus_kick(DEVICE, TX);
            switch_gets(&no_offload, mtus[i] + 18u);
            all_used(&tx);
        }
        expect_dropped(&no_offload, mtus[i] + 19u, "too long");
        expect_dropped(&no_offload, NET_GSO_FRAME_MAX, "too long");
        header.gso_size = mtus[i];
        guest_sends(&header, 60000, 3);
        bus_kick(DEVICE, TX);
        switch_gets(&header, 60000);
        header.gso_size = mtus[i] + 1;
        expect_dropped(&header, 60000, "larger than the MTU");
        header.gso_size = UINT16_MAX;
        expect_dropped(&header, 60000, "larger than the MTU");
    }
    config.mtu = MTU;
}

static void test_full_ring_holds_the_guest_up(void **state)
{
    (void)state;
    unsigned sent = 0, got = 0;
    uint32_t count;

    begin(SENDER | EVENT);
    const struct virtio_net_hdr_v1 header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                             .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
                                             .gso_size = 1400,
                                             .csum_start = 54,
                                             .csum_offset = 16};
    for (; sent < 20; sent++) {
        guest_sends(&header, 60000, 3);
    }
    bus_kick(DEVICE, TX);
    device->ops->timer_expired(device);
    assert_in_range(driver_used_idx(&tx), 7, 8);         /* as many as fit in 512 KiB */
    assert_false(ring_take_space_wanted(&at_switch_in)); /* no use yet: still full */
    while (got < sent) {
        while (ring_peek(&at_switch_in, &count) != NULL) {
            switch_gets(&header, 60000);
            got++;
        }
        device->ops->timer_expired(device);
        assert_int_equal(got, driver_used_idx(&tx));
        if (got < sent) {
            assert_true(ring_take_space_wanted(&at_switch_in));
            unsigned coalescing_timers = bus.coalescing_timers;
            device->ops->notified(device);
            virtio_devices_run();
            assert_int_equal(bus.coalescing_timers,
                             coalescing_timers + 1); /* of those that went now */
        }
    }
    all_used(&tx);
}

static void test_writable_buffer_to_send(void **state)
{
    (void)state;
    const struct driver_buffer buffer = {TX_DATA, 100};

    begin(PLAIN);
    guest_sends(&no_offload, 60, 1);
    driver_add(&tx, &buffer, 0, 1);
    bus_kick(DEVICE, TX);
    switch_gets(&no_offload, 60); /* what came before is not lost */
    assert_int_equal(driver_used_idx(&tx), 1);
    assert_false(virtio_device_running(device));
    assert_true(bus_said("writable buffer"));
    assert_int_equal(bus_acknowledge(DEVICE) & VIRTIO_MMIO_INT_CONFIG, VIRTIO_MMIO_INT_CONFIG);
}

static void test_broken_queue_stops_device(void **state)
{
    (void)state;
    begin(PLAIN);
    driver_offer(&tx, 9999);
    bus_kick(DEVICE, TX);
    assert_false(virtio_device_running(device));
    assert_true(bus_said("net0: the available ring names a descriptor beyond the table"));
    begin(PLAIN);
    guest_sends(&no_offload, 60, 1);
    bus_kick(DEVICE, TX);
    switch_gets(&no_offload, 60);
}

/* ---- The guest receives ---- */

static void guest_offers(unsigned count, uint32_t length, unsigned pieces)
{
    static uint64_t at = RX_DATA;
    struct driver_buffer buffers[DRIVER_BUFFERS_MAX];

    while (count-- > 0) {
        at = at + length + 64 > RAM_GPA + RAM_SIZE ? RX_DATA : at;
        for (unsigned i = 0; i < pieces; i++) {
            uint32_t each = length / pieces;

            buffers[i] =
                (struct driver_buffer){at + i * each, i + 1 < pieces ? each : length - i * each};
        }
        memset(driver_memory(&memory, at), 0xee, length);
        at += length;
        driver_add(&rx, buffers, 0, pieces);
    }
}

static void switch_sends_to(const struct virtio_net_hdr_v1 *header, const uint8_t *destination,
                            uint32_t length)
{
    uint8_t *record = ring_reserve(&at_switch_out, HEADER + length);

    assert_non_null(record);
    memcpy(record, header, HEADER);
    memcpy(record + HEADER, pattern, length);
    if (destination != NULL) {
        memcpy(record + HEADER, destination, 6);
    }
    ring_commit(&at_switch_out);
}

static void switch_sends(const struct virtio_net_hdr_v1 *header, uint32_t length)
{
    switch_sends_to(header, NULL, length);
}

/* Questions and answers, one at a time, are not left to wait. */
static void test_to_and_fro_is_kicked(void **state)
{
    (void)state;
    begin(PLAIN | EVENT);
    guest_offers(8, 2048, 1);
    guest_sends(&no_offload, 100, 1);
    bus_kick(DEVICE, TX);
    for (uint16_t i = 1; i < 6; i++) {
        switch_gets(&no_offload, 100);
        switch_sends(&no_offload, 100);
        device->ops->notified(device);
        virtio_devices_run();
        guest_sends(&no_offload, 100, 1);
        bus_kick(DEVICE, TX);
        assert_int_equal(driver_avail_event(&tx), i + 1);
    }
    guest_sends(&no_offload, 100, 1); /* two for none */
    guest_sends(&no_offload, 100, 1);
    bus_kick(DEVICE, TX);
    assert_int_equal(driver_avail_event(&tx), 8 + 8);
}

static void notify(void)
{
    device->ops->notified(device);
    virtio_devices_run();
}

/* Take one frame of `length` bytes out of the used ring, in as many buffers as it says. */
static void guest_gets(const struct virtio_net_hdr_v1 *header, uint32_t length)
{
    static uint8_t got[HEADER + NET_GSO_FRAME_MAX] __attribute__((aligned(4)));
    struct virtio_net_hdr_v1 expected = *header;
    uint16_t buffers = 1;
    uint32_t total = 0;

    for (uint16_t n = 0; n < buffers; n++) {
        uint32_t head, written;

        assert_true(driver_take(&rx, &head, &written));
        assert_in_range(head, 0, SIZE - 1);
        while (written > 0) {
            const struct vring_desc *desc = &rx.desc[head];
            uint32_t part = written < desc->len ? written : desc->len;

            assert_true(total + part <= sizeof(got));
            memcpy(got + total, driver_memory(&memory, desc->addr), part);
            total += part;
            written -= part;
            assert_true(written == 0 || (desc->flags & VRING_DESC_F_NEXT) != 0);
            head = desc->next;
        }
        buffers = (uint16_t)(n + 2); /* until the header is complete */
        if (total >= HEADER) {
            buffers = ((const struct virtio_net_hdr_v1 *)(const void *)got)->num_buffers;
            assert_in_range(buffers, n + 1, SIZE);
        }
    }
    expected.num_buffers = buffers;
    assert_int_equal(total, HEADER + length);
    assert_memory_equal(got, &expected, HEADER);
    assert_memory_equal(got + HEADER, pattern, length);
}

static void test_receives(void **state)
{
    (void)state;
    const uint32_t lengths[] = {14, 15, 16, 17, 60, 1000, FRAME_MAX};

    for (unsigned mode = 0; mode < 2; mode++) {
        begin(mode == 0 ? PLAIN : MERGE);
        for (unsigned i = 0; i < 7; i++) {
            for (unsigned pieces = 1; pieces <= 7; pieces++) {
                guest_offers(1, 1600, pieces);
                switch_sends(&no_offload, lengths[i]);
                notify();
                guest_gets(&no_offload, lengths[i]);
            }
        }
    }
    assert_int_equal(bus.message_count, 0);
}

static void test_merges_buffers(void **state)
{
    (void)state;
    const struct virtio_net_hdr_v1 header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                             .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                             .hdr_len = 54,
                                             .gso_size = 1448,
                                             .csum_start = 34,
                                             .csum_offset = 16};

    begin(RECEIVER);
    for (uint32_t size = 1500; size < 5000; size += 500) {
        guest_offers(NET_GSO_FRAME_MAX / size + 1, size, size < 3000 ? 1 : 2);
        switch_sends(&header, NET_GSO_FRAME_MAX);
        notify();
        guest_gets(&header, NET_GSO_FRAME_MAX);
        all_used(&rx);
        begin(RECEIVER);
    }
    /* Buffers smaller than a header, too. */
    guest_offers(20, 5, 1);
    switch_sends(&no_offload, 60);
    notify();
    guest_gets(&no_offload, 60);
}

static void test_waits_for_buffers(void **state)
{
    (void)state;
    begin(MERGE | EVENT);
    for (int i = 0; i < 5; i++) {
        switch_sends(&no_offload, 1000);
    }
    guest_offers(2, 600, 1);
    notify();
    guest_gets(&no_offload, 1000);
    all_used(&rx);
    /* One buffer of two is not enough; it stays the driver's to fill up. */
    guest_offers(1, 600, 1);
    bus_kick(DEVICE, RX);
    assert_int_equal(driver_used_idx(&rx), 2);
    assert_int_equal(driver_avail_event(&rx), 3);
    guest_offers(7, 600, 1);
    bus_kick(DEVICE, RX);
    for (int i = 0; i < 4; i++) {
        guest_gets(&no_offload, 1000);
    }
    assert_int_equal(bus.message_count, 0);
}

static void test_one_interrupt_per_batch(void **state)
{
    (void)state;
    begin(MERGE);
    guest_offers(40, 1600, 1);
    for (int i = 0; i < 40; i++) {
        switch_sends(&no_offload, 1000);
    }
    bus_clear();
    notify();
    assert_int_equal(driver_used_idx(&rx), 40);
    assert_int_equal(bus.rises[INTID], 1);
}

static void test_wakes_switch_for_room(void **state)
{
    (void)state;

    begin(MERGE);
    while (ring_reserve(&at_switch_out, HEADER + 1000) != NULL) {
        switch_sends(&no_offload, 1000);
    }
    assert_false(ring_await_space(&at_switch_out, HEADER + 1000));
    notify();
    assert_int_equal(fake_notified(CHANNEL), 0);
    guest_offers(SIZE, 1600, 1);
    bus_kick(DEVICE, RX);
    assert_int_equal(driver_used_idx(&rx), SIZE);
    assert_int_equal(fake_notified(CHANNEL), 1);
}

static void test_frame_that_never_fits(void **state)
{
    (void)state;
    begin(PLAIN);
    guest_offers(3, 500, 1);
    switch_sends(&no_offload, 1000); /* without merging it needs a larger one: dropped */
    switch_sends(&no_offload, 400);
    notify();
    guest_gets(&no_offload, 400);
    assert_int_equal(driver_used_idx(&rx), 1);
    assert_true(bus_said("net0: a frame of 1000 bytes dropped: the guest's buffers are too small"));

    begin(MERGE);
    guest_offers(SIZE, 12, 1); /* all there can ever be: 768 bytes */
    switch_sends(&no_offload, 1000);
    switch_sends(&no_offload, 400);
    notify();
    guest_gets(&no_offload, 400);
}

/* The longest frames there are: in one buffer, or in as many as it takes. */
static void test_receives_long_frames(void **state)
{
    (void)state;
    const uint32_t length = NET_FRAME_MAX(NET_MTU_MAX);

    begin(PLAIN);
    guest_offers(2, HEADER + length, 1);
    switch_sends(&no_offload, length);
    notify();
    guest_gets(&no_offload, length);

    begin(PLAIN);
    guest_offers(1, HEADER + length, 3);
    switch_sends(&no_offload, length);
    notify();
    guest_gets(&no_offload, length);

    begin(PLAIN);
    guest_offers(2, HEADER + length - 1, 1);
    switch_sends(&no_offload, length);
    switch_sends(&no_offload, length - 1);
    notify();
    guest_gets(&no_offload, length - 1);
    assert_true(bus_said("9018 bytes dropped"));

    begin(MERGE);
    guest_offers(6, 1526, 1);
    switch_sends(&no_offload, length);
    notify();
    guest_gets(&no_offload, length);
    all_used(&rx);
}

/* What a guest of crumbs is not given costs its monitor a look at some of them, once. */
static void test_crumbs_cost_little(void **state)
{
    (void)state;
    uint16_t size = 1024;

    begin(MERGE);
    bus_write(DEVICE + VIRTIO_MMIO_QUEUE_SEL, RX);
    bus_write(DEVICE + VIRTIO_MMIO_QUEUE_READY, 0);
    driver_queue_init(&rx, &memory, RAM_GPA + 0x40000, size);
    assert_int_equal(bus_enable_queue(DEVICE, RX, &rx), 1);
    for (uint16_t i = 0; i < size; i++) { /* the 65th is where nothing is */
        driver_set_desc(&rx, i, i == 64 ? RAM_GPA + RAM_SIZE : RX_DATA, 1, VRING_DESC_F_WRITE, 0);
        driver_offer(&rx, i);
    }
    for (int i = 0; i < 3; i++) {
        switch_sends(&no_offload, 1000);
        notify();
        assert_true(virtio_device_running(device));
        rx.desc[0].len = 2048;
    }
    assert_int_equal(driver_used_idx(&rx), 0);
    begin(MERGE);
    guest_offers(1, 2048, 1);
    switch_sends(&no_offload, 1000);
    notify();
    guest_gets(&no_offload, 1000);
}

/* A frame in many pieces counts for several: a turn has an end in bytes and in descriptors. */
static void test_crumbs_shorten_a_turn(void **state)
{
    (void)state;
    static const unsigned pieces[] = {1, 19, 64, 1000};
    static const unsigned expected[] = {256, 256, 86, 8};
    struct vring_desc *table = driver_memory(&memory, RAM_GPA + 0x50000);
    uint32_t count;

    for (unsigned i = 0; i < 4; i++) {
        unsigned sent = 0;

        begin(PLAIN | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC));
        bus_write(DEVICE + VIRTIO_MMIO_QUEUE_SEL, TX);
        bus_write(DEVICE + VIRTIO_MMIO_QUEUE_READY, 0);
        driver_queue_init(&tx, &memory, RAM_GPA + 0x40000, 1024);
        assert_int_equal(bus_enable_queue(DEVICE, TX, &tx), 1);
        for (unsigned k = 0; k < pieces[i]; k++) {
            table[k] = (struct vring_desc){.addr = TX_DATA,
                                           .len = pieces[i] < 60 ? 60 : 1,
                                           .flags = k + 1 < pieces[i] ? VRING_DESC_F_NEXT : 0,
                                           .next = (uint16_t)(k + 1)};
        }
        memset(driver_memory(&memory, TX_DATA), 0, 60);
        driver_set_desc(&tx, 0, RAM_GPA + 0x50000, pieces[i] * 16, VRING_DESC_F_INDIRECT, 0);
        for (int k = 0; k < 300; k++) {
            driver_offer(&tx, 0);
        }
        assert_int_equal(device->ops->work(device, 1u << TX), 1u << TX); /* there is more */
        for (; ring_peek(&at_switch_in, &count) != NULL; sent++) {
            ring_release(&at_switch_in);
        }
        assert_int_equal(sent, expected[i]);
    }
}

static void test_readable_buffer_to_receive(void **state)
{
    (void)state;
    const struct driver_buffer buffer = {RX_DATA, 2000};

    begin(MERGE);
    driver_add(&rx, &buffer, 1, 0);
    switch_sends(&no_offload, 60);
    notify();
    assert_false(virtio_device_running(device));
    assert_true(bus_said("not writable"));
}

static void test_guest_without_offloads(void **state)
{
    (void)state;
    struct virtio_net_hdr_v1 header = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};

    begin(MERGE);
    guest_offers(10, 1600, 1);
    switch_sends(&header, 100); /* the switch should have known better: dropped */
    header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    header.gso_size = 1448;
    switch_sends(&header, 3000);
    memset(&header, 0xff, sizeof(header));
    header.flags = (uint8_t)~VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header.gso_type = 0;
    switch_sends(&header, 99); /* delivered, and what it may not know is gone */
    notify();
    guest_gets(&no_offload, 99);
    assert_int_equal(driver_used_idx(&rx), 1);

    begin(RECEIVER);
    guest_offers(10, 1600, 1);
    switch_sends(&header, 99);
    notify();
    guest_gets(&(struct virtio_net_hdr_v1){.flags = VIRTIO_NET_HDR_F_DATA_VALID}, 99);
}

static void test_switch_that_lies(void **state)
{
    (void)state;
    struct virtio_net_hdr_v1 header = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 0xfff0, .csum_offset = 16};
    uint8_t *record;

    begin(RECEIVER);
    guest_offers(10, 1600, 1);
    switch_sends(&header, 100);
    header.csum_start = 34;
    header.gso_type = 99;
    switch_sends(&header, 100);
    header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    switch_sends(&header, 100); /* gso_size 0 */
    for (uint32_t count = 0; count < HEADER + 14; count++) {
        record = ring_reserve(&at_switch_out, count);
        ring_commit(&at_switch_out);
    }
    record = ring_reserve(&at_switch_out, HEADER + NET_GSO_FRAME_MAX + 1);
    memset(record, 0, HEADER);
    ring_commit(&at_switch_out);
    switch_sends(&no_offload, 77);
    notify();
    guest_gets(&no_offload, 77);
    assert_int_equal(driver_used_idx(&rx), 1);
    assert_true(virtio_device_running(device));

    /* A ring that is no ring any more: the guest keeps its card, the link is dead. */
    ((struct ring_shared *)from_switch_region)->head += 0x40000000;
    notify();
    notify();
    assert_int_equal(bus.message_count, 1);
    assert_true(bus_said("the link is dead"));
}

/* ---- The life of the device ---- */

static uint32_t accepts(void)
{
    uint32_t word;

    memcpy(&word, from_switch_region + NET_PORT_ACCEPTS_OFFSET, sizeof(word));
    return word;
}

static void test_accepts(void **state)
{
    (void)state;
    assert_int_equal(accepts(), 0);
    bus_negotiate(DEVICE, PLAIN);
    assert_int_equal(accepts(), 0);
    begin(PLAIN);
    assert_int_equal(accepts(), NET_PORT_UP);
    begin(RECEIVER);
    assert_int_equal(accepts(),
                     NET_PORT_UP | NET_PORT_CSUM | NET_PORT_TSO4 | NET_PORT_TSO6 | NET_PORT_ECN);
    begin(PLAIN | F(GUEST_CSUM) | VIRTIO_FEATURE(54) | VIRTIO_FEATURE(55));
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM | NET_PORT_USO);
    driver_offer(&tx, 0xffff);
    bus_kick(DEVICE, TX);
    assert_int_equal(accepts(), 0);
    begin(PLAIN);
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(accepts(), 0);
    begin(PLAIN);
    virtio_devices_reset();
    assert_int_equal(accepts(), 0);
}

static void test_config_space(void **state)
{
    (void)state;
    assert_memory_equal((uint8_t *)page + VIRTIO_MMIO_CONFIG, config.mac, 6);
    assert_int_equal(bus_read(DEVICE + VIRTIO_MMIO_CONFIG + 6, 2), VIRTIO_NET_S_LINK_UP);
    assert_int_equal(bus_read(DEVICE + VIRTIO_MMIO_CONFIG + 10, 2), MTU);
    bus_write_width(DEVICE + VIRTIO_MMIO_CONFIG, 1, 0x55);
    assert_memory_equal((uint8_t *)page + VIRTIO_MMIO_CONFIG, config.mac, 6);
}

static void test_feature_dependencies(void **state)
{
    (void)state;
    const uint64_t bad[] = {F(GUEST_TSO4),
                            F(GUEST_TSO6),
                            F(HOST_TSO4),
                            F(HOST_TSO6),
                            F(HOST_ECN),
                            F(GUEST_ECN),
                            F(CTRL_RX),
                            F(CTRL_VLAN),
                            F(CTRL_RX_EXTRA),
                            F(CTRL_MAC_ADDR),
                            F(CTRL_GUEST_OFFLOADS),
                            F(GUEST_CSUM) | F(GUEST_ECN),
                            F(CSUM) | F(HOST_ECN),
                            F(MQ),
                            VIRTIO_FEATURE(54),
                            VIRTIO_FEATURE(56)};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(bus_negotiate(DEVICE, PLAIN | bad[i]) & VIRTIO_CONFIG_S_FEATURES_OK, 0);
    }
    assert_int_equal(bus_negotiate(DEVICE, device->features) & VIRTIO_CONFIG_S_FEATURES_OK,
                     VIRTIO_CONFIG_S_FEATURES_OK);
}

/* What was for the guest before is not for the one after the reset. */
static void test_reset_in_flight(void **state)
{
    (void)state;
    begin(MERGE);
    guest_offers(4, 1600, 1);
    for (int i = 0; i < 10; i++) {
        switch_sends(&no_offload, 500);
    }
    notify();
    guest_sends(&no_offload, 60, 1); /* and no kick */
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    switch_sends(&no_offload, 501);
    notify(); /* thrown away */
    switch_sends(&no_offload, 502);
    begin(MERGE);
    guest_offers(4, 1600, 1);
    bus_kick(DEVICE, RX);
    assert_int_equal(driver_used_idx(&rx), 0);
    switch_gets_nothing();
    switch_sends(&no_offload, 503);
    notify();
    guest_gets(&no_offload, 503);
}

static void test_queue_taken_back(void **state)
{
    (void)state;
    begin(MERGE);
    bus_write(DEVICE + VIRTIO_MMIO_QUEUE_SEL, RX);
    bus_write(DEVICE + VIRTIO_MMIO_QUEUE_READY, 0);
    switch_sends(&no_offload, 500);
    notify();
    driver_queue_init(&rx, &memory, RX_GPA, SIZE);
    guest_offers(1, 1600, 1);
    assert_int_equal(bus_enable_queue(DEVICE, RX, &rx), 1);
    guest_gets(&no_offload, 500);
}

/* ---- The control queue ---- */

#define ACK_GPA (RAM_GPA + 0x50000)

/* Send a command of these bytes; returns the device's answer. */
static uint8_t command(const void *bytes, uint32_t length, unsigned pieces)
{
    struct driver_buffer buffers[4];
    uint8_t *ack = driver_memory(&memory, ACK_GPA);

    *ack = 0xaa;
    memcpy(driver_memory(&memory, ACK_GPA + 64), bytes, length);
    for (unsigned i = 0; i < pieces; i++) {
        uint32_t each = length / pieces;

        buffers[i] = (struct driver_buffer){ACK_GPA + 64 + i * each,
                                            i + 1 < pieces ? each : length - i * each};
    }
    buffers[pieces] = (struct driver_buffer){ACK_GPA, 1};
    driver_add(&control, buffers, pieces, 1);
    bus_kick(DEVICE, CONTROL);
    all_used(&control);
    return *ack;
}

static bool receives(const uint8_t *destination)
{
    uint16_t before = driver_used_idx(&rx);
    uint32_t head, written;

    guest_offers(1, 1600, 1);
    switch_sends_to(&no_offload, destination, 100);
    notify();
    while (driver_take(&rx, &head, &written)) {
    }
    return driver_used_idx(&rx) != before;
}

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t stranger[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};

static void test_filters(void **state)
{
    (void)state;
    const uint8_t table[] = {VIRTIO_NET_CTRL_MAC,
                             VIRTIO_NET_CTRL_MAC_TABLE_SET,
                             1,
                             0,
                             0,
                             0,
                             0x02,
                             0xaa,
                             0xbb,
                             0xcc,
                             0xdd,
                             0xee,
                             1,
                             0,
                             0,
                             0,
                             0x33,
                             0x33,
                             0,
                             0,
                             0,
                             1};
    const uint8_t empty[] = {
        VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, 0, 0, 0, 0, 0, 0, 0, 0};

    begin(CONTROLS);
    assert_true(receives(stranger)); /* until the driver says otherwise */
    assert_int_equal(accepts() & NET_PORT_PROMISC, 0);
    for (unsigned pieces = 1; pieces < 3; pieces++) {
        assert_int_equal(command("\0\0\0", 3, pieces), VIRTIO_NET_OK); /* promiscuous: off */
        assert_true(receives(config.mac));
        assert_true(receives(broadcast));
        assert_false(receives(stranger));
        assert_false(receives(group));
        assert_int_equal(command(table, sizeof(table), pieces), VIRTIO_NET_OK);
        assert_true(receives(stranger));
        assert_true(receives(group));
        assert_int_equal(command(empty, sizeof(empty), pieces), VIRTIO_NET_OK);
        assert_false(receives(stranger));
        assert_false(receives(group));
    }
    assert_int_equal(command("\0\1\1", 3, 1), VIRTIO_NET_OK); /* all multicast */
    assert_true(receives(group));
    assert_int_equal(command("\0\3\1", 3, 1), VIRTIO_NET_OK); /* no multicast */
    assert_false(receives(group));
    assert_int_equal(command("\0\2\1", 3, 1), VIRTIO_NET_OK); /* all unicast */
    assert_true(receives(stranger));
    assert_int_equal(command("\0\4\1", 3, 1), VIRTIO_NET_OK); /* no unicast */
    assert_false(receives(config.mac));
    assert_int_equal(command("\0\5\1", 3, 1), VIRTIO_NET_OK); /* no broadcast */
    assert_false(receives(broadcast));
    assert_int_equal(command("\0\0\1", 3, 1), VIRTIO_NET_OK); /* promiscuous: everything */
    assert_true(receives(broadcast));
    assert_true(receives(stranger));
    assert_int_equal(accepts() & NET_PORT_PROMISC, NET_PORT_PROMISC);
}

static void test_new_address(void **state)
{
    (void)state;
    uint8_t set[8] = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET};

    begin(CONTROLS);
    memcpy(set + 2, stranger, 6);
    assert_int_equal(command("\0\0\0", 3, 1), VIRTIO_NET_OK);
    assert_int_equal(command(set, 8, 2), VIRTIO_NET_OK);
    assert_true(receives(stranger));
    assert_false(receives(config.mac));
    assert_memory_equal((uint8_t *)page + VIRTIO_MMIO_CONFIG, stranger, 6);
    set[2] |= 1;
    assert_int_equal(command(set, 8, 1), VIRTIO_NET_ERR); /* a group is nobody's own */
    bus_write(DEVICE + VIRTIO_MMIO_STATUS, 0);
    assert_memory_equal((uint8_t *)page + VIRTIO_MMIO_CONFIG, config.mac, 6);
}

/* Where the switch drops what comes from other addresses, the card does not take one. */
static void test_fixed_address(void **state)
{
    (void)state;
    uint8_t set[8] = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET};

    config.mac_fixed = true;
    begin(CONTROLS);
    assert_int_equal(command("\0\0\0", 3, 1), VIRTIO_NET_OK);
    memcpy(set + 2, stranger, 6);
    assert_int_equal(command(set, 8, 2), VIRTIO_NET_ERR);
    assert_int_equal(command(set, 7, 1), VIRTIO_NET_ERR);
    assert_true(receives(config.mac));
    assert_false(receives(stranger));
    assert_memory_equal((uint8_t *)page + VIRTIO_MMIO_CONFIG, config.mac, 6);
    bus_write(DEVICE + VIRTIO_MMIO_CONFIG, 0x0a0b0c0d); /* as legacy drivers do it */
    assert_memory_equal((uint8_t *)page + VIRTIO_MMIO_CONFIG, config.mac, 6);
    memcpy(set + 2, config.mac, 6);
    assert_int_equal(command(set, 8, 1), VIRTIO_NET_OK);
    config.mac_fixed = false;
}

static void test_vlan_filter(void **state)
{
    (void)state;
    struct net_filter filter;
    const uint32_t tagged = 0x0081u | 0x21u << 16 | 0x23u << 24; /* priority 1, VLAN 0x123 */
    const uint32_t untagged = 0x0008u | 0x21u << 16 | 0x23u << 24;

    net_filter_reset(&filter, config.mac, true);
    assert_true(net_filter_passes(&filter, filter.own, tagged));
    filter.promiscuous = false;
    assert_true(net_filter_passes(&filter, filter.own, untagged));
    assert_false(net_filter_passes(&filter, filter.own, tagged));
    assert_true(net_filter_command(&filter, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD,
                                   (const uint8_t *)"\x23\x01", 2, 2));
    assert_true(net_filter_passes(&filter, filter.own, tagged));
    assert_false(net_filter_passes(&filter, filter.own, tagged + (1u << 24)));
    assert_true(net_filter_command(&filter, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL,
                                   (const uint8_t *)"\x23\x01", 2, 2));
    assert_false(net_filter_passes(&filter, filter.own, tagged));
    assert_false(net_filter_command(&filter, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD,
                                    (const uint8_t *)"\x00\x10", 2, 2));
    assert_false(
        net_filter_command(&filter, VIRTIO_NET_CTRL_VLAN, 2, (const uint8_t *)"\1\0", 2, 2));
    net_filter_reset(&filter, config.mac, false);
    filter.promiscuous = false;
    assert_true(net_filter_passes(&filter, filter.own, tagged));
}

static void test_offload_command(void **state)
{
    (void)state;
    uint8_t set[10] = {VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET};

    begin(CONTROLS);
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM | NET_PORT_TSO4);
    set[2] = 1u << VIRTIO_NET_F_GUEST_CSUM;
    assert_int_equal(command(set, 10, 2), VIRTIO_NET_OK);
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM);
    set[2] = 0;
    assert_int_equal(command(set, 10, 2), VIRTIO_NET_OK);
    assert_int_equal(accepts(), NET_PORT_UP);
    set[3] = 1; /* GUEST_TSO6, not negotiated */
    assert_int_equal(command(set, 10, 2), VIRTIO_NET_ERR);
    set[3] = 0;
    assert_int_equal(command(set, 9, 1), VIRTIO_NET_ERR);
    set[1] = 1;
    assert_int_equal(command(set, 10, 1), VIRTIO_NET_ERR);
}

static void test_bad_commands(void **state)
{
    (void)state;
    static uint8_t large[2 + 8 + 6 * 3000] = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET};
    const uint8_t lies[] = {VIRTIO_NET_CTRL_MAC,
                            VIRTIO_NET_CTRL_MAC_TABLE_SET,
                            0xff,
                            0xff,
                            0xff,
                            0xff,
                            1,
                            2,
                            3,
                            4,
                            5,
                            6,
                            0,
                            0,
                            0,
                            0};

    begin(CONTROLS);
    assert_int_equal(command("\0\0", 2, 1), VIRTIO_NET_ERR);
    assert_int_equal(command("\0\6\1", 3, 1), VIRTIO_NET_ERR);
    assert_int_equal(command("\0\377\1", 3, 1), VIRTIO_NET_ERR);
    assert_int_equal(command("\1\0\0\0\0\0", 6, 1), VIRTIO_NET_ERR);
    assert_int_equal(command(lies, sizeof(lies), 1), VIRTIO_NET_ERR);
    assert_int_equal(command("\1\1\2\0\0", 5, 1), VIRTIO_NET_ERR);
    assert_int_equal(command("\2\0\1", 3, 1), VIRTIO_NET_ERR);
    assert_int_equal(command("\3\0", 2, 1), VIRTIO_NET_ERR);
    assert_int_equal(command("\4\0\1\0", 4, 1), VIRTIO_NET_ERR);
    assert_int_equal(command("\377\377", 2, 1), VIRTIO_NET_ERR);
    /* A table larger than ours, and one larger than what we look at: everything passes. */
    assert_int_equal(command("\0\0\0", 3, 1), VIRTIO_NET_OK);
    large[2] = 100;
    assert_int_equal(command(large, 2 + 8 + 6 * 100, 1), VIRTIO_NET_OK);
    assert_true(receives(stranger));
    assert_false(receives(group));
    large[2] = 0;
    large[3] = 10;
    assert_int_equal(command(large, sizeof(large), 3), VIRTIO_NET_OK);
    assert_true(receives(stranger));
    assert_true(receives(group));
    assert_true(virtio_device_running(device));

    /* Nowhere to put the answer, and nothing to answer. */
    const struct driver_buffer buffer = {ACK_GPA, 3};
    driver_add(&control, &buffer, 1, 0);
    bus_kick(DEVICE, CONTROL);
    assert_false(virtio_device_running(device));
    begin(CONTROLS);
    driver_add(&control, &buffer, 0, 1);
    bus_kick(DEVICE, CONTROL);
    assert_false(virtio_device_running(device));

    begin(PLAIN | F(CTRL_VQ)); /* commands without their features */
    assert_int_equal(command("\0\0\0", 3, 1), VIRTIO_NET_ERR);
    assert_int_equal(command("\2\0\1\0", 4, 1), VIRTIO_NET_ERR);
}

/* A queue that is broken stops the device, and with it the work on the queues behind it. */
static void test_broken_queue_ends_the_turn(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 2; mode++) {
        begin(PLAIN);
        guest_offers(1, 1600, 1);
        switch_sends(&no_offload, 60);
        if (mode == 0) {
            driver_offer(&tx, 9999);
        } else {
            guest_sends(&no_offload, 60, 1);
            driver_offer(&control, 9999);
        }
        bus_kick(DEVICE, TX);
        assert_false(virtio_device_running(device));
        assert_int_equal(driver_used_idx(&rx), 0);
        switch_gets_nothing();
    }
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sends),
        TEST(test_wakes_switch_once),
        TEST(test_work_of_the_switch_is_charged),
        TEST(test_work_of_the_switch_is_charged_without_a_notification),
        TEST(test_late_timer_is_not_waited_for),
        TEST(test_interrupts_for_sent_only_when_asked),
        TEST(test_sent_frames_are_signalled_later),
        TEST(test_many_sent_frames_are_signalled_sooner),
        TEST(test_half_a_queue_sent_is_signalled_at_once),
        TEST(test_large_sent_is_published_at_once),
        TEST(test_busy_queue_is_polled),
        TEST(test_what_goes_outside_is_not_polled),
        TEST(test_to_and_fro_is_kicked),
        TEST(test_polling_without_event_index_or_device),
        TEST(test_sends_large_segments),
        TEST(test_header_is_cleaned),
        TEST(test_bad_frames_are_dropped),
        TEST(test_bounds_follow_the_mtu),
        TEST(test_full_ring_holds_the_guest_up),
        TEST(test_writable_buffer_to_send),
        TEST(test_broken_queue_stops_device),
        TEST(test_broken_queue_ends_the_turn),
        TEST(test_receives),
        TEST(test_merges_buffers),
        TEST(test_waits_for_buffers),
        TEST(test_one_interrupt_per_batch),
        TEST(test_wakes_switch_for_room),
        TEST(test_frame_that_never_fits),
        TEST(test_receives_long_frames),
        TEST(test_crumbs_cost_little),
        TEST(test_crumbs_shorten_a_turn),
        TEST(test_readable_buffer_to_receive),
        TEST(test_guest_without_offloads),
        TEST(test_accepts),
        TEST(test_config_space),
        TEST(test_feature_dependencies),
        TEST(test_reset_in_flight),
        TEST(test_queue_taken_back),
        TEST(test_filters),
        TEST(test_new_address),
        TEST(test_fixed_address),
        TEST(test_vlan_filter),
        TEST(test_offload_command),
        TEST(test_bad_commands),
        TEST(test_switch_that_lies),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(memory.base);
    return failed;
}
