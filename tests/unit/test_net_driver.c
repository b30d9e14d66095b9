/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/net/net.c drivers/net/virtio_net.c lib/virtio_bus.c lib/vring_driver.c
 * SOURCES: lib/ring.c lib/log.c lib/token_bucket.c lib/offload.c lib/checksum.c lib/tcp_checksum.c
 * SOURCES: tests/unit/fake/virtio_device.c tests/unit/fake/net_switch.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * The card's driver between a switch that may be hostile and a card that may be broken.
 */

#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/net/config.h"
#include "lib/net_port.h"
#include "lib/ring.h"
#include "tests/unit/fake/net_switch.h"
#include "tests/unit/fake/virtio_device.h"

enum { RX, TX };

#define IRQ          0
#define SWITCH       1
#define FEATURE(bit) (1ULL << (bit))

#define BASIC                                                                                      \
    (FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_NET_F_MAC) | FEATURE(VIRTIO_NET_F_STATUS))
#define USUAL (BASIC | FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_NET_F_MRG_RXBUF))
#define OFFLOADS                                                                                   \
    (FEATURE(VIRTIO_NET_F_CSUM) | FEATURE(VIRTIO_NET_F_HOST_TSO4) |                                \
     FEATURE(VIRTIO_NET_F_HOST_TSO6) | FEATURE(VIRTIO_NET_F_GUEST_CSUM) |                          \
     FEATURE(VIRTIO_NET_F_GUEST_TSO4) | FEATURE(VIRTIO_NET_F_GUEST_TSO6))

static _Alignas(4096) uint8_t dma[NET_DRIVER_DMA_SIZE];
static uint64_t dma_paddr;

const struct net_driver_config net_driver_config = {
    .registers = FAKE_VIRTIO_REGISTERS,
    .irq_channel = IRQ,
    .switch_channel = SWITCH,
    .to_switch = up,
    .from_switch = down,
    .ring_size = SWITCH_RING,
    .dma = dma,
    .dma_paddr = &dma_paddr,
};

static struct virtio_net_config space;

static void prepare(uint64_t offered)
{
    fake_virtio_reset(VIRTIO_ID_NET, offered);
    memset(&space, 0, sizeof(space));
    space.status = VIRTIO_NET_S_LINK_UP;
    space.mac[0] = 0x52;
    space.mac[5] = 0x56;
    space.mtu = 1500;
}

/* The driver starts with the card that `prepare` made. */
static void begin(void)
{
    fake_reset();
    switch_reset();
    memset(dma, 0, sizeof(dma));
    dma_paddr = (uintptr_t)dma;
    memcpy(fake_virtio.config, &space, sizeof(space));
    init();
}

static void begin_with(uint64_t offered)
{
    prepare(offered);
    begin();
}

static int set_up(void **state)
{
    (void)state;
    begin_with(USUAL);
    return 0;
}

static void interrupt(uint32_t causes)
{
    fake_virtio.interrupts |= causes;
    notified(IRQ);
}

/* ---- The card ---- */

/* The card receives a record of `count` bytes, in as many buffers as it takes; false: no buffer. */
static bool card_receives(const void *record, uint32_t count)
{
    const uint8_t *from = record;
    struct virtio_net_hdr_v1 *header = NULL;
    struct fake_virtio_chain chain;
    uint16_t buffers = 0;

    do {
        uint32_t part;

        if (!fake_virtio_pop(RX, &chain)) {
            return false;
        }
        assert_int_equal(chain.readable, 0);
        assert_int_equal(chain.writable, 1);
        part = chain.writable_bytes < count ? chain.writable_bytes : count;
        memcpy(chain.segment[0].data, from, part);
        if (header == NULL) {
            header = (void *)chain.segment[0].data;
        }
        header->num_buffers = ++buffers;
        fake_virtio_push(RX, chain.head, part);
        from += part;
        count -= part;
    } while (count > 0);
    return true;
}

static void receive(uint32_t length, uint8_t seed)
{
    make(length, seed);
    assert_true(card_receives(record, SWITCH_HEADER + length));
    interrupt(0);
}

/* ---- The switch ---- */

static void send(uint32_t length, uint8_t seed)
{
    make(length, seed);
    assert_true(put(SWITCH_HEADER + length));
    notified(SWITCH);
}

static struct fake_virtio_chain sent;

