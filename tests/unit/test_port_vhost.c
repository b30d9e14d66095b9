/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: switch/switch.c switch/forward.c switch/convert.c switch/join.c switch/mac_table.c
 * SOURCES: lib/token_bucket.c lib/supervisor.c switch/port_isolated.c switch/port_limit.c
 * SOURCES: switch/port_vhost.c lib/virtqueue.c lib/net_header.c lib/net_buffers.c lib/net_filter.c
 * SOURCES: lib/ring.c lib/log.c lib/offload.c lib/checksum.c tests/unit/fake/virtio_driver.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * A switch on which three guests' virtqueues and one pair of rings meet: frames between all kinds
 * of ports, what monitors ask for, and guests and monitors that do not keep to the rules. The
 * guests' memories lie side by side, so that one who gets beyond its own is in its neighbour's.
 */

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/timer/protocol.h"
#include "lib/net_filter.h"
#include "lib/net_port.h"
#include "lib/ring.h"
#include "lib/tx_moderation.h"
#include "lib/vhost.h"
#include "switch/config.h"
#include "tests/unit/fake/virtio_driver.h"

struct switch_config config __asm__("switch_config");
static struct stats_port stats[SWITCH_MAX_PORTS];

#define GUESTS    3
#define RINGS     3 /* the port that has rings */
#define CHANNEL   10
#define LOG       3
#define RING_SIZE 0x40000u
#define RAM_GPA   0x40000000ull
#define RAM_SIZE  0x100000u
#define SIZE      64u
#define HEADER    12u
#define CANARY    0xa5

#define RX_GPA  (RAM_GPA + 0x1000)
#define TX_GPA  (RAM_GPA + 0x4000)
#define TABLE   (RAM_GPA + 0x8000)
#define RX_DATA (RAM_GPA + 0x10000)
#define TX_DATA (RAM_GPA + 0x80000)

#define F(bit) (1ull << (bit))
#define PLAIN  F(VIRTIO_F_VERSION_1)
#define MERGE  (PLAIN | F(VIRTIO_NET_F_MRG_RXBUF))
#define FULL                                                                                       \
    (MERGE | F(VIRTIO_NET_F_CSUM) | F(VIRTIO_NET_F_HOST_TSO4) | F(VIRTIO_RING_F_INDIRECT_DESC))
#define ALL                                                                                        \
    (NET_PORT_UP | NET_PORT_CSUM | NET_PORT_TSO4 | NET_PORT_TSO6 | NET_PORT_ECN | NET_PORT_USO)

static uint8_t *ram; /* of all guests, one behind the other, with a space on both sides */
static struct vhost_page *pages[GUESTS];
static struct guest_memory memory[GUESTS];
static struct driver_queue rx[GUESTS], tx[GUESTS];
static uint8_t *from_region, *to_region, *log_region;
static struct ring ring_tx, ring_rx, log_in;
static uint8_t pattern[NET_GSO_FRAME_MAX];

/* ---- The monitors ---- */

static uint64_t call(int guest, uint64_t label, uint32_t count, const uint64_t *words)
{
    for (uint32_t i = 0; i < count; i++) {
        microkit_mr_set((seL4_Uint8)i, words[i]);
    }
    return microkit_msginfo_get_label(
        protected(CHANNEL + (microkit_channel)guest, microkit_msginfo_new(label, (uint16_t)count)));
}

#define CALL(guest, label, ...)                                                                    \
    call(guest, label, sizeof((uint64_t[]){__VA_ARGS__}) / 8, (uint64_t[]){__VA_ARGS__})

static uint64_t hand_over(int guest, uint64_t number, const struct driver_queue *queue)
{
    return CALL(guest, VHOST_QUEUE, number, queue->size, queue->desc_gpa, queue->avail_gpa,
                queue->used_gpa);
}

static void kick(int guest)
{
    notified(CHANNEL + (microkit_channel)guest);
}

/* The guest's driver is ready, with these features. */
static void begin(int guest, uint64_t features)
{
    driver_queue_init(&rx[guest], &memory[guest], RX_GPA, SIZE);
    driver_queue_init(&tx[guest], &memory[guest], TX_GPA, SIZE);
    assert_int_equal(CALL(guest, VHOST_START, features), VHOST_OK);
    assert_int_equal(CALL(guest, VHOST_ACCEPTS, ALL), VHOST_OK);
    assert_int_equal(hand_over(guest, VHOST_RX, &rx[guest]), VHOST_OK);
    assert_int_equal(hand_over(guest, VHOST_TX, &tx[guest]), VHOST_OK);
    kick(guest);
}

static uint8_t *fresh(uint8_t *old, size_t size)
{
    free(old);
    uint8_t *region = aligned_alloc(4096, size);
    assert_non_null(region);
    memset(region, 0, size);
    return region;
}

