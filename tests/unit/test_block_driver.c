/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/block/block.c drivers/block/virtio_blk.c lib/virtio_bus.c lib/vring_driver.c
 * SOURCES: lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/virtio_device.c tests/unit/fake/block_client.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * The disk's driver between a client that may be hostile and a disk that may be broken.
 */

#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "block/protocol.h"
#include "drivers/block/config.h"
#include "lib/ring.h"
#include "tests/unit/fake/block_client.h"
#include "tests/unit/fake/virtio_device.h"

#define IRQ          0
#define CLIENT       1
#define SECTORS      2048u
#define REGION       65536u
#define FEATURE(bit) (1ULL << (bit))

#define BASIC FEATURE(VIRTIO_F_VERSION_1)
#define USUAL                                                                                      \
    (BASIC | FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_RING_F_EVENT_IDX) |             \
     FEATURE(VIRTIO_BLK_F_SEG_MAX) | FEATURE(VIRTIO_BLK_F_BLK_SIZE) |                              \
     FEATURE(VIRTIO_BLK_F_FLUSH) | FEATURE(VIRTIO_BLK_F_DISCARD) |                                 \
     FEATURE(VIRTIO_BLK_F_WRITE_ZEROES) | FEATURE(VIRTIO_BLK_F_TOPOLOGY))

static _Alignas(4096) uint8_t dma[BLOCK_DRIVER_DMA_SIZE];
static uint8_t regions[2][REGION];
static uint64_t dma_paddr, paddrs[2];

static const struct block_driver_region region_table[] = {
    {.paddr = &paddrs[0], .size = REGION},
    {.paddr = &paddrs[1], .size = REGION},
};

const struct block_driver_config block_driver_config = {
    .registers = FAKE_VIRTIO_REGISTERS,
    .irq_channel = IRQ,
    .client_channel = CLIENT,
    .requests = to_driver,
    .replies = from_driver,
    .request_ring_size = BLOCK_REQUEST_RING,
    .reply_ring_size = BLOCK_REPLY_RING,
    .dma = dma,
    .dma_paddr = &dma_paddr,
    .regions = region_table,
    .region_count = 2,
};

static uint8_t medium[SECTORS * BLOCK_SECTOR];
static struct virtio_blk_config space;
static struct fake_virtio_chain held[BLOCK_DEPTH];

/* ---- The disk ---- */

static void prepare(uint64_t offered)
{
    fake_virtio_reset(VIRTIO_ID_BLOCK, offered);
    memset(&space, 0, sizeof(space));
    space.capacity = SECTORS;
    space.seg_max = 126;
    space.blk_size = 512;
    space.max_discard_sectors = 1000;
    space.discard_sector_alignment = 8;
    space.max_write_zeroes_sectors = 500;
    space.write_zeroes_may_unmap = 1;
    space.physical_block_exp = 3;
    space.min_io_size = 8;
}

static uint8_t execute(const struct fake_virtio_chain *chain)
{
    const struct virtio_blk_outhdr *header = (void *)chain->segment[0].data;
    uint64_t at = header->sector * BLOCK_SECTOR;
    unsigned count = chain->readable + chain->writable - 1;

    assert_int_equal(chain->segment[0].length, sizeof(*header));
    if (header->type == VIRTIO_BLK_T_DISCARD || header->type == VIRTIO_BLK_T_WRITE_ZEROES) {
        const struct virtio_blk_discard_write_zeroes *range = (void *)chain->segment[1].data;

        assert_int_equal(chain->segment[1].length, sizeof(*range));
        assert_int_equal(chain->readable, 2);
        memset(medium + range->sector * BLOCK_SECTOR, range->flags ? 0xdd : 0,
               range->num_sectors * BLOCK_SECTOR);
        return VIRTIO_BLK_S_OK;
    }
    for (unsigned i = 1; i < count; i++) {
        uint8_t *data = chain->segment[i].data;
        uint32_t length = chain->segment[i].length;

        if (at + length > sizeof(medium)) {
            return VIRTIO_BLK_S_IOERR;
        }
        if (header->type == VIRTIO_BLK_T_IN) {
            memcpy(data, medium + at, length);
        } else {
            memcpy(medium + at, data, length);
        }
        at += length;
    }
    return VIRTIO_BLK_S_OK;
}