/* The card takes a frame to send; false if there is none. The frame must be as it was made. */
static bool card_sends(uint32_t length, uint8_t seed)
{
    if (!fake_virtio_pop(TX, &sent)) {
        return false;
    }
    make(length, seed);
    assert_int_equal(sent.writable, 0);
    assert_int_equal(sent.readable, 1);
    assert_int_equal(sent.readable_bytes, SWITCH_HEADER + length);
    assert_memory_equal(sent.segment[0].data + SWITCH_HEADER, record + SWITCH_HEADER, length);
    return true;
}

static bool card_sends_nothing(void)
{
    struct fake_virtio_chain chain;

    return !fake_virtio_pop(TX, &chain);
}

/* ---- Start ---- */

static void what_the_card_offers_is_what_the_switch_is_told(void **state)
{
    (void)state;
    begin_with(USUAL);
    assert_int_equal(accepts(), NET_PORT_UP);
    assert_true(has_said("card 52:00:00:00:00:56"));
    begin_with(USUAL | OFFLOADS);
    assert_int_equal(accepts(), NET_PORT_UP | NET_PORT_CSUM | NET_PORT_TSO4 | NET_PORT_TSO6);
    begin_with(USUAL | OFFLOADS | FEATURE(VIRTIO_NET_F_HOST_ECN));
    assert_int_equal(accepts(),
                     NET_PORT_UP | NET_PORT_CSUM | NET_PORT_TSO4 | NET_PORT_TSO6 | NET_PORT_ECN);
    begin_with(FEATURE(VIRTIO_F_VERSION_1));
    assert_int_equal(accepts(), NET_PORT_UP);
    /* What the driver does not know it does not take. */
    assert_int_equal(fake_virtio.accepted, FEATURE(VIRTIO_F_VERSION_1));
    begin_with(USUAL | FEATURE(VIRTIO_NET_F_CTRL_VQ) | FEATURE(VIRTIO_NET_F_MQ));
    assert_int_equal(fake_virtio.accepted, USUAL);
}

static void without_a_card_the_port_stays_down(void **state)
{
    (void)state;
    begin_with(0); /* a legacy one */
    assert_int_equal(accepts(), 0);
    assert_true(has_said("no card: "));
    fake_virtio_reset(0, 0);
    begin();
    assert_int_equal(accepts(), 0);
    assert_true(has_said("there is no device in its slot"));
    prepare(USUAL);
    fake_virtio.queue[TX].size_max = 2;
    begin();
    assert_int_equal(accepts(), 0);
    prepare(USUAL);
    fake_virtio.queue[RX].refused = true;
    begin();
    assert_int_equal(accepts(), 0);
    prepare(USUAL);
    fake_virtio.generation_step = 1;
    begin();
    assert_int_equal(accepts(), 0);
    interrupt(VIRTIO_MMIO_INT_VRING); /* whoever interrupts */
    make(60, 1);
    assert_true(put(SWITCH_HEADER + 60));
    notified(SWITCH);
    assert_int_equal(fake.irq_acks[IRQ], 0);
}

static void small_mtu_is_said(void **state)
{
    (void)state;
    prepare(USUAL | FEATURE(VIRTIO_NET_F_MTU));
    space.mtu = 1280;
    begin();
    assert_true(has_said("its MTU is 1280"));
}

static void link_goes_down_and_up(void **state)
{
    (void)state;
    fake_virtio.config[offsetof(struct virtio_net_config, status)] = 0;
    interrupt(VIRTIO_MMIO_INT_CONFIG);
    assert_int_equal(accepts(), 0);
    assert_true(has_said("the link is down"));
    send(60, 1); /* too late: it is gone, and in nobody's way */
    assert_true(card_sends_nothing());
    fake_virtio.config[offsetof(struct virtio_net_config, status)] = VIRTIO_NET_S_LINK_UP;
    interrupt(VIRTIO_MMIO_INT_CONFIG);
    assert_int_equal(accepts(), NET_PORT_UP);
    send(60, 2);
    assert_true(card_sends(60, 2));
}

/* ---- Frames ---- */

static const uint32_t lengths[] = {14, 60, 1500, 1514, 1518};
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static void frames_go_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LENGTHS; i++) {
        unsigned kicks = fake_virtio.queue[TX].notified;

        send(lengths[i], (uint8_t)i);
        assert_int_equal(fake_virtio.queue[TX].notified, kicks + 1);
        assert_true(card_sends(lengths[i], (uint8_t)i));
        fake_virtio_push(TX, sent.head, 0);
    }
}