static int setup(void **state)
{
    (void)state;
    static const char *const names[] = {"vm0", "vm1", "vm2", "vm3"};
    const uint32_t bits = ALL;

    fake_reset();
    memset(&config, 0, sizeof(config));
    ram = fresh(ram, (GUESTS + 2) * RAM_SIZE);
    memset(ram, CANARY, (GUESTS + 2) * RAM_SIZE);
    log_region = fresh(log_region, RING_HEADER_SIZE + 0x10000);
    from_region = fresh(from_region, RING_HEADER_SIZE + RING_SIZE);
    to_region = fresh(to_region, RING_HEADER_SIZE + RING_SIZE);
    ring_init(&log_in, log_region, 0x10000);
    ring_init(&ring_tx, from_region, RING_SIZE);
    ring_init(&ring_rx, to_region, RING_SIZE);
    memcpy(to_region + NET_PORT_ACCEPTS_OFFSET, &bits, sizeof(bits));
    config.name = "net0";
    config.mtu = 1500;
    config.mirror_port = -1;
    config.log = log_region;
    config.log_size = 0x10000;
    config.log_channel = LOG;
    memset(stats, 0, sizeof(stats));
    config.stats = stats;
    config.port_count = GUESTS + 1;
    for (int i = 0; i <= GUESTS; i++) {
        struct switch_port_config *port = &config.ports[i];

        port->name = names[i];
        port->channel = (uint8_t)(CHANNEL + i);
        port->may_reach = UINT64_MAX;
        port->mac_fixed = true;
        port->mac[0] = 0x52;
        port->mac[5] = (uint8_t)i;
        if (i < GUESTS) {
            pages[i] = (struct vhost_page *)(void *)fresh((uint8_t *)pages[i], 4096);
            memory[i] = (struct guest_memory){ram + (i + 1) * RAM_SIZE, RAM_GPA, RAM_SIZE};
            port->path = SWITCH_PATH_VHOST;
            port->vhost_page = pages[i];
            port->ram = memory[i].base;
            port->ram_gpa = RAM_GPA;
            port->ram_size = RAM_SIZE;
        } else {
            port->from_port = from_region;
            port->to_port = to_region;
            port->ring_size = RING_SIZE;
        }
    }
    for (uint32_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    init();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(ram);
    free(log_region);
    free(from_region);
    free(to_region);
    ram = log_region = from_region = to_region = NULL;
    for (int i = 0; i < GUESTS; i++) {
        free(pages[i]);
        pages[i] = NULL;
    }
    return 0;
}

static const char *said(void)
{
    static char messages[65536];

    messages[ring_read(&log_in, messages, sizeof(messages) - 1)] = '\0';
    return messages;
}

/* ---- Frames ---- */

static const struct virtio_net_hdr_v1 no_offload;
static const struct virtio_net_hdr_v1 large = {
    .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
    .hdr_len = 54,
    .gso_size = 1448,
    .csum_start = 34,
    .csum_offset = 16,
};

/* Header and frame as a guest lays them in memory. */
static void make(uint8_t *to, const struct virtio_net_hdr_v1 *header, int source, int destination,
                 uint32_t length)
{
    static const uint8_t type[2] = {0x88, 0xb5};

    memcpy(to, header, HEADER);
    memcpy(to + HEADER, pattern, length);
    memset(to + HEADER, destination < 0 ? 0xff : 0, 6);
    if (destination >= 0) {
        to[HEADER] = 0x52;
        to[HEADER + 5] = (uint8_t)destination;
    }
    memset(to + HEADER + 6, 0, 6);
    to[HEADER + 6] = 0x52;
    to[HEADER + 11] = (uint8_t)source;
    memcpy(to + HEADER + 12, type, 2);
}

/* In `pieces` buffers; the first ones of `first` bytes if that is not 0. */
static void put(int guest, const struct virtio_net_hdr_v1 *header, int destination, uint32_t length,
                unsigned pieces, uint32_t first)
{
    static uint8_t frame[HEADER + NET_GSO_FRAME_MAX];
    struct driver_buffer buffers[DRIVER_BUFFERS_MAX];
    uint32_t left = HEADER + length;
    uint64_t at = TX_DATA;
    uint32_t done = 0;

    make(frame, header, guest, destination, length);
    for (unsigned i = 0; i < pieces; i++) {
        uint32_t part = first != 0 ? first : left / (pieces - i);

        part = i + 1 == pieces ? left : part;
        buffers[i] = (struct driver_buffer){at, part};
        memcpy(driver_memory(&memory[guest], at), frame + done, part);
        done += part;
        left -= part;
        at += part + 5; /* no buffer is where another would go on */
    }
    driver_add(&tx[guest], buffers, pieces, 0);
}

static void send(int guest, int destination, uint32_t length)
{
    put(guest, &no_offload, destination, length, 1, 0);
    kick(guest);
}

/* Buffers to receive in, all of one size. */
static void provide(int guest, unsigned count, uint32_t bytes)
{
    for (unsigned i = 0; i < count; i++) {
        struct driver_buffer buffer = {RX_DATA + i * bytes, bytes};

        driver_add(&rx[guest], &buffer, 0, 1);
    }
}

/* The next frame that the guest has received, of this header and length, from `source`. */
static void got(int guest, const struct virtio_net_hdr_v1 *header, int source, int destination,
                uint32_t length)
{
    static uint8_t expected[HEADER + NET_GSO_FRAME_MAX];
    static uint8_t seen[HEADER + NET_GSO_FRAME_MAX];
    struct virtio_net_hdr_v1 shown = *header;
    uint32_t done = 0;
    uint16_t chains = 0;
    uint32_t head, written;

    while (done < HEADER + length) {
        assert_true(driver_take(&rx[guest], &head, &written));
        assert_true(written <= rx[guest].desc[head].len && written <= HEADER + length - done);
        memcpy(seen + done, driver_memory(&memory[guest], rx[guest].desc[head].addr), written);
        done += written;
        chains++;
    }
    shown.num_buffers = chains;
    make(expected, &shown, source, destination, length);
    assert_memory_equal(seen, expected, HEADER + length);
}

static void got_nothing(int guest)
{
    uint32_t head, written;

    assert_false(driver_take(&rx[guest], &head, &written));
}

static void all_sent(int guest)
{
    assert_int_equal(driver_used_idx(&tx[guest]), *driver_avail_idx(&tx[guest]));
}

/* Nothing but `guest`'s own memory has been written to. */
static void others_are_untouched(int guest)
{
    for (int i = 0; i < GUESTS + 2; i++) {
        for (uint32_t k = 0; i != guest + 1 && k < RAM_SIZE; k++) {
            assert_int_equal(ram[(uint32_t)i * RAM_SIZE + k], CANARY);
        }
    }
}

/* ---- Traffic ---- */

static void frames_pass_in_all_shapes(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {14, 17, 60, 1000, 1518};

    begin(0, FULL);
    begin(1, FULL);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned pieces = 1; pieces <= 6; pieces++) {
            provide(1, 1, 2048);
            put(0, &no_offload, 1, lengths[i], pieces, 0);
            kick(0);
            got(1, &no_offload, 0, 1, lengths[i]);
            all_sent(0);
        }
    }
    got_nothing(1);
    assert_string_equal(said(), "");
}