static void finish(const struct fake_virtio_chain *chain, uint8_t status)
{
    *chain->segment[chain->readable + chain->writable - 1].data = status;
    fake_virtio_push(0, chain->head, chain->writable_bytes);
}

/* The disk does all that it has been given; the driver is told if it wants to be. */
static unsigned run_disk(void)
{
    struct fake_virtio_chain chain;
    unsigned done = 0;

    while (fake_virtio_pop(0, &chain)) {
        finish(&chain, execute(&chain));
        done++;
    }
    if (fake_virtio.interrupts) {
        notified(IRQ);
        assert_int_equal(fake_virtio.interrupts, 0);
    }
    return done;
}

/* ---- The client ---- */

static void build(uint32_t id, enum block_op op, uint64_t sector, uint32_t sector_count)
{
    request = request_of(id, op, sector, sector_count);
}

static void send_and_notify(void)
{
    client_send();
    notified(CLIENT);
}

/* The driver starts with the disk that `prepare` made. */
static struct block_info begin(void)
{
    fake_reset();
    client_reset();
    memset(dma, 0, sizeof(dma));
    memset(regions, 0, sizeof(regions));
    dma_paddr = (uintptr_t)dma;
    paddrs[0] = (uintptr_t)regions[0];
    paddrs[1] = (uintptr_t)regions[1];
    memcpy(fake_virtio.config, &space, sizeof(space));
    for (uint32_t i = 0; i < sizeof(medium); i++) {
        medium[i] = (uint8_t)(i / BLOCK_SECTOR + i);
    }
    init();
    assert_true(fake_notified(CLIENT) > 0);
    return expect_info();
}

static int set_up(void **state)
{
    (void)state;
    prepare(USUAL);
    assert_int_equal(begin().sectors, SECTORS);
    return 0;
}

static void the_disk_is_described(void **state)
{
    (void)state;
    struct block_info info;

    prepare(USUAL);
    info = begin();
    assert_int_equal(info.sectors, SECTORS);
    assert_int_equal(info.block_size, 512);
    assert_int_equal(info.segments_max, 126);
    assert_int_equal(info.discard_sectors_max, 1000);
    assert_int_equal(info.discard_alignment, 8);
    assert_int_equal(info.write_zeroes_sectors_max, 500);
    assert_int_equal(info.physical_exponent, 3);
    assert_int_equal(info.minimum_blocks, 8);
    assert_int_equal(info.features, BLOCK_INFO_FLUSH | BLOCK_INFO_DISCARD |
                                        BLOCK_INFO_WRITE_ZEROES | BLOCK_INFO_UNMAP);

    prepare(BASIC | FEATURE(VIRTIO_BLK_F_RO));
    info = begin();
    assert_int_equal(info.features, BLOCK_INFO_READ_ONLY);
    assert_int_equal(info.discard_sectors_max, 0);
    assert_int_equal(info.physical_exponent, 0);
    assert_true(info.segments_max >= 2 && info.segments_max <= BLOCK_SEGMENTS_MAX);

    prepare(USUAL);
    space.blk_size = 4096;
    space.capacity = SECTORS - 3; /* not whole blocks */
    info = begin();
    assert_int_equal(info.block_size, 4096);
    assert_int_equal(info.sectors, SECTORS - 8);
}

static void nonsense_is_no_disk(void **state)
{
    (void)state;
    uint32_t sizes[] = {0, 1, 511, 513, 8192, UINT32_MAX};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        prepare(USUAL);
        space.blk_size = sizes[i];
        assert_int_equal(begin().sectors, 0);
        build(1, BLOCK_READ, 0, 1);
        send_and_notify();
        expect(1, BLOCK_IO_ERROR);
    }
    prepare(USUAL);
    space.seg_max = 1;
    assert_int_equal(begin().sectors, 0);
    prepare(USUAL);
    space.capacity = UINT64_MAX;
    assert_int_equal(begin().sectors, 0);
    prepare(USUAL);
    fake_virtio.generation_step = 1;
    assert_int_equal(begin().sectors, 0);
    prepare(USUAL);
    fake_virtio.queue[0].size_max = 2;
    assert_int_equal(begin().sectors, 0);
    prepare(0);
    assert_int_equal(begin().sectors, 0);
    assert_non_null(strstr(fake.debug, "no disk"));
    fake_virtio_reset(0, 0);
    assert_int_equal(begin().sectors, 0);
    notified(IRQ); /* whoever interrupts */
    build(7, BLOCK_FLUSH, 0, 0);
    send_and_notify();
    expect(7, BLOCK_IO_ERROR);
}