static void batch_is_one_kick(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 50; i++) {
        make(1514, i);
        assert_true(put(SWITCH_HEADER + 1514));
    }
    notified(SWITCH);
    assert_int_equal(fake_virtio.queue[TX].notified, 1);
    for (uint8_t i = 0; i < 50; i++) {
        assert_true(card_sends(1514, i));
    }
}

static void frames_come_in(void **state)
{
    static const uint32_t odd[] = {0, 1, 13, 14, 60, 1514, 1515, 4084, 4085, 9000, 65553};

    (void)state;
    for (int mergeable = 0; mergeable < 2; mergeable++) {
        begin_with(USUAL | OFFLOADS);
        if (!mergeable) {
            begin_with((USUAL | OFFLOADS) & ~FEATURE(VIRTIO_NET_F_MRG_RXBUF));
        }
        for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
            receive(odd[i], (uint8_t)i); /* what is no frame is for the switch to say */
            assert_true(got(odd[i], (uint8_t)i));
            assert_true(got_nothing());
        }
    }
}

static void buffers_are_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        receive(1514, (uint8_t)i);
        assert_true(got(1514, (uint8_t)i));
        send(1514, (uint8_t)i);
        assert_true(card_sends(1514, (uint8_t)i));
        fake_virtio_push(TX, sent.head, 0);
    }
}

static void small_buffers_without_merging_or_segments(void **state)
{
    (void)state;
    begin_with(BASIC);
    receive(1518, 3);
    assert_true(got(1518, 3));
}

static void record_longer_than_any_is_dropped(void **state)
{
    (void)state;
    make(65554, 1);
    assert_true(card_receives(record, SWITCH_HEADER + 65554));
    receive(60, 2);
    assert_true(got(60, 2));
    assert_true(got_nothing());
}

/* An IPv4 packet with a TCP header and nothing else. */
static const uint8_t segment[] = {
    0x52, 0, 0,    0, 0,  1, 0x52, 0,    0,  0, 0,    2,    0x08, 0, 0x45, 0,    0, 40,
    0,    0, 0x40, 0, 64, 6, 0x26, 0xce, 10, 0, 0,    1,    10,   0, 0,    2,    0, 80,
    0,    1, 0,    0, 0,  0, 0,    0,    0,  0, 0x50, 0x10, 0,    0, 0x9b, 0x81, 0, 0,
};

/* The flags of the record that the switch gets, with padding; `damage` is the packet's last byte.
 */
static uint8_t flags_of_received(uint32_t length, uint8_t flags, uint8_t damage)
{
    const struct virtio_net_hdr_v1 *header;
    uint32_t count;
    uint8_t seen;

    make(length, 0);
    memcpy(record + SWITCH_HEADER, segment, sizeof(segment));
    record[SWITCH_HEADER + sizeof(segment) - 1] = damage;
    record[0] = flags;
    assert_true(card_receives(record, SWITCH_HEADER + length));
    interrupt(0);
    header = ring_peek(&from_driver, &count);
    assert_non_null(header);
    assert_int_equal(count, SWITCH_HEADER + length);
    seen = header->flags;
    ring_release(&from_driver);
    return seen;
}

static void checksums_that_are_right_are_said_to_be(void **state)
{
    (void)state;
    assert_int_equal(flags_of_received(256, 0, 0), VIRTIO_NET_HDR_F_DATA_VALID);
    assert_int_equal(flags_of_received(256, 0, 1), 0);
    assert_int_equal(flags_of_received(256, VIRTIO_NET_HDR_F_NEEDS_CSUM, 0),
                     VIRTIO_NET_HDR_F_NEEDS_CSUM);
}

static void checksums_of_short_frames_are_left_to_who_receives_them(void **state)
{
    (void)state;
    assert_int_equal(flags_of_received(sizeof(segment), 0, 0), 0);
    assert_int_equal(flags_of_received(255, 0, 0), 0);
}

static void receive_too_long(int count)
{
    make(65554, 1);
    for (int i = 0; i < count; i++) {
        assert_true(card_receives(record, SWITCH_HEADER + 65554));
        interrupt(0);
    }
}