/* A new switch, with this MTU. */
static void set_mtu(uint16_t mtu)
{
    teardown(NULL);
    setup(NULL);
    config.mtu = mtu;
    init();
}

/* To the last byte, and not one beyond: in one buffer, and in as many as it takes. */
static void frames_are_as_long_as_the_mtu_lets_them(void **state)
{
    (void)state;
    static const uint16_t mtus[] = {NET_MTU_MIN, 1500, 4096, NET_MTU_MAX};

    for (unsigned i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
        uint32_t length = mtus[i] + 18u;

        set_mtu(mtus[i]);
        begin(0, FULL);
        begin(1, FULL);
        begin(2, PLAIN);
        for (unsigned pieces = 1; pieces <= 6; pieces++) {
            provide(1, 1, 9100);
            put(0, &no_offload, 1, length, pieces, 0);
            kick(0);
            got(1, &no_offload, 0, 1, length);
            provide(2, 1, HEADER + length);
            put(0, &no_offload, 2, length, pieces, 0);
            kick(0);
            got(2, &no_offload, 0, 2, length);
            provide(1, 1, 9100);
            put(0, &no_offload, 1, length + 1, pieces, 0);
            kick(0);
            got_nothing(1);
            put(0, &no_offload, 1, 60, 1, 0); /* takes the buffer */
            kick(0);
            got(1, &no_offload, 0, 1, 60);
        }
        assert_non_null(strstr(said(), "the frame is too long"));
        provide(1, 12, 1526);
        put(0, &no_offload, 1, length, 3, 0);
        kick(0);
        got(1, &no_offload, 0, 1, length);
        all_sent(0);
    }
}

/* One that a guest has no buffers for is lost and counted, and holds nobody up. */
static void long_frames_need_long_buffers(void **state)
{
    (void)state;
    set_mtu(NET_MTU_MAX);
    begin(0, FULL);
    begin(1, PLAIN);
    provide(1, 3, 2048);
    for (int i = 0; i < 5; i++) {
        put(0, &no_offload, 1, 9000, 2, 0);
    }
    put(0, &no_offload, 1, 1500, 2, 0);
    kick(0);
    all_sent(0);
    got(1, &no_offload, 0, 1, 1500);
    got_nothing(1);
    notified(LOG);
    assert_non_null(strstr(said(), "port vm1: dropped receiver's buffers too small 5\n"));
}

/* The size that a sender says its segments have: checked, whatever the MTU. */
static void segments_are_no_larger_than_the_mtu(void **state)
{
    (void)state;
    static const uint16_t mtus[] = {NET_MTU_MIN, 1500, NET_MTU_MAX};
    struct virtio_net_hdr_v1 header = large;

    for (unsigned i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
        set_mtu(mtus[i]);
        begin(0, FULL);
        begin(1, FULL);
        provide(1, 60, 1536);
        header.gso_size = mtus[i];
        put(0, &header, 1, 60000, 17, 0);
        kick(0);
        got(1, &header, 0, 1, 60000);
        provide(1, 60, 1536);
        header.gso_size = mtus[i] + 1;
        put(0, &header, 1, 60000, 17, 0);
        header.gso_size = UINT16_MAX;
        put(0, &header, 1, 60000, 17, 0);
        kick(0);
        got_nothing(1);
        assert_non_null(strstr(said(), "segments larger than the MTU"));
        all_sent(0);
    }
}

static void large_segment_fills_many_buffers(void **state)
{
    (void)state;
    begin(0, FULL);
    begin(1, FULL);
    provide(1, 60, 1536);
    put(0, &large, 1, 65000, 17, 0);
    kick(0);
    got(1, &large, 0, 1, 65000);
    all_sent(0);
}

/* More pieces than a frame has segments: it is put together first. */
static void chain_of_crumbs_passes(void **state)
{
    (void)state;
    begin(0, FULL);
    begin(1, FULL);
    provide(1, 2, 1024);
    put(0, &no_offload, 1, 1400, 60, 1);
    kick(0);
    got(1, &no_offload, 0, 1, 1400);
}

static void indirect_table_is_walked(void **state)
{
    (void)state;
    struct driver_buffer buffers[2] = {{TX_DATA, HEADER + 20}, {TX_DATA + 0x1000, 80}};
    uint8_t frame[HEADER + 100];

    begin(0, FULL);
    begin(1, FULL);
    provide(1, 1, 2048);
    make(frame, &no_offload, 0, 1, 100);
    memcpy(driver_memory(&memory[0], TX_DATA), frame, HEADER + 20);
    memcpy(driver_memory(&memory[0], TX_DATA + 0x1000), frame + HEADER + 20, 80);
    driver_add_indirect(&tx[0], TABLE, buffers, 2, 0);
    kick(0);
    got(1, &no_offload, 0, 1, 100);
}

static void both_kinds_of_ports_meet(void **state)
{
    (void)state;
    uint32_t count;
    uint8_t expected[HEADER + 65000];

    begin(0, FULL);
    provide(0, 60, 1536);
    put(0, &large, RINGS, 65000, 17, 0);
    kick(0);
    const uint8_t *record = ring_peek(&ring_rx, &count);
    assert_non_null(record);
    assert_int_equal(count, HEADER + 65000);
    make(expected, &large, 0, RINGS, 65000);
    assert_memory_equal(record, expected, count);

    uint8_t *room = ring_reserve(&ring_tx, HEADER + 65000);
    make(room, &large, RINGS, 0, 65000);
    ring_commit(&ring_tx);
    notified(CHANNEL + RINGS);
    got(0, &large, RINGS, 0, 65000);
}