static void reads_and_writes(void **state)
{
    (void)state;
    uint64_t features[] = {USUAL, BASIC, USUAL & ~FEATURE(VIRTIO_RING_F_INDIRECT_DESC)};

    for (unsigned f = 0; f < 3; f++) {
        prepare(features[f]);
        begin();
        build(11, BLOCK_READ, 3, 4);
        request.head.segment_count = 3;
        request.segments[0] = (struct block_segment){.region = 0, .offset = 100, .length = 700};
        request.segments[1] = (struct block_segment){.region = 1, .offset = 0, .length = 1};
        request.segments[2] =
            (struct block_segment){.region = 1, .offset = REGION - 1347, .length = 1347};
        send_and_notify();
        expect_nothing();
        assert_int_equal(run_disk(), 1);
        expect(11, BLOCK_OK);
        assert_memory_equal(regions[0] + 100, medium + 3 * 512, 700);
        assert_int_equal(regions[1][0], medium[3 * 512 + 700]);
        assert_memory_equal(regions[1] + REGION - 1347, medium + 3 * 512 + 701, 1347);

        memset(regions[1] + 512, 0x5a, 1024);
        build(12, BLOCK_WRITE, SECTORS - 2, 2);
        request.segments[0] = (struct block_segment){.region = 1, .offset = 512, .length = 1024};
        send_and_notify();
        assert_int_equal(run_disk(), 1);
        expect(12, BLOCK_OK);
        assert_int_equal(medium[sizeof(medium) - 1024], 0x5a);
        assert_int_equal(medium[sizeof(medium) - 1], 0x5a);
        assert_int_not_equal(medium[sizeof(medium) - 1025], 0x5a);
    }
}

static void the_other_operations(void **state)
{
    (void)state;

    build(1, BLOCK_FLUSH, 0, 0);
    send_and_notify();
    assert_int_equal(run_disk(), 1);
    expect(1, BLOCK_OK);
    build(2, BLOCK_WRITE_ZEROES, 10, 2);
    send_and_notify();
    assert_int_equal(run_disk(), 1);
    expect(2, BLOCK_OK);
    assert_int_equal(medium[10 * 512], 0);
    build(3, BLOCK_WRITE_ZEROES, 10, 2);
    request.head.flags = BLOCK_REQUEST_UNMAP;
    send_and_notify();
    assert_int_equal(run_disk(), 1);
    expect(3, BLOCK_OK);
    assert_int_equal(medium[10 * 512], 0xdd);
    build(4, BLOCK_DISCARD, 20, 1);
    request.head.flags = BLOCK_REQUEST_UNMAP; /* which is write zeroes' alone */
    send_and_notify();
    assert_int_equal(run_disk(), 1);
    expect(4, BLOCK_OK);
    assert_int_equal(medium[20 * 512], 0);

    prepare(BASIC);
    begin();
    build(5, BLOCK_FLUSH, 0, 0);
    send_and_notify();
    expect(5, BLOCK_OK); /* there is nothing to flush */
    build(6, BLOCK_DISCARD, 0, 1);
    send_and_notify();
    expect(6, BLOCK_UNSUPPORTED);
    build(7, BLOCK_WRITE_ZEROES, 0, 1);
    send_and_notify();
    expect(7, BLOCK_UNSUPPORTED);
    assert_int_equal(run_disk(), 0);
}