static void records_longer_than_any_and_nothing_else_are_the_end(void **state)
{
    (void)state;
    receive_too_long(511);
    receive(60, 2);
    assert_true(got(60, 2));
    receive_too_long(511);
    assert_int_equal(accepts(), NET_PORT_UP);
    receive_too_long(1);
    assert_int_equal(accepts(), 0);
    assert_true(has_said("the card is given up: all that the device receives is too long"));
}

static void interrupts_without_a_cause_are_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < 999; i++) {
        interrupt(VIRTIO_MMIO_INT_VRING);
    }
    receive(60, 1);
    for (int i = 0; i < 999; i++) {
        interrupt(VIRTIO_MMIO_INT_CONFIG); /* in which nothing has changed */
    }
    assert_int_equal(accepts(), NET_PORT_UP);
    interrupt(VIRTIO_MMIO_INT_VRING);
    unsigned acks = fake.irq_acks[IRQ];
    assert_int_equal(accepts(), 0);
    assert_true(has_said("the card is given up: it interrupts without a cause"));
    interrupt(VIRTIO_MMIO_INT_VRING);
    assert_int_equal(fake.irq_acks[IRQ], acks);
}

/* As many, but with pauses between: they cost next to nothing. */
static void interrupts_now_and_then_are_no_storm(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        fake.counter += fake.frequency / 9;
        interrupt(VIRTIO_MMIO_INT_CONFIG);
    }
    assert_int_equal(accepts(), NET_PORT_UP);
    assert_int_equal(fake.irq_acks[IRQ], 5000);
}

static void record_in_pieces_waits_for_the_last(void **state)
{
    struct fake_virtio_chain chain[2];
    struct virtio_net_hdr_v1 *header;

    (void)state;
    make(6000, 9);
    for (int i = 0; i < 2; i++) {
        assert_true(fake_virtio_pop(RX, &chain[i]));
    }
    memcpy(chain[0].segment[0].data, record, 4096);
    memcpy(chain[1].segment[0].data, record + 4096, SWITCH_HEADER + 6000 - 4096);
    header = (void *)chain[0].segment[0].data;
    header->num_buffers = 2;
    fake_virtio_push(RX, chain[0].head, 4096);
    interrupt(0);
    assert_true(got_nothing());
    fake_virtio_push(RX, chain[1].head, SWITCH_HEADER + 6000 - 4096);
    interrupt(0);
    assert_true(got(6000, 9));
}

/* ---- Budgets and waiting ---- */

static void wake_up_has_a_budget(void **state)
{
    unsigned first = 0;
    unsigned rest = 0;
    uint32_t count;

    (void)state;
    make(60, 1);
    for (int i = 0; i < 200; i++) {
        assert_true(card_receives(record, SWITCH_HEADER + 60));
    }
    interrupt(0);
    while (ring_peek(&from_driver, &count) != NULL) {
        ring_release(&from_driver);
        first++;
    }
    assert_in_range(first, 1, 199);
    /* The rest comes when the switch has dealt with those. */
    assert_true(ring_take_space_wanted(&from_driver));
    notified(SWITCH);
    while (ring_peek(&from_driver, &count) != NULL) {
        ring_release(&from_driver);
        rest++;
    }
    assert_int_equal(first + rest, 200);
}

static void full_ring_leaves_frames_with_the_card(void **state)
{
    unsigned received = 0;
    unsigned seen = 0;
    uint32_t count;

    (void)state;
    make(1514, 1);
    for (int i = 0; i < 10; i++) {
        while (card_receives(record, SWITCH_HEADER + 1514)) {
            received++;
        }
        interrupt(0);
        ring_take_space_wanted(&from_driver);
    }
    assert_true(received > SWITCH_RING / 2048);
    for (int i = 0; i < 100 && seen < received; i++) {
        while (ring_peek(&from_driver, &count) != NULL) {
            assert_int_equal(count, SWITCH_HEADER + 1514);
            ring_release(&from_driver);
            seen++;
        }
        ring_take_space_wanted(&from_driver);
        notified(SWITCH);
    }
    assert_int_equal(seen, received);
    receive(60, 2);
    assert_true(got(60, 2));
}