static void broadcast_reaches_all_that_listen(void **state)
{
    (void)state;
    uint32_t count;

    begin(0, FULL);
    begin(1, PLAIN);
    begin(2, FULL);
    provide(1, 1, 2048);
    provide(2, 1, 2048);
    send(0, -1, 100);
    got(1, &no_offload, 0, -1, 100);
    got(2, &no_offload, 0, -1, 100);
    assert_non_null(ring_peek(&ring_rx, &count));
}

/* The receiver does not take what the sender has left undone: frames are cut and completed. */
static void segments_are_cut_for_those_that_need_it(void **state)
{
    (void)state;
    uint8_t *frame = driver_memory(&memory[0], TX_DATA);
    struct virtio_net_hdr_v1 header = large;
    struct driver_buffer buffer = {TX_DATA, HEADER + 54 + 3000};
    uint32_t head, written;

    begin(0, FULL);
    begin(1, PLAIN);
    assert_int_equal(CALL(1, VHOST_ACCEPTS, NET_PORT_UP), VHOST_OK);
    provide(1, 4, 2048);
    make(frame, &header, 0, 1, 54 + 3000);
    memcpy(frame + HEADER + 12, "\x08\x00\x45\x00\x0b\xe0", 6); /* IPv4 of 3040 bytes */
    frame[HEADER + 14 + 6] = 0x40;
    frame[HEADER + 14 + 7] = 0;
    frame[HEADER + 14 + 9] = 6; /* TCP */
    frame[HEADER + 34 + 12] = 0x50;
    frame[HEADER + 34 + 13] = 0x10;
    driver_add(&tx[0], &buffer, 1, 0);
    kick(0);
    for (int i = 0; i < 3; i++) {
        struct virtio_net_hdr_v1 seen;

        assert_true(driver_take(&rx[1], &head, &written));
        memcpy(&seen, driver_memory(&memory[1], RX_DATA + (uint64_t)i * 2048), HEADER);
        assert_int_equal(seen.gso_type, VIRTIO_NET_HDR_GSO_NONE);
        assert_int_equal(seen.flags, 0);
        assert_int_equal(seen.num_buffers, 1);
        assert_int_equal(written, HEADER + 54 + (i < 2 ? 1448 : 104));
    }
    got_nothing(1);
}

static void receiver_without_buffers_loses_frames_only(void **state)
{
    (void)state;
    begin(0, FULL);
    begin(1, FULL);
    provide(1, 1, 2048);
    for (int i = 0; i < 3; i++) {
        put(0, &no_offload, 1, 100, 1, 0);
    }
    kick(0);
    all_sent(0);
    got(1, &no_offload, 0, 1, 100);
    got_nothing(1);
    provide(1, 3, 200);
    put(0, &no_offload, 1, 1000, 1, 0); /* too large for what is left: it waits for no one */
    put(0, &no_offload, 1, 500, 1, 0);
    kick(0);
    got(1, &no_offload, 0, 1, 500);
    notified(LOG);
    assert_non_null(strstr(said(), "receiver full 3"));
}

/*
 * A receiver with nothing but crumbs: a frame for it costs the switch a few of them, and the next
 * one nothing until there are others. A buffer outside of its memory shows how far it looks, and
 * one that grows, whether it does so again.
 */
static void crumbs_of_a_receiver_cost_little(void **state)
{
    (void)state;
    begin(0, FULL);
    begin(1, FULL);
    driver_queue_init(&rx[1], &memory[1], RAM_GPA + 0xc0000, 1024);
    assert_int_equal(hand_over(1, VHOST_RX, &rx[1]), VHOST_OK);
    provide(1, 64, 1);
    driver_set_desc(&rx[1], 64, RAM_GPA + RAM_SIZE, 1, VRING_DESC_F_WRITE, 0);
    driver_offer(&rx[1], 64);
    for (uint16_t i = 65; i < 1024; i++) {
        driver_set_desc(&rx[1], i, RX_DATA, 1, VRING_DESC_F_WRITE, 0);
        driver_offer(&rx[1], i);
    }
    for (int i = 0; i < 3; i++) {
        send(0, 1, 100);
        assert_int_equal(pages[1]->failed, 0);
        rx[1].desc[0].len = 2048;
    }
    got_nothing(1);
    notified(LOG);
    assert_non_null(strstr(said(), "receiver's buffers too small 3"));
    all_sent(0);
    begin(1, FULL); /* a new driver has other buffers */
    provide(1, 1, 2048);
    send(0, 1, 100);
    got(1, &no_offload, 0, 1, 100);
}

/* After each turn a sender that wants to know hears of it. */
static unsigned turns;

static void count_turn(microkit_channel ch)
{
    if (ch == CHANNEL) {
        turns++;
        pages[0]->interrupt = 0;
    }
}

/*
 * Frames in many pieces count for more: who sends them has turns of fewer. The same chain is
 * offered again and again, as it costs its sender least.
 */
static void crumbs_of_a_sender_shorten_its_turn(void **state)
{
    (void)state;
    static const uint16_t pieces[] = {1, 19, 64};
    static const unsigned expected[] = {1, 1, 3};
    struct vring_desc *table = driver_memory(&memory[0], TABLE);

    for (unsigned i = 0; i < 3; i++) {
        uint16_t last = (uint16_t)(pieces[i] - 1);

        begin(0, FULL);
        begin(1, FULL);
        provide(1, 32, 1024);
        make(driver_memory(&memory[0], TX_DATA), &no_offload, 0, 1, 60);
        for (uint16_t k = 0; k < last; k++) {
            table[k] = (struct vring_desc){TX_DATA + k, 1, VRING_DESC_F_NEXT, (uint16_t)(k + 1)};
        }
        table[last] = (struct vring_desc){TX_DATA + last, HEADER + 60u - last, 0, 0};
        driver_set_desc(&tx[0], 0, TABLE, pieces[i] * 16u, VRING_DESC_F_INDIRECT, 0);
        for (int k = 0; k < 32; k++) {
            driver_offer(&tx[0], 0);
        }
        turns = 0;
        fake.on_notify = count_turn;
        kick(0);
        assert_int_equal(turns, expected[i]);
        for (int k = 0; k < 32; k++) {
            got(1, &no_offload, 0, 1, 60);
        }
    }
}