static void errors_come_back_once(void **state)
{
    (void)state;
    static const struct {
        uint8_t says;
        uint32_t status;
    } cases[] = {{VIRTIO_BLK_S_IOERR, BLOCK_IO_ERROR},
                 {VIRTIO_BLK_S_UNSUPP, BLOCK_UNSUPPORTED},
                 {3, BLOCK_IO_ERROR},
                 {0xff, BLOCK_IO_ERROR}};

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_virtio_chain chain;

        build(i, BLOCK_READ, 0, 1);
        send_and_notify();
        assert_true(fake_virtio_pop(0, &chain));
        finish(&chain, cases[i].says);
        notified(IRQ);
        expect(i, cases[i].status);
        assert_false(fake_virtio_pop(0, &chain)); /* nothing is tried again */
    }
}

static void a_status_that_was_never_written_is_an_error(void **state)
{
    (void)state;
    struct fake_virtio_chain chain;

    for (int i = 0; i < 3; i++) { /* slots are used again: the last one's status is gone */
        build(1, BLOCK_READ, 0, 1);
        send_and_notify();
        assert_true(fake_virtio_pop(0, &chain));
        finish(&chain, VIRTIO_BLK_S_OK);
        notified(IRQ);
        expect(1, BLOCK_OK);
        build(2, BLOCK_READ, 0, 1);
        send_and_notify();
        assert_true(fake_virtio_pop(0, &chain));
        fake_virtio_push(0, chain.head, 0);
        notified(IRQ);
        expect(2, BLOCK_IO_ERROR);
    }
}

static void many_in_flight_in_any_order(void **state)
{
    (void)state;
    bool seen[200] = {false};
    unsigned held_count = 0, answered = 0;
    uint32_t sent = 0;

    srand(2);
    while (answered < 200) {
        uint32_t id, status;

        while (sent < 200 && sent - answered < 100) {
            build(sent, BLOCK_READ, sent % SECTORS, 1);
            sent++;
            client_send();
        }
        notified(CLIENT);
        while (held_count < BLOCK_DEPTH && fake_virtio_pop(0, &held[held_count])) {
            held_count++;
        }
        assert_true(held_count > 0);
        for (int i = rand() % 5; i >= 0 && held_count > 0; i--) {
            unsigned which = (unsigned)rand() % held_count;

            finish(&held[which], VIRTIO_BLK_S_OK);
            held[which] = held[--held_count];
        }
        if (fake_virtio.interrupts) {
            notified(IRQ);
        }
        while (client_receive(&id, &status)) {
            assert_int_equal(status, BLOCK_OK);
            assert_true(id < 200 && !seen[id]);
            seen[id] = true;
            answered++;
        }
    }
    assert_true(fake.deferred_irq_acks[IRQ] > 0);
}

static void refuse(uint32_t id)
{
    struct fake_virtio_chain chain;

    notified(CLIENT);
    expect(id, BLOCK_IO_ERROR);
    expect_nothing();
    assert_false(fake_virtio_pop(0, &chain));
}

static void nothing_outside_of_a_region_reaches_the_device(void **state)
{
    (void)state;
    static const struct block_segment segments[] = {
        {.region = 2, .length = 512},
        {.region = UINT32_MAX, .length = 512},
        {.region = 0, .offset = REGION, .length = 512},
        {.region = 0, .offset = REGION - 511, .length = 512},
        {.region = 1, .offset = UINT64_MAX, .length = 512},
        {.region = 1, .offset = UINT64_MAX - 511, .length = 512},
        {.region = 1, .offset = 0, .length = 0},
        {.region = 1, .offset = 0, .length = REGION + 1},
        {.region = 1, .offset = 512, .length = UINT32_MAX},
        {.region = 1, .offset = 1ULL << 63, .length = 512},
    };

    for (uint32_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        build(i, BLOCK_READ, 0, 2);
        request.head.segment_count = 2;
        request.segments[0] = (struct block_segment){.length = 512};
        request.segments[1] = segments[i];
        client_send();
        refuse(i);
    }
}