static void slow_card_leaves_frames_with_the_switch(void **state)
{
    unsigned put_count = 0;
    unsigned done = 0;

    (void)state;
    begin_with(USUAL & ~FEATURE(VIRTIO_RING_F_EVENT_IDX));
    make(1514, 1);
    for (int i = 0; i < 10; i++) {
        while (put(SWITCH_HEADER + 1514)) {
            put_count++;
        }
        notified(SWITCH);
    }
    assert_true(put_count > 152);
    while (fake_virtio_pop(TX, &sent)) {
        fake_virtio_push(TX, sent.head, 0);
        done++;
        if (fake_virtio.interrupts != 0) { /* it asked for one: it has no buffer left */
            notified(IRQ);
        }
    }
    assert_int_equal(done, put_count);
}

static void frames_that_have_left_cause_no_interrupts(void **state)
{
    (void)state;
    for (int with_events = 0; with_events < 2; with_events++) {
        begin_with(with_events ? USUAL : USUAL & ~FEATURE(VIRTIO_RING_F_EVENT_IDX));
        send(60, 0);
        assert_true(card_sends(60, 0));
        fake_virtio_push(TX, sent.head, 0); /* a queue's first one may */
        fake_virtio.interrupts = 0;
        for (int i = 0; i < 500; i++) {
            send(60, (uint8_t)i);
            assert_true(card_sends(60, (uint8_t)i));
            assert_false(fake_virtio_push(TX, sent.head, 0));
        }
    }
}

/* ---- Segments ---- */

static const uint8_t tcp_headers[54] = {
    [0] = 0x52, [6] = 0x52, [11] = 1, [12] = 0x08, [14] = 0x45, [23] = 6, [46] = 0x50};

static void make_segment(uint32_t length)
{
    struct virtio_net_hdr_v1 *header = (void *)record;

    make(length, 0);
    memcpy(record + SWITCH_HEADER, tcp_headers, sizeof(tcp_headers));
    header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    header->hdr_len = 54;
    header->gso_size = 1448;
    header->csum_start = 34;
    header->csum_offset = 16;
    header->num_buffers = 0x1234;
}