static void unmergeable_buffer_too_small_is_not_used(void **state)
{
    (void)state;
    begin(0, FULL);
    begin(1, PLAIN);
    provide(1, 4, 200);
    send(0, 1, 300);
    got_nothing(1);
    send(0, 1, 100);
    got(1, &no_offload, 0, 1, 100);
}

static void filter_holds_frames_back(void **state)
{
    (void)state;
    const uint64_t features = FULL | F(VIRTIO_NET_F_CTRL_RX_EXTRA);

    begin(0, FULL);
    begin(1, features);
    provide(1, 4, 2048);
    pages[1]->command[0] = 0;
    assert_int_equal(CALL(1, VHOST_COMMAND, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1, 1),
                     VHOST_OK);
    pages[1]->command[0] = 1;
    assert_int_equal(CALL(1, VHOST_COMMAND, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, 1, 1),
                     VHOST_OK);
    send(0, -1, 60);
    got_nothing(1);
    send(0, 1, 60);
    got(1, &no_offload, 0, 1, 60);
    /* A new start forgets it. */
    begin(1, features);
    provide(1, 1, 2048);
    send(0, -1, 60);
    got(1, &no_offload, 0, -1, 60);
}

/* ---- Interrupts and kicks ---- */

static void interrupts_are_passed_on_once(void **state)
{
    (void)state;
    begin(0, FULL | F(VIRTIO_RING_F_EVENT_IDX));
    begin(1, FULL | F(VIRTIO_RING_F_EVENT_IDX));
    provide(1, 8, 2048);
    *driver_used_event(&tx[0]) = 0x7fff;
    *driver_used_event(&rx[1]) = 0;
    send(0, 1, 60);
    assert_int_equal(fake_notified(CHANNEL + 0), 0);
    assert_int_equal(pages[0]->interrupt, 0);
    assert_int_equal(fake_notified(CHANNEL + 1), 1);
    assert_int_equal(pages[1]->interrupt, 1);
    send(0, 1, 60); /* the guest has not asked again */
    assert_int_equal(fake_notified(CHANNEL + 1), 1);
    *driver_used_event(&rx[1]) = 2;
    send(0, 1, 60); /* the monitor has not taken the first */
    assert_int_equal(fake_notified(CHANNEL + 1), 1);
    pages[1]->interrupt = 0;
    *driver_used_event(&rx[1]) = 3;
    send(0, 1, 60);
    assert_int_equal(fake_notified(CHANNEL + 1), 2);
}

/* A monitor that coalesces: sent frames are given back later, or with what is received. */
static void sent_frames_are_signalled_later(void **state)
{
    (void)state;
    begin(0, FULL | F(VIRTIO_RING_F_EVENT_IDX));
    begin(1, FULL);
    provide(0, 2, 2048);
    pages[0]->coalescing = 1;
    for (unsigned i = 0; i < 5; i++) {
        send(0, 1, 60);
    }
    assert_int_equal(driver_used_idx(&tx[0]), 0);
    assert_int_equal(fake_notified(CHANNEL + 0), 0);
    pages[0]->coalescing = 0;
    kick(0);
    all_sent(0);
    assert_int_equal(fake_notified(CHANNEL + 0), 1);
    pages[0]->coalescing = 1;
    pages[0]->interrupt = 0;
    send(0, 1, 60);
    assert_int_equal(driver_used_idx(&tx[0]), 5);
    send(1, 0, 60);
    all_sent(0);
    assert_int_equal(fake_notified(CHANNEL + 0), 2);
    for (unsigned i = 0; i < SIZE / TX_UNSIGNALLED_SHARE; i++) {
        assert_int_equal(driver_used_idx(&tx[0]), 6);
        send(0, 1, 60);
    }
    all_sent(0);
}

static void kicks_are_asked_for_when_there_is_no_more(void **state)
{
    (void)state;
    begin(0, FULL | F(VIRTIO_RING_F_EVENT_IDX));
    assert_int_equal(driver_avail_event(&tx[0]), 0);
    for (uint16_t i = 1; i < 10; i++) {
        send(0, 1, 60);
        assert_int_equal(driver_avail_event(&tx[0]), i);
    }
}

/* A monitor that polls wants a kick only when several frames wait. */
static void kicks_are_delayed_while_the_monitor_polls(void **state)
{
    (void)state;
    begin(0, FULL | F(VIRTIO_RING_F_EVENT_IDX));
    pages[0]->polling = 1;
    send(0, 1, 60);
    assert_int_equal(driver_avail_event(&tx[0]), 1 + TX_POLLING_KICK_DELAY);
    pages[0]->polling = 0;
    kick(0);
    assert_int_equal(driver_avail_event(&tx[0]), 1);
}

/* A large frame is published even while the monitor coalesces; its interrupt comes later. */
static void large_frames_are_published_at_once(void **state)
{
    (void)state;
    begin(0, FULL | F(VIRTIO_RING_F_EVENT_IDX));
    pages[0]->coalescing = 1;
    send(0, 1, 60);
    assert_int_equal(driver_used_idx(&tx[0]), 0);
    put(0, &no_offload, 1, TX_PUBLISH_BYTES - HEADER, 3, 0);
    kick(0);
    all_sent(0);
    assert_int_equal(fake_notified(CHANNEL + 0), 0);
    pages[0]->coalescing = 0;
    kick(0);
    assert_int_equal(fake_notified(CHANNEL + 0), 1);
}

/* ---- Start and stop ---- */