static void requests_that_are_none_are_errors(void **state)
{
    (void)state;

    build(1, BLOCK_READ, 0, 1);
    request.head.op = BLOCK_WRITE_ZEROES + 1;
    client_send();
    refuse(1);
    build(2, BLOCK_READ, 0, 1);
    request.head.op = UINT16_MAX;
    client_send();
    refuse(2);
    build(3, BLOCK_READ, 0, 1);
    request.head.segment_count = 0;
    client_send();
    refuse(3);
    build(4, BLOCK_FLUSH, 0, 1);
    request.head.segment_count = 1;
    client_send();
    refuse(4);
    build(5, BLOCK_READ, 0, 1);
    request.head.segment_count = 127; /* more than this disk takes */
    client_send();
    refuse(5);
    build(6, BLOCK_READ, 0, 1);
    request.head.segment_count = UINT16_MAX;
    client_send_bytes(sizeof(request.head) + 16);
    refuse(6);
    build(7, BLOCK_READ, 0, 1);
    request.head.segment_count = 2; /* but only one is there */
    client_send_bytes(sizeof(request.head) + 16);
    refuse(7);
    build(8, BLOCK_READ, 0, 1);
    client_send_bytes(4);
    refuse(8);
    client_send_bytes(3);
    refuse(8);
    client_send_bytes(0);
    refuse(0);
    client_send_bytes(sizeof(request));
    notified(CLIENT);
    assert_int_equal(run_disk(), 1); /* what follows the segments is not looked at */
    expect(8, BLOCK_OK);
}

static void a_client_that_takes_no_answers_is_given_no_more(void **state)
{
    (void)state;
    unsigned total = 0;

    for (uint32_t i = 0; i < 400; i++) {
        build(i, BLOCK_READ, 0, 1);
        if (ring_space(&requests) < 256) {
            break;
        }
        client_send();
    }
    for (int i = 0; i < 10; i++) {
        notified(CLIENT);
        total += run_disk();
    }
    assert_true(total <= BLOCK_REPLY_RING / BLOCK_REPLY_BYTES);
    assert_true(total >= BLOCK_DEPTH);
    for (uint32_t i = 0; i < total; i++) {
        expect(i, BLOCK_OK);
    }
    assert_true(ring_take_space_wanted(&replies)); /* so the client has to notify */
    notified(CLIENT);
    assert_true(run_disk() > 0);
    expect(total, BLOCK_OK);
}

static void a_broken_ring_is_reported_once(void **state)
{
    (void)state;
    struct ring_shared *shared = (void *)to_driver;

    shared->head = 12345678;
    notified(CLIENT);
    notified(CLIENT);
    assert_non_null(strstr(fake.debug, "broken its ring"));
    assert_null(strstr(strstr(fake.debug, "broken its ring") + 1, "broken its ring"));
}

/* The device is stopped, what it had is answered, and it is not used again. */
static void expect_given_up(const char *cause)
{
    uint32_t id, status;
    unsigned answered = 0;

    assert_non_null(strstr(fake.debug, cause));
    assert_int_equal(fake_virtio.status, 0);
    while (client_receive(&id, &status)) {
        assert_int_equal(status, BLOCK_IO_ERROR);
        answered++;
    }
    assert_int_equal(answered, 3);
    build(50, BLOCK_READ, 0, 1);
    send_and_notify();
    expect(50, BLOCK_IO_ERROR);
    notified(IRQ);
    assert_int_equal(fake_virtio.status, 0);
    assert_int_equal(fake.deferred_irq_acks[IRQ], 0); /* it cannot take the processor either */
}

static void send_three(void)
{
    for (uint32_t i = 1; i <= 3; i++) {
        build(i, BLOCK_READ, 0, 1);
        client_send();
    }
    notified(CLIENT);
}

static void a_device_that_lies_is_given_up(void **state)
{
    (void)state;

    send_three();
    fake_virtio_push(0, 60, 0);
    notified(IRQ);
    expect_given_up("not given");

    prepare(USUAL);
    begin();
    send_three();
    fake_virtio_push(0, 0, 514);
    notified(IRQ);
    expect_given_up("more than there was room");

    prepare(USUAL);
    begin();
    send_three();
    *fake_virtio_used_index(0) = 4;
    notified(IRQ);
    expect_given_up("done more");

    prepare(USUAL);
    begin();
    send_three();
    fake_virtio.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
    fake_virtio.interrupts = VIRTIO_MMIO_INT_CONFIG;
    notified(IRQ);
    expect_given_up("broken");
}