static void segments_pass_to_a_card_that_cuts_them(void **state)
{
    const struct virtio_net_hdr_v1 *header;

    (void)state;
    begin_with(USUAL | OFFLOADS);
    make_segment(60000);
    assert_true(put(SWITCH_HEADER + 60000));
    notified(SWITCH);
    assert_true(fake_virtio_pop(TX, &sent));
    header = (void *)sent.segment[0].data;
    assert_int_equal(sent.readable_bytes, SWITCH_HEADER + 60000);
    assert_int_equal(header->gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(header->gso_size, 1448);
    assert_int_equal(header->csum_start, 34);
    assert_int_equal(header->num_buffers, 0);
}

/* What means nothing without segmentation is not told the card. */
static void header_fields_without_meaning_are_cleared(void **state)
{
    struct virtio_net_hdr_v1 *header = (void *)record;
    const struct virtio_net_hdr_v1 *told;

    (void)state;
    begin_with(USUAL | OFFLOADS);
    make_segment(1000);
    header->gso_type = VIRTIO_NET_HDR_GSO_NONE;
    header->hdr_len = 0xffff;
    header->flags |= 0xfe;
    assert_true(put(SWITCH_HEADER + 1000));
    notified(SWITCH);
    assert_true(fake_virtio_pop(TX, &sent));
    told = (void *)sent.segment[0].data;
    assert_int_equal(told->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(told->csum_start, 34);
    assert_int_equal(told->csum_offset, 16);
    assert_int_equal(told->hdr_len, 0);
    assert_int_equal(told->gso_size, 0);
    assert_int_equal(told->num_buffers, 0);
}

static void card_is_asked_for_nothing_it_cannot_do(void **state)
{
    (void)state;
    make_segment(60000);
    assert_true(put(SWITCH_HEADER + 60000));
    notified(SWITCH);
    assert_true(card_sends_nothing());
    assert_true(has_said("the card cannot finish it"));
    begin_with(USUAL | FEATURE(VIRTIO_NET_F_CSUM));
    make_segment(60000);
    assert_true(put(SWITCH_HEADER + 60000));
    notified(SWITCH);
    assert_true(card_sends_nothing());
    send(60, 1);
    assert_true(card_sends(60, 1));
}

static void hostile_records_go_nowhere(void **state)
{
    struct virtio_net_hdr_v1 *header = (void *)record;
    static const uint32_t wrong[] = {
        0, 1, 11, 12, 25, SWITCH_HEADER + 1519, SWITCH_HEADER + 65554, SWITCH_HEADER + 70000};

    (void)state;
    begin_with(USUAL | OFFLOADS);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        make(70000, 1);
        assert_true(put(wrong[i]));
        notified(SWITCH);
        assert_true(card_sends_nothing());
    }
    make_segment(60000);
    header->csum_start = 59999; /* the field lies beyond the frame */
    assert_true(put(SWITCH_HEADER + 60000));
    make_segment(60000);
    header->gso_type = 0x77;
    assert_true(put(SWITCH_HEADER + 60000));
    make_segment(60000);
    header->gso_size = 0;
    assert_true(put(SWITCH_HEADER + 60000));
    make_segment(60000);
    header->gso_size = 1465; /* with its headers one byte longer than the card's frames */
    assert_true(put(SWITCH_HEADER + 60000));
    make_segment(60000);
    record[SWITCH_HEADER + 46] = 0xf0; /* so is this one: it has 40 bytes of TCP options */
    assert_true(put(SWITCH_HEADER + 60000));
    make_segment(60000);
    record[SWITCH_HEADER + 14] = 0x65; /* not what its header says */
    assert_true(put(SWITCH_HEADER + 60000));
    make_segment(2000);
    header->gso_type = VIRTIO_NET_HDR_GSO_NONE; /* long, and nobody would cut it */
    assert_true(put(SWITCH_HEADER + 2000));
    notified(SWITCH);
    assert_true(card_sends_nothing());
    for (int i = 0; i < 200; i++) { /* and nothing of it takes buffers away */
        send(1514, (uint8_t)i);
        assert_true(card_sends(1514, (uint8_t)i));
        fake_virtio_push(TX, sent.head, 0);
    }
}

/* ---- A switch and a card that break the rules ---- */

static void broken_ring_is_reported_once(void **state)
{
    (void)state;
    ((struct ring_shared *)(void *)down)->head = 5 * SWITCH_RING;
    notified(SWITCH);
    assert_true(has_said("the switch has broken its ring"));
    notified(SWITCH);
    receive(60, 1);
}

static void expect_given_up(const char *cause)
{
    unsigned resets = fake_virtio.resets;

    interrupt(0);
    assert_true(has_said("the card is given up: "));
    assert_true(has_said(cause));
    assert_int_equal(fake_virtio.resets, resets + 1);
    assert_int_equal(accepts(), 0);
    notified(SWITCH);
    notified(IRQ);
    assert_int_equal(fake_virtio.resets, resets + 1);
}

static void foreign_chain_breaks_the_card(void **state)
{
    struct fake_virtio_chain chain;

    (void)state;
    assert_true(fake_virtio_pop(RX, &chain));
    fake_virtio_push(RX, 4711, 60);
    expect_given_up("the device returns what it was not given");
}

static void chain_returned_twice_breaks_the_card(void **state)
{
    (void)state;
    send(60, 1);
    assert_true(card_sends(60, 1));
    fake_virtio_push(TX, sent.head, 0);
    fake_virtio_push(TX, sent.head, 0);
    for (int i = 0; i < 200 && accepts() != 0; i++) {
        make(1514, 1);
        assert_true(put(SWITCH_HEADER + 1514));
        notified(SWITCH);
    }
    assert_int_equal(accepts(), 0);
    assert_true(has_said("given up"));
}

static void too_many_bytes_break_the_card(void **state)
{
    struct fake_virtio_chain chain;

    (void)state;
    assert_true(fake_virtio_pop(RX, &chain));
    fake_virtio_push(RX, chain.head, chain.writable_bytes + 1);
    expect_given_up("more than there was room");
}

static void bytes_written_where_none_may_break_the_card(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++) {
        make(60, 1);
        assert_true(put(SWITCH_HEADER + 60));
    }
    notified(SWITCH);
    assert_true(card_sends(60, 1));
    fake_virtio_push(TX, sent.head, 1);
    expect_given_up("more than there was room");
}

static void headerless_record_breaks_the_card(void **state)
{
    struct fake_virtio_chain chain;

    (void)state;
    for (uint32_t length = 0; length < SWITCH_HEADER; length++) {
        begin_with(USUAL);
        assert_true(fake_virtio_pop(RX, &chain));
        fake_virtio_push(RX, chain.head, length);
        expect_given_up("without its header");
    }
}