static void nothing_is_touched_before_start_and_after_stop(void **state)
{
    (void)state;
    static uint8_t before[RAM_SIZE];

    begin(0, FULL);
    begin(1, FULL);
    provide(1, 4, 2048);
    assert_int_equal(CALL(1, VHOST_STOP, ), VHOST_OK);
    put(1, &no_offload, 0, 60, 1, 0);
    memcpy(before, memory[1].base, RAM_SIZE);
    send(0, 1, 60);
    send(0, -1, 60);
    kick(1);
    assert_memory_equal(before, memory[1].base, RAM_SIZE);
    /* What needs a start is refused. */
    assert_int_equal(CALL(1, VHOST_ACCEPTS, ALL), VHOST_REFUSED);
    assert_int_equal(hand_over(1, VHOST_RX, &rx[1]), VHOST_REFUSED);
    assert_int_equal(CALL(1, VHOST_COMMAND, 0, 0, 0, 0), VHOST_REFUSED);
    kick(1);
    assert_memory_equal(before, memory[1].base, RAM_SIZE);
    begin(1, FULL);
    provide(1, 1, 2048);
    send(0, 1, 60);
    got(1, &no_offload, 0, 1, 60);
}

static void dropped_queue_is_touched_no_more(void **state)
{
    (void)state;
    begin(0, FULL);
    begin(1, FULL);
    provide(1, 2, 2048);
    assert_int_equal(CALL(1, VHOST_DROP, VHOST_RX), VHOST_OK);
    send(0, 1, 60);
    got_nothing(1);
    provide(0, 1, 2048);
    send(1, 0, 60); /* the other one works on */
    got(0, &no_offload, 1, 0, 60);
    assert_int_equal(CALL(1, VHOST_DROP, VHOST_QUEUES), VHOST_REFUSED);
}

/* ---- Monitors that break the rules ---- */

static void nonsense_of_a_monitor_is_refused(void **state)
{
    (void)state;
    const uint64_t end = RAM_GPA + RAM_SIZE;

    begin(0, FULL);
    for (uint64_t label = 0; label < 10; label++) {
        for (uint32_t count = 0; count < 8; count++) {
            static const uint8_t right[] = {99, 1, 5, 1, 0, 1, 4, 99, 99, 99};

            if (count != right[label]) {
                assert_int_equal(call(0, label, count, (uint64_t[8]){0}), VHOST_REFUSED);
            }
        }
    }
    const uint64_t bad[][5] = {
        {2, SIZE, RX_GPA, RX_GPA + 0x800, RX_GPA + 0x900},
        {UINT64_MAX, SIZE, RX_GPA, RX_GPA + 0x800, RX_GPA + 0x900},
        {0, 0, RX_GPA, RX_GPA + 0x800, RX_GPA + 0x900},
        {0, 63, RX_GPA, RX_GPA + 0x800, RX_GPA + 0x900},
        {0, 2048, RX_GPA, RX_GPA + 0x800, RX_GPA + 0x900},
        {0, (1ull << 32) + SIZE, RX_GPA, RX_GPA + 0x800, RX_GPA + 0x900},
        {0, SIZE, RX_GPA + 1, RX_GPA + 0x800, RX_GPA + 0x900},
        {0, SIZE, end, RX_GPA + 0x800, RX_GPA + 0x900},
        {0, SIZE, end - 16, RX_GPA + 0x800, RX_GPA + 0x900},
        {0, SIZE, RX_GPA, end - 2, RX_GPA + 0x900},
        {0, SIZE, RX_GPA, RX_GPA + 0x800, end - 4},
        {0, SIZE, RAM_GPA - 16, RX_GPA + 0x800, RX_GPA + 0x900},
        {0, SIZE, UINT64_MAX - 15, RX_GPA + 0x800, RX_GPA + 0x900},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(call(0, VHOST_QUEUE, 5, bad[i]), VHOST_REFUSED);
    }
    assert_int_equal(CALL(0, VHOST_COMMAND, 256, 0, 1, 1), VHOST_REFUSED);
    assert_int_equal(CALL(0, VHOST_COMMAND, 0, 0, VHOST_COMMAND_SIZE + 1, 4000), VHOST_REFUSED);
    assert_int_equal(CALL(0, VHOST_COMMAND, 0, 0, UINT64_MAX, UINT64_MAX), VHOST_REFUSED);
    assert_int_equal(CALL(0, VHOST_COMMAND, 1, 0, 64, 8), VHOST_REFUSED);
    /* A port with rings has no such calls, and neither has a channel without a port. */
    assert_int_equal(CALL(RINGS, VHOST_START, FULL), VHOST_REFUSED);
    assert_int_equal(CALL(GUESTS + 20, VHOST_START, FULL), VHOST_REFUSED);
    others_are_untouched(0);
}

/* ---- Guests that break the rules ---- */

static void fails_with(int guest, const char *cause)
{
    kick(guest);
    assert_int_equal(pages[guest]->failed, 1);
    assert_true(fake_notified(CHANNEL + (microkit_channel)guest) > 0);
    assert_non_null(strstr(pages[guest]->cause, cause));
    pages[guest]->failed = 0;
}