static void a_device_that_does_not_stop_keeps_what_it_has(void **state)
{
    (void)state;

    send_three();
    fake_virtio.never_stops = true;
    *fake_virtio_used_index(0) = 4;
    notified(IRQ);
    expect_nothing(); /* it may still write into their memory */
    assert_non_null(strstr(fake.debug, "3 requests stay unanswered"));
    build(4, BLOCK_READ, 0, 1);
    send_and_notify();
    expect(4, BLOCK_IO_ERROR);
}

static void a_change_of_configuration_is_nothing_to_worry_about(void **state)
{
    (void)state;

    fake_virtio.interrupts = VIRTIO_MMIO_INT_CONFIG;
    notified(IRQ);
    build(1, BLOCK_READ, 0, 1);
    send_and_notify();
    assert_int_equal(run_disk(), 1);
    expect(1, BLOCK_OK);
}

static void storm(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        fake_virtio.interrupts = VIRTIO_MMIO_INT_VRING;
        notified(IRQ);
    }
}

static void interrupts_without_a_cause_are_the_end(void **state)
{
    (void)state;

    storm(999);
    build(9, BLOCK_READ, 0, 1);
    send_and_notify();
    assert_int_equal(run_disk(), 1);
    expect(9, BLOCK_OK);
    send_three();
    storm(999);
    expect_nothing();
    fake.deferred_irq_acks[IRQ] = 0;
    storm(2);
    expect_given_up("it interrupts without a cause");
}

/* After a fault its client has emptied the rings. Nothing of before is in flight, or answered. */
static void a_driver_that_begins_anew_starts_the_disk_anew(void **state)
{
    (void)state;

    send_three();
    client_reset();
    prepare(USUAL);
    memcpy(fake_virtio.config, &space, sizeof(space));
    fake.irq_acks[IRQ] = 0;
    fake.again = true;
    init();
    assert_int_equal(fake.irq_acks[IRQ], 1);
    assert_int_equal(expect_info().sectors, SECTORS);
    assert_int_equal(run_disk(), 0);
    build(4, BLOCK_READ, 0, 1);
    send_and_notify();
    assert_int_equal(run_disk(), 1);
    expect(4, BLOCK_OK);
    expect_nothing();
}

static void a_disk_that_is_gone_keeps_its_interrupt(void **state)
{
    (void)state;

    client_reset();
    prepare(0); /* not even version 1 */
    fake.irq_acks[IRQ] = 0;
    fake.again = true;
    init();
    assert_int_equal(fake.irq_acks[IRQ], 0);
    assert_int_equal(expect_info().sectors, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_disk_is_described, set_up),
        cmocka_unit_test_setup(nonsense_is_no_disk, set_up),
        cmocka_unit_test_setup(reads_and_writes, set_up),
        cmocka_unit_test_setup(the_other_operations, set_up),
        cmocka_unit_test_setup(errors_come_back_once, set_up),
        cmocka_unit_test_setup(a_status_that_was_never_written_is_an_error, set_up),
        cmocka_unit_test_setup(many_in_flight_in_any_order, set_up),
        cmocka_unit_test_setup(nothing_outside_of_a_region_reaches_the_device, set_up),
        cmocka_unit_test_setup(requests_that_are_none_are_errors, set_up),
        cmocka_unit_test_setup(a_client_that_takes_no_answers_is_given_no_more, set_up),
        cmocka_unit_test_setup(a_broken_ring_is_reported_once, set_up),
        cmocka_unit_test_setup(a_device_that_lies_is_given_up, set_up),
        cmocka_unit_test_setup(a_device_that_does_not_stop_keeps_what_it_has, set_up),
        cmocka_unit_test_setup(a_change_of_configuration_is_nothing_to_worry_about, set_up),
        cmocka_unit_test_setup(interrupts_without_a_cause_are_the_end, set_up),
        cmocka_unit_test_setup(a_driver_that_begins_anew_starts_the_disk_anew, set_up),
        cmocka_unit_test_setup(a_disk_that_is_gone_keeps_its_interrupt, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