static void impossible_number_of_buffers_breaks_the_card(void **state)
{
    static const uint16_t numbers[] = {0, 18, 256, 65535};
    struct fake_virtio_chain chain;

    (void)state;
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        begin_with(USUAL);
        assert_true(fake_virtio_pop(RX, &chain));
        ((struct virtio_net_hdr_v1 *)(void *)chain.segment[0].data)->num_buffers = numbers[i];
        fake_virtio_push(RX, chain.head, 60);
        expect_given_up("in more buffers than any takes");
    }
}

static void card_that_needs_a_reset_is_given_up(void **state)
{
    (void)state;
    fake_virtio.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
    fake_virtio.interrupts |= VIRTIO_MMIO_INT_CONFIG;
    expect_given_up("the device says that it is broken");
}

static void card_that_does_not_stop_is_not_heard(void **state)
{
    unsigned acks;

    (void)state;
    fake_virtio.never_stops = true;
    *fake_virtio_used_index(RX) = 1000;
    acks = fake.irq_acks[IRQ];
    interrupt(VIRTIO_MMIO_INT_VRING);
    assert_true(has_said("it does not stop"));
    assert_int_equal(fake.irq_acks[IRQ], acks);
    notified(IRQ);
    assert_int_equal(fake.irq_acks[IRQ], acks);
}

/* After a fault the switch has emptied the rings. Nothing of before is known, or sent. */
static void a_driver_that_begins_anew_starts_the_card_anew(void **state)
{
    (void)state;

    send(100, 1); /* which the card has not sent */
    receive(200, 2);
    switch_reset();
    prepare(USUAL);
    memcpy(fake_virtio.config, &space, sizeof(space));
    fake.irq_acks[IRQ] = 0;
    fake.again = true;
    init();
    assert_int_equal(fake.irq_acks[IRQ], 1);
    assert_int_equal(accepts() & NET_PORT_UP, NET_PORT_UP);
    assert_true(got_nothing());
    receive(300, 3);
    assert_true(got(300, 3));
    send(1514, 4);
    assert_true(card_sends(1514, 4));
    assert_true(card_sends_nothing());
}

static void a_card_that_is_gone_keeps_its_interrupt(void **state)
{
    (void)state;

    switch_reset();
    prepare(0); /* not even version 1 */
    fake.irq_acks[IRQ] = 0;
    fake.again = true;
    init();
    assert_int_equal(fake.irq_acks[IRQ], 0);
    assert_int_equal(accepts(), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        CASE(what_the_card_offers_is_what_the_switch_is_told),
        CASE(without_a_card_the_port_stays_down),
        CASE(small_mtu_is_said),
        CASE(link_goes_down_and_up),
        CASE(frames_go_out),
        CASE(batch_is_one_kick),
        CASE(frames_come_in),
        CASE(buffers_are_used_again),
        CASE(small_buffers_without_merging_or_segments),
        CASE(record_longer_than_any_is_dropped),
        CASE(checksums_that_are_right_are_said_to_be),
        CASE(checksums_of_short_frames_are_left_to_who_receives_them),
        CASE(records_longer_than_any_and_nothing_else_are_the_end),
        CASE(interrupts_without_a_cause_are_the_end),
        CASE(interrupts_now_and_then_are_no_storm),
        CASE(record_in_pieces_waits_for_the_last),
        CASE(wake_up_has_a_budget),
        CASE(full_ring_leaves_frames_with_the_card),
        CASE(slow_card_leaves_frames_with_the_switch),
        CASE(frames_that_have_left_cause_no_interrupts),
        CASE(segments_pass_to_a_card_that_cuts_them),
        CASE(header_fields_without_meaning_are_cleared),
        CASE(card_is_asked_for_nothing_it_cannot_do),
        CASE(hostile_records_go_nowhere),
        CASE(broken_ring_is_reported_once),
        CASE(foreign_chain_breaks_the_card),
        CASE(chain_returned_twice_breaks_the_card),
        CASE(too_many_bytes_break_the_card),
        CASE(bytes_written_where_none_may_break_the_card),
        CASE(headerless_record_breaks_the_card),
        CASE(impossible_number_of_buffers_breaks_the_card),
        CASE(card_that_needs_a_reset_is_given_up),
        CASE(card_that_does_not_stop_is_not_heard),
        CASE(a_driver_that_begins_anew_starts_the_card_anew),
        CASE(a_card_that_is_gone_keeps_its_interrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