static void hostile_rings_stop_their_own_port(void **state)
{
    (void)state;
    const uint64_t end = RAM_GPA + RAM_SIZE;
    const struct {
        uint64_t gpa;
        uint32_t length;
        uint16_t flags;
        uint16_t next;
        const char *cause;
    } cases[] = {
        {end, 100, 0, 0, "outside"},
        {end - 50, 100, 0, 0, "outside"},
        {RAM_GPA - 1, 100, 0, 0, "outside"},
        {RAM_GPA - RAM_SIZE, 100, 0, 0, "outside"},
        {end + RAM_SIZE, 100, 0, 0, "outside"},
        {UINT64_MAX, 100, 0, 0, "outside"},
        {RAM_GPA, UINT32_MAX, 0, 0, "outside"},
        {RAM_GPA, 0, 0, 0, "length 0"},
        {RAM_GPA, 100, VRING_DESC_F_NEXT, 0, "loop"},
        {RAM_GPA, 100, VRING_DESC_F_NEXT, SIZE, "beyond"},
        {RAM_GPA, 100, VRING_DESC_F_WRITE, 0, "writable"},
        {end - 16, 32, VRING_DESC_F_INDIRECT, 0, "outside"},
        {RAM_GPA, 17, VRING_DESC_F_INDIRECT, 0, "impossible length"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(0, FULL);
        driver_set_desc(&tx[0], 0, cases[i].gpa, cases[i].length, cases[i].flags, cases[i].next);
        driver_offer(&tx[0], 0);
        fails_with(0, cases[i].cause);
        others_are_untouched(0);
    }
    begin(0, FULL);
    driver_offer(&tx[0], SIZE);
    fails_with(0, "beyond");
    begin(0, FULL);
    *driver_avail_idx(&tx[0]) = SIZE + 1;
    fails_with(0, "index");
    /* It has said nothing in the switch's name, and is served again after a new start. */
    assert_string_equal(said(), "");
    begin(0, FULL);
    begin(1, FULL);
    provide(1, 1, 2048);
    send(0, 1, 60);
    got(1, &no_offload, 0, 1, 60);
}

static void hostile_receiver_reaches_nothing(void **state)
{
    (void)state;
    static const struct {
        int64_t offset; /* of the buffer, from the end of RAM */
        uint32_t length;
        uint16_t flags;
    } cases[] = {
        {0, 2048, VRING_DESC_F_WRITE},
        {-100, 2048, VRING_DESC_F_WRITE},
        {RAM_SIZE, 2048, VRING_DESC_F_WRITE},
        {-(int64_t)RAM_SIZE - 2048, 2048, VRING_DESC_F_WRITE},
        {-(int64_t)RAM_SIZE - 16, 2048, VRING_DESC_F_WRITE},
        {-4096, 2048, 0},
    };
    static uint8_t before[RAM_SIZE];

    begin(0, FULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(1, FULL);
        driver_set_desc(&rx[1], 0, RAM_GPA + RAM_SIZE + (uint64_t)cases[i].offset, cases[i].length,
                        cases[i].flags, 0);
        driver_offer(&rx[1], 0);
        put(0, &no_offload, 1, 1000, 1, 0);
        memcpy(before, memory[0].base, RAM_SIZE);
        kick(0);
        assert_int_equal(pages[1]->failed, 1);
        pages[1]->failed = 0;
        all_sent(0); /* the sender does not feel it: of its memory only the used ring has changed */
        memcpy(before + (tx[0].used_gpa - RAM_GPA), tx[0].used, 6 + 8 * SIZE);
        assert_memory_equal(before, memory[0].base, RAM_SIZE);
        for (uint32_t k = 0; k < RAM_SIZE; k++) {
            assert_int_equal(memory[2].base[k], CANARY);
            assert_int_equal(ram[k], CANARY);
        }
    }
}

static void bad_frames_are_dropped_and_named(void **state)
{
    (void)state;
    struct virtio_net_hdr_v1 header = large;
    struct driver_buffer crumb = {TX_DATA, 5};
    struct driver_buffer huge = {TX_DATA, 0x70000};

    begin(0, MERGE);
    begin(1, FULL);
    provide(1, 60, 1536);
    put(0, &header, 1, 2000, 1, 0);
    kick(0);
    assert_non_null(strstr(said(), "partial checksum without the feature"));
    begin(0, FULL);
    header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
    put(0, &header, 1, 2000, 1, 0);
    kick(0);
    assert_non_null(strstr(said(), "large segment without the feature"));
    driver_add(&tx[0], &crumb, 1, 0);
    kick(0);
    assert_non_null(strstr(said(), "shorter than its Ethernet header"));
    driver_add(&tx[0], &huge, 1, 0);
    kick(0);
    assert_non_null(strstr(said(), "too long"));
    put(0, &no_offload, 1, 1519, 1, 0);
    kick(0);
    assert_non_null(strstr(said(), "too long"));
    put(0, &no_offload, 1, 100, 1, 0);
    *((uint8_t *)driver_memory(&memory[0], TX_DATA) + HEADER + 11) = 2; /* vm2's address */
    kick(0);
    assert_non_null(strstr(said(), "not the port's"));
    all_sent(0);
    got_nothing(1);
    assert_int_equal(pages[0]->failed, 0);
}

/* Rings of chance: whatever they say, nobody else's memory is read into frames or written to. */
static void noise_stays_in_its_own_memory(void **state)
{
    (void)state;
    uint32_t seed = 1;

    for (int round = 0; round < 3000; round++) {
        begin(0, FULL | (round % 2 ? F(VIRTIO_RING_F_EVENT_IDX) : 0));
        for (uint32_t i = 0; i < SIZE; i++) {
            seed = seed * 1664525u + 1013904223u;
            uint64_t gpa = RAM_GPA + (seed >> 8) % (RAM_SIZE + 0x1000) - (seed % 16 == 0 ? 64 : 0);
            uint32_t length = seed >> 4 & 0x7ff;
            uint16_t flags = (uint16_t)(seed >> 24 & (seed % 8 == 0 ? 7 : 1));

            driver_set_desc(&tx[0], (uint16_t)i, gpa, length, flags, (uint16_t)(seed >> 16 & 63));
            driver_set_desc(&rx[0], (uint16_t)i, gpa, length, flags | VRING_DESC_F_WRITE,
                            (uint16_t)(seed >> 18 & 63));
            driver_offer(&tx[0], (uint16_t)(seed >> 5 & (SIZE - 1)));
            driver_offer(&rx[0], (uint16_t)(seed >> 6 & (SIZE - 1)));
        }
        kick(0);
        uint8_t *room = ring_reserve(&ring_tx, HEADER + 1000);
        make(room, &no_offload, RINGS, 0, 1000);
        ring_commit(&ring_tx);
        notified(CHANNEL + RINGS);
        pages[0]->failed = 0;
        pages[0]->interrupt = 0;
    }
    others_are_untouched(0);
}

/* ---- Limits ---- */

#define TIMER 61
#define RATE  1250000u

static uint64_t deadline; /* that the timer's driver has */

static microkit_msginfo timer_call(microkit_channel ch, microkit_msginfo msginfo)
{
    assert_int_equal(ch, TIMER);
    assert_int_equal(microkit_msginfo_get_label(msginfo), TIMER_SET);
    deadline = microkit_mr_get(0);
    return microkit_msginfo_new(0, 0);
}

static void expire(void)
{
    assert_in_range(deadline, fake.counter + 1, fake.counter + fake.frequency);
    fake.counter = deadline;
    deadline = TIMER_NEVER;
    notified(TIMER);
}

/* A new switch, on which vm0 and vm1 have limits of 10 Mbit/s; bursts are as short as they can be.
 */
static void begin_limited(void)
{
    static _Alignas(4096) uint8_t queue[RING_HEADER_SIZE + RING_SIZE];

    memset(queue, 0, sizeof(queue));
    fake.ppcall = timer_call;
    deadline = TIMER_NEVER;
    config.has_timer = true;
    config.timer_channel = TIMER;
    config.ports[0].send_rate = RATE;
    config.ports[1].receive_rate = RATE;
    config.ports[1].queue = queue;
    config.ports[1].queue_size = RING_SIZE;
    config.ports[0].burst_us = config.ports[1].burst_us = 1;
    init();
}

static void limited_sender_keeps_its_chains(void **state)
{
    (void)state;
    begin_limited();
    begin(0, FULL | F(VIRTIO_RING_F_EVENT_IDX));
    begin(2, FULL);
    provide(2, 8, 2048);
    for (int i = 0; i < 4; i++) {
        put(0, &no_offload, 2, 1000, 3, 0);
    }
    kick(0);
    for (int i = 0; i < 4; i++) {
        got(2, &no_offload, 0, 2, 1000);
        got_nothing(2);
        kick(0);
        got_nothing(2);
        if (i < 3) {
            expire();
        }
    }
    all_sent(0);
    expire(); /* and now it asks to be kicked */
    assert_int_equal(driver_avail_event(&tx[0]), *driver_avail_idx(&tx[0]));
}

static void large_segments_wait_for_a_limited_receiver(void **state)
{
    (void)state;
    begin_limited();
    begin(0, FULL);
    begin(1, FULL);
    begin(2, FULL);
    provide(1, 40, 4096);
    provide(2, 4, 2048);
    put(2, &large, 1, 30000, 8, 0);
    kick(2);
    got(1, &large, 2, 1, 30000);
    put(2, &large, 1, 31000, 8, 0);
    kick(2);
    all_sent(2); /* its sender does not wait */
    got_nothing(1);
    send(1, 2, 60); /* nor does the receiver, with what it sends */
    got(2, &no_offload, 1, 2, 60);
    expire();
    got(1, &large, 2, 1, 31000);
    got_nothing(1);
}

/* Nothing that has waited is written into the memory of a guest that has stopped. */
static void limited_receiver_that_stops(void **state)
{
    (void)state;
    begin_limited();
    begin(1, FULL);
    begin(2, FULL);
    provide(1, 8, 2048);
    send(2, 1, 1000);
    got(1, &no_offload, 2, 1, 1000);
    send(2, 1, 1001);
    assert_int_equal(CALL(1, VHOST_STOP), VHOST_OK);
    memset(memory[1].base, CANARY, RAM_SIZE);
    expire();
    for (uint32_t k = 0; k < RAM_SIZE; k++) {
        assert_int_equal(ram[2 * RAM_SIZE + k], CANARY);
    }
    assert_int_equal(deadline, TIMER_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_pass_in_all_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(frames_are_as_long_as_the_mtu_lets_them, setup, teardown),
        cmocka_unit_test_setup_teardown(long_frames_need_long_buffers, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_are_no_larger_than_the_mtu, setup, teardown),
        cmocka_unit_test_setup_teardown(large_segment_fills_many_buffers, setup, teardown),
        cmocka_unit_test_setup_teardown(chain_of_crumbs_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(indirect_table_is_walked, setup, teardown),
        cmocka_unit_test_setup_teardown(both_kinds_of_ports_meet, setup, teardown),
        cmocka_unit_test_setup_teardown(broadcast_reaches_all_that_listen, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_are_cut_for_those_that_need_it, setup, teardown),
        cmocka_unit_test_setup_teardown(receiver_without_buffers_loses_frames_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(crumbs_of_a_receiver_cost_little, setup, teardown),
        cmocka_unit_test_setup_teardown(crumbs_of_a_sender_shorten_its_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(unmergeable_buffer_too_small_is_not_used, setup, teardown),
        cmocka_unit_test_setup_teardown(filter_holds_frames_back, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupts_are_passed_on_once, setup, teardown),
        cmocka_unit_test_setup_teardown(sent_frames_are_signalled_later, setup, teardown),
        cmocka_unit_test_setup_teardown(kicks_are_asked_for_when_there_is_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(kicks_are_delayed_while_the_monitor_polls, setup, teardown),
        cmocka_unit_test_setup_teardown(large_frames_are_published_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_touched_before_start_and_after_stop, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(dropped_queue_is_touched_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_of_a_monitor_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_rings_stop_their_own_port, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_receiver_reaches_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_frames_are_dropped_and_named, setup, teardown),
        cmocka_unit_test_setup_teardown(noise_stays_in_its_own_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(limited_sender_keeps_its_chains, setup, teardown),
        cmocka_unit_test_setup_teardown(large_segments_wait_for_a_limited_receiver, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(limited_receiver_that_stops, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
