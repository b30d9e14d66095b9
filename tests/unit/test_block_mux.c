/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: block/block.c block/client.c block/driver.c block/gpt.c block/partitions.c
 * SOURCES: block/schedule.c block/limit.c lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: lib/supervisor.c
 * SOURCES: tests/unit/fake/fake_dma.c tests/unit/fake/fake_microkit.c
 *
 * The disk multiplexer between clients that may be hostile and a driver that may go wrong. The
 * test plays both: it sees what reaches the driver, and does it or does something else.
 */

#include <microkit.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <cmocka.h>
#include "block/config.h"
#include "block/gpt.h"
#include "block/protocol.h"
#include "drivers/timer/protocol.h"
#include "lib/ring.h"
#include "lib/supervisor.h"
#include "tests/unit/fake/block_request.h"
#include "tests/unit/fake/fake_dma.h"

#define BUFFER_PADDR   0x10000000u
#define DRIVER         60
#define CLIENTS        3
#define SECTORS        20000u
#define PART           4000u /* sectors that each client has in most tests */
#define REGION         (1u << 20)
#define REPLIES        4096u
#define LARGE_RING     (1u << 20)
#define NONSENSE_FILLS 400 /* of a ring */

struct block_config config __asm__("block_config");
static struct stats_disk stats[CLIENTS];

static _Alignas(4096) uint8_t to_driver[RING_HEADER_SIZE + BLOCK_REQUEST_RING];
static _Alignas(4096) uint8_t from_driver[RING_HEADER_SIZE + BLOCK_REPLY_RING];
static _Alignas(4096) uint8_t to_block[CLIENTS][RING_HEADER_SIZE + BLOCK_REQUEST_RING];
static _Alignas(4096) uint8_t from_block[CLIENTS][RING_HEADER_SIZE + BLOCK_REPLY_RING];
static _Alignas(64) uint8_t buffer[BLOCK_BUFFER_SIZE];
static uint8_t medium[SECTORS * BLOCK_SECTOR]; /* for partition tables */
static const uint64_t region_sizes[] = {
    BLOCK_BUFFER_SIZE, REGION, REGION / 2, REGION, REGION, REGION};

static struct ring driver_requests, driver_replies;
static struct ring requests[CLIENTS], replies[CLIENTS];

static struct block_info disk;

static struct request request; /* that a client builds */
static struct request seen;    /* that the driver has taken */

/* ---- The driver ---- */

static bool driver_receive(void)
{
    uint32_t count;
    const void *record = ring_peek(&driver_requests, &count);

    if (record == NULL) {
        return false;
    }
    assert_true(count >= sizeof(seen.head) && count <= sizeof(seen));
    memcpy(&seen, record, count);
    assert_int_equal(count, sizeof(seen.head) + seen.head.segment_count * 16u);
    ring_release(&driver_requests);
    return true;
}

static void driver_say(const void *bytes, uint32_t count)
{
    void *record = ring_reserve(&driver_replies, count);

    assert_non_null(record);
    memcpy(record, bytes, count);
    ring_commit(&driver_replies);
}

static void driver_answer(uint32_t id, uint32_t status)
{
    driver_say(&(struct block_done){.kind = BLOCK_REPLY_DONE, .id = id, .status = status},
               sizeof(struct block_done));
}

/* Do what has arrived, with data only for the multiplexer's own buffer; how many there were. */
static unsigned drive(void)
{
    unsigned done = 0;

    while (driver_receive()) {
        uint64_t at = seen.head.sector * BLOCK_SECTOR;

        for (unsigned i = 0; i < seen.head.segment_count; i++) {
            const struct block_segment *segment = &seen.segments[i];

            assert_true(at + segment->length <= sizeof(medium));
            if (segment->region == 0) {
                assert_true(segment->offset + segment->length <= BLOCK_BUFFER_SIZE);
                uint8_t *past_caches = fake_dma_at(BUFFER_PADDR + segment->offset, segment->length);

                memcpy(past_caches != NULL ? past_caches : buffer + segment->offset, medium + at,
                       segment->length);
            }
            at += segment->length;
        }
        driver_answer(seen.head.id, BLOCK_OK);
        done++;
    }
    notified(DRIVER);
    return done;
}

/* ---- The clients ---- */

static void build(uint32_t id, enum block_op op, uint64_t sector, uint32_t sector_count)
{
    request = request_of(id, op, sector, sector_count);
}

static void send_bytes(unsigned client, uint32_t count)
{
    void *record = ring_reserve(&requests[client], count);

    assert_non_null(record);
    memcpy(record, &request, count);
    ring_commit(&requests[client]);
}

static void send(unsigned client)
{
    send_bytes(client, (uint32_t)sizeof(request.head) + request.head.segment_count * 16u);
}

static bool receive(unsigned client, uint32_t *id, uint32_t *status)
{
    uint32_t count;
    const struct block_done *done = ring_peek(&replies[client], &count);

    if (done == NULL) {
        return false;
    }
    assert_int_equal(count, sizeof(*done));
    assert_int_equal(done->kind, BLOCK_REPLY_DONE);
    *id = done->id;
    *status = done->status;
    ring_release(&replies[client]);
    return true;
}

static void expect(unsigned client, uint32_t id, uint32_t status)
{
    uint32_t got_id = 0, got_status = 0;

    assert_true(receive(client, &got_id, &got_status));
    assert_int_equal(got_id, id);
    assert_int_equal(got_status, status);
}

static void expect_nothing(unsigned client)
{
    uint32_t id, status;

    assert_false(receive(client, &id, &status));
}

/* What is in the ring is answered by an error, and goes no further. */
static void expect_refused(unsigned client, uint32_t status)
{
    notified((microkit_channel)client);
    assert_false(driver_receive());
    expect(client, request.head.id, status);
    expect_nothing(client);
}

static void send_in_vain(unsigned client, uint32_t status)
{
    send(client);
    expect_refused(client, status);
}

static bool take_info(unsigned client, struct block_info *info)
{
    uint32_t count;
    const struct block_info *record = ring_peek(&replies[client], &count);

    if (record == NULL) {
        return false;
    }
    assert_int_equal(count, sizeof(*record));
    *info = *record;
    assert_int_equal(info->kind, BLOCK_REPLY_INFO);
    ring_release(&replies[client]);
    return true;
}

/* ---- Start ---- */

static const char *const names[CLIENTS] = {"vm0 disk0", "vm1 disk0", "vm2 disk0"};

static void prepare(void)
{
    fake_reset();
    memset(to_driver, 0, sizeof(to_driver));
    memset(from_driver, 0, sizeof(from_driver));
    memset(to_block, 0, sizeof(to_block));
    memset(from_block, 0, sizeof(from_block));
    memset(stats, 0, sizeof(stats));
    config = (struct block_config){
        .driver_channel = DRIVER,
        .requests = to_driver,
        .replies = from_driver,
        .request_ring_size = BLOCK_REQUEST_RING,
        .reply_ring_size = BLOCK_REPLY_RING,
        .buffer = buffer,
        .region_sizes = region_sizes,
        .region_count = 6,
        .stats = stats,
        .client_count = CLIENTS,
    };
    for (unsigned i = 0; i < CLIENTS; i++) {
        config.clients[i] = (struct block_client_config){
            .name = names[i],
            .channel = (uint8_t)i,
            .offset = (uint64_t)i * PART * BLOCK_SECTOR,
            .size = (uint64_t)PART * BLOCK_SECTOR,
            .requests = to_block[i],
            .replies = from_block[i],
            .request_ring_size = BLOCK_REQUEST_RING,
            .reply_ring_size = BLOCK_REPLY_RING,
            .first_region = 1 + 2 * i,
            .region_count = 2,
        };
        ring_init(&requests[i], to_block[i], BLOCK_REQUEST_RING);
        ring_init(&replies[i], from_block[i], BLOCK_REPLY_RING);
    }
    config.clients[2].region_count = 1;
    ring_init(&driver_requests, to_driver, BLOCK_REQUEST_RING);
    ring_init(&driver_replies, from_driver, BLOCK_REPLY_RING);
    disk = (struct block_info){
        .kind = BLOCK_REPLY_INFO,
        .features = BLOCK_INFO_FLUSH | BLOCK_INFO_DISCARD | BLOCK_INFO_WRITE_ZEROES,
        .sectors = SECTORS,
        .block_size = 512,
        .segments_max = 126,
        .segment_bytes_max = BLOCK_BYTES_MAX,
        .discard_sectors_max = 1000,
        .discard_alignment = 1,
        .write_zeroes_sectors_max = 500,
    };
}

static void begin(void)
{
    init();
    driver_say(&disk, sizeof(disk));
    notified(DRIVER);
}

static struct block_info infos[CLIENTS];

static void expect_infos(void)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_true(take_info(i, &infos[i]));
    }
}

static int set_up(void **state)
{
    (void)state;
    prepare();
    begin();
    expect_infos();
    return 0;
}

static void each_client_learns_its_part(void **state)
{
    (void)state;

    prepare();
    config.clients[1].read_only = true;
    config.clients[2].size = 0; /* to the end */
    disk.physical_exponent = 3;
    disk.alignment_offset = 7;
    config.clients[1].offset += 3 * 512; /* not as the disk would like it */
    config.clients[1].size -= 3 * 512;
    init();
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_false(take_info(i, &infos[i])); /* not before the disk is known */
        build(1, BLOCK_READ, 0, 1);
        send(i);
    }
    notified(0);
    assert_false(driver_receive());
    driver_say(&disk, sizeof(disk));
    notified(DRIVER);
    expect_infos();
    assert_int_equal(infos[0].sectors, PART);
    assert_int_equal(infos[0].features, disk.features);
    assert_int_equal(infos[0].alignment_offset, 7);
    assert_int_equal(infos[1].sectors, PART - 3);
    assert_int_equal(infos[1].features, BLOCK_INFO_FLUSH | BLOCK_INFO_READ_ONLY);
    assert_int_equal(infos[1].alignment_offset, 4);
    assert_int_equal(infos[2].sectors, SECTORS - 2 * PART);
    assert_int_equal(drive(), CLIENTS); /* what was asked early is done now */
}

static void parts_that_are_not_there(void **state)
{
    (void)state;

    prepare();
    config.clients[0].offset = (uint64_t)SECTORS * BLOCK_SECTOR;
    config.clients[1].size = ((uint64_t)SECTORS - PART + 1) * BLOCK_SECTOR;
    begin();
    expect_infos();
    assert_int_equal(infos[0].sectors, 0);
    assert_int_equal(infos[1].sectors, 0);
    assert_int_equal(infos[2].sectors, PART); /* the others go on */
    assert_non_null(strstr(fake.debug, "vm0 disk0 has no medium"));
    assert_non_null(strstr(fake.debug, "vm1 disk0 has no medium"));
    assert_null(strstr(fake.debug, "vm2"));
    build(1, BLOCK_READ, 0, 1);
    send_in_vain(0, BLOCK_IO_ERROR);
    build(1, BLOCK_FLUSH, 0, 0);
    send_in_vain(1, BLOCK_IO_ERROR);

    prepare();
    disk.block_size = 4096;
    disk.sectors = SECTORS / 8 * 8;
    config.clients[0].size -= 512;
    begin();
    expect_infos();
    assert_int_equal(infos[0].sectors, 0);
    assert_int_equal(infos[1].sectors, PART);

    prepare();
    disk = (struct block_info){.kind = BLOCK_REPLY_INFO};
    begin();
    expect_infos();
    assert_int_equal(infos[2].sectors, 0);
}

static void parts_that_meet(void **state)
{
    (void)state;

    prepare();
    config.clients[1].offset -= 4096;
    begin();
    expect_infos();
    assert_int_equal(infos[0].sectors, PART);
    assert_int_equal(infos[1].sectors, 0);
    assert_non_null(strstr(fake.debug, "meets that of vm0 disk0"));

    prepare(); /* many may read, if nobody writes */
    config.clients[1].offset = 0;
    config.clients[0].read_only = config.clients[1].read_only = true;
    config.clients[2].offset = 0;
    begin();
    expect_infos();
    assert_int_equal(infos[1].sectors, PART);
    assert_int_equal(infos[2].sectors, 0);
}

static void requests_are_put_in_the_drivers_terms(void **state)
{
    (void)state;

    build(77, BLOCK_WRITE, 10, 4);
    request.head.segment_count = 2;
    request.segments[0] = (struct block_segment){.region = 0, .offset = 3, .length = 1000};
    request.segments[1] =
        (struct block_segment){.region = 1, .offset = REGION - 1048, .length = 1048};
    send(1);
    notified(1);
    assert_true(driver_receive());
    assert_int_equal(seen.head.op, BLOCK_WRITE);
    assert_int_equal(seen.head.sector, PART + 10);
    assert_int_equal(seen.head.sector_count, 4);
    assert_int_equal(seen.segments[0].region, 3);
    assert_int_equal(seen.segments[0].offset, 3);
    assert_int_equal(seen.segments[0].length, 1000);
    assert_int_equal(seen.segments[1].region, 4);
    assert_int_equal(seen.segments[1].offset, REGION - 1048);
    assert_false(driver_receive());
    expect_nothing(1);
    assert_false(ring_await_data(&replies[1]));
    driver_answer(seen.head.id, BLOCK_OK);
    notified(DRIVER);
    assert_int_equal(fake_notified(1), 1);
    expect(1, 77, BLOCK_OK);
    expect_nothing(0);
    expect_nothing(2);
    assert_int_equal(fake_notified(0) + fake_notified(2), 0);
}

/* An operation that the driver answers after so many microseconds. */
static void one_that_takes(enum block_op op, uint32_t sectors, uint32_t microseconds,
                           uint32_t status)
{
    build(9, op, 0, sectors);
    send(0);
    notified(0);
    assert_true(driver_receive());
    fake.counter += microseconds * (fake.frequency / 1000000);
    driver_answer(seen.head.id, status);
    notified(DRIVER);
    expect(0, 9, status);
}

static void operations_are_counted(void **state)
{
    (void)state;
    const struct stats_disk none = {0};

    one_that_takes(BLOCK_READ, 8, 5, BLOCK_OK);
    one_that_takes(BLOCK_READ, 1, 100, BLOCK_IO_ERROR);
    one_that_takes(BLOCK_WRITE, 4, 5, BLOCK_OK);
    one_that_takes(BLOCK_FLUSH, 0, 1000, BLOCK_OK);
    one_that_takes(BLOCK_DISCARD, 8, 0, BLOCK_OK);
    assert_int_equal(stats[0].reads, 2);
    assert_int_equal(stats[0].read_bytes, 9 * BLOCK_SECTOR);
    assert_int_equal(stats[0].writes, 1);
    assert_int_equal(stats[0].written_bytes, 4 * BLOCK_SECTOR);
    assert_int_equal(stats[0].flushes, 1);
    assert_int_equal(stats[0].discards, 1);
    assert_int_equal(stats[0].errors, 1);
    assert_int_equal(stats[0].flight_time, 1110 * (fake.frequency / 1000000));
    assert_int_equal(stats[0].latency[stats_latency_class(0)], 1);
    assert_int_equal(stats[0].latency[stats_latency_class(5)], 2);
    assert_int_equal(stats[0].latency[stats_latency_class(100)], 1);
    assert_int_equal(stats[0].latency[stats_latency_class(1000)], 1);
    build(9, BLOCK_READ, PART, 1);
    send_in_vain(0, BLOCK_IO_ERROR); /* an invalid one reaches no disk */
    assert_int_equal(stats[0].errors, 2);
    assert_int_equal(stats[0].flight_time, 1110 * (fake.frequency / 1000000));
    assert_memory_equal(&stats[1], &none, sizeof(none));
}

static void an_error_is_for_the_one_who_asked(void **state)
{
    (void)state;
    uint32_t ids[CLIENTS];

    for (unsigned i = 0; i < CLIENTS; i++) {
        build(100 + i, BLOCK_READ, 0, 1);
        send(i);
        notified(i);
        assert_true(driver_receive());
        ids[i] = seen.head.id;
    }
    driver_answer(ids[2], BLOCK_OK);
    driver_answer(ids[1], BLOCK_IO_ERROR);
    driver_answer(ids[0], BLOCK_UNSUPPORTED);
    notified(DRIVER);
    expect(0, 100, BLOCK_UNSUPPORTED);
    expect(1, 101, BLOCK_IO_ERROR);
    expect(2, 102, BLOCK_OK);
    assert_false(driver_receive()); /* nothing is tried again */
}

static void not_a_sector_outside_of_the_part(void **state)
{
    (void)state;
    static const struct {
        uint64_t sector;
        uint32_t count;
    } places[] = {
        {PART, 1},           {PART - 1, 2},         {PART + 1, 1},          {0, 0},
        {0, PART + 1},       {UINT64_MAX, 1},       {UINT64_MAX, 2},        {UINT64_MAX - PART, 1},
        {1ULL << 63, 1},     {(1ULL << 55) - 1, 2}, {UINT64_MAX / 512, 1},  {SECTORS, 1},
        {PART - 1, 1 << 23}, {0, UINT32_MAX},       {UINT64_MAX - 511, 512}};

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (enum block_op op = BLOCK_READ; op <= BLOCK_WRITE_ZEROES; op++) {
            uint32_t bytes = places[i].count * BLOCK_SECTOR;

            if (op == BLOCK_FLUSH) {
                continue;
            }
            build(i, op, places[i].sector, places[i].count);
            request.segments[0].length = bytes < REGION ? bytes : REGION;
            send_in_vain(1, BLOCK_IO_ERROR);
        }
    }
    build(99, BLOCK_READ, PART - 1, 1);
    send(1);
    notified(1);
    assert_int_equal(drive(), 1);
    expect(1, 99, BLOCK_OK);
}

static void not_a_byte_outside_of_the_regions(void **state)
{
    (void)state;
    static const struct block_segment segments[] = {
        {.region = 2, .length = 512},
        {.region = UINT32_MAX, .length = 512}, /* with the first region's number: 0 */
        {.region = UINT32_MAX - 2, .length = 512},
        {.region = 0, .offset = REGION / 2, .length = 512},
        {.region = 0, .offset = REGION / 2 - 511, .length = 512},
        {.region = 0, .offset = UINT64_MAX, .length = 512},
        {.region = 0, .offset = UINT64_MAX - 511, .length = 512},
        {.region = 0, .offset = 1ULL << 32, .length = 512},
        {.region = 0, .offset = 0, .length = 0},
        {.region = 0, .offset = 0, .length = REGION / 2 + 512},
        {.region = 0, .offset = 0, .length = UINT32_MAX},
    };

    config.clients[1].first_region = 2; /* of half the size, then one of the full size */
    for (uint32_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        build(i, BLOCK_READ, 0, 2);
        request.head.segment_count = 2;
        request.segments[0] = (struct block_segment){.length = 512};
        request.segments[1] = segments[i];
        send_in_vain(1, BLOCK_IO_ERROR);
    }
    build(50, BLOCK_READ, 0, 1);
    request.segments[0].region = 1; /* client 2 has one only */
    send_in_vain(2, BLOCK_IO_ERROR);
    build(51, BLOCK_READ, 0, 1);
    config.clients[1].first_region = 5; /* even if the configuration were wrong */
    request.segments[0].region = 1;
    send_in_vain(1, BLOCK_IO_ERROR);
}

static void requests_that_are_none(void **state)
{
    (void)state;

    build(1, BLOCK_READ, 0, 1);
    request.head.op = BLOCK_WRITE_ZEROES + 1;
    send_in_vain(0, BLOCK_IO_ERROR);
    build(2, BLOCK_READ, 0, 1);
    request.head.flags = 2;
    send_in_vain(0, BLOCK_IO_ERROR);
    build(3, BLOCK_READ, 0, 1);
    request.head.segment_count = 0;
    send_in_vain(0, BLOCK_IO_ERROR);
    build(4, BLOCK_FLUSH, 0, 0);
    request.head.segment_count = 1;
    send_in_vain(0, BLOCK_IO_ERROR);
    build(5, BLOCK_DISCARD, 0, 1);
    request.head.segment_count = 1;
    send_in_vain(0, BLOCK_IO_ERROR);
    build(6, BLOCK_READ, 0, 1);
    request.head.segment_count = 127;
    send_in_vain(0, BLOCK_IO_ERROR);
    build(7, BLOCK_READ, 0, 1);
    request.head.segment_count = UINT16_MAX;
    send_bytes(0, sizeof(request));
    expect_refused(0, BLOCK_IO_ERROR);
    build(8, BLOCK_READ, 0, 1);
    request.head.segment_count = 2;
    send_bytes(0, sizeof(request.head) + 31);
    expect_refused(0, BLOCK_IO_ERROR);
    build(9, BLOCK_READ, 0, 1);
    send_bytes(0, sizeof(request.head) - 1);
    expect_refused(0, BLOCK_IO_ERROR);
    build(10, BLOCK_READ, 0, 1);
    request.segments[0].length = 513; /* of odd length */
    send_in_vain(0, BLOCK_IO_ERROR);
    build(11, BLOCK_READ, 0, 1);
    request.segments[0].length = 1024; /* more than it says */
    send_in_vain(0, BLOCK_IO_ERROR);
    build(0, BLOCK_READ, 0, 0);
    send_bytes(0, 0);
    expect_refused(0, BLOCK_IO_ERROR);
    build(12, BLOCK_DISCARD, 0, 1001);
    send_in_vain(0, BLOCK_IO_ERROR);
    build(13, BLOCK_WRITE_ZEROES, 0, 501);
    send_in_vain(0, BLOCK_IO_ERROR);
}

static void too_much_data_in_one_request(void **state)
{
    (void)state;

    prepare();
    config.clients[0].size = config.clients[0].offset = 0;
    config.client_count = 1;
    disk.sectors = 1ULL << 40;
    begin();
    assert_true(take_info(0, &infos[0]));
    build(1, BLOCK_READ, 0, (BLOCK_BYTES_MAX + REGION) / BLOCK_SECTOR);
    request.head.segment_count = 9;
    for (unsigned i = 0; i < 9; i++) {
        request.segments[i] = (struct block_segment){.length = REGION};
    }
    send_in_vain(0, BLOCK_IO_ERROR);
    request.head.sector_count = BLOCK_BYTES_MAX / BLOCK_SECTOR;
    request.head.segment_count = 8;
    send(0);
    notified(0);
    assert_true(driver_receive());
}

static void large_blocks_are_kept_whole(void **state)
{
    (void)state;

    prepare();
    disk.block_size = 4096;
    begin();
    expect_infos();
    build(1, BLOCK_READ, 4, 8);
    send_in_vain(0, BLOCK_IO_ERROR);
    build(2, BLOCK_WRITE, 8, 4);
    send_in_vain(0, BLOCK_IO_ERROR);
    build(3, BLOCK_DISCARD, 8, 9);
    send_in_vain(0, BLOCK_IO_ERROR);
    build(4, BLOCK_READ, 8, 8);
    send(0);
    notified(0);
    assert_int_equal(drive(), 1);
    expect(0, 4, BLOCK_OK);
}

static void who_may_only_read_does_not_write(void **state)
{
    (void)state;

    for (int whole = 0; whole < 2; whole++) {
        prepare();
        config.clients[1].read_only = !whole;
        disk.features |= whole ? BLOCK_INFO_READ_ONLY : 0;
        begin();
        expect_infos();
        for (enum block_op op = BLOCK_WRITE; op <= BLOCK_WRITE_ZEROES; op++) {
            if (op != BLOCK_FLUSH) {
                build(1, op, 0, 1);
                send_in_vain(1, BLOCK_IO_ERROR);
            }
        }
        build(2, BLOCK_READ, 0, 1);
        send(1);
        notified(1);
        assert_int_equal(drive(), 1);
        expect(1, 2, BLOCK_OK);
    }
}

static void what_the_disk_cannot_do(void **state)
{
    (void)state;

    prepare();
    disk.features = 0;
    begin();
    expect_infos();
    build(1, BLOCK_DISCARD, 0, 1);
    send_in_vain(0, BLOCK_UNSUPPORTED);
    build(2, BLOCK_WRITE_ZEROES, 0, 1);
    send_in_vain(0, BLOCK_UNSUPPORTED);

    prepare();
    begin();
    expect_infos();
    build(3, BLOCK_WRITE_ZEROES, 0, 1);
    request.head.flags = BLOCK_REQUEST_UNMAP;
    send(0);
    notified(0);
    assert_true(driver_receive());
    assert_int_equal(seen.head.flags, 0); /* the disk does not know it */
}

static void a_flush_waits_for_the_writes_before_it(void **state)
{
    (void)state;
    uint32_t writes[2];

    for (uint32_t i = 0; i < 2; i++) {
        build(i, BLOCK_WRITE, i, 1);
        send(0);
    }
    build(2, BLOCK_FLUSH, 0, 0);
    send(0);
    build(3, BLOCK_WRITE, 9, 1);
    send(0);
    notified(0);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(driver_receive());
        assert_int_equal(seen.head.sector, i);
        writes[i] = seen.head.id;
    }
    assert_false(driver_receive());
    build(4, BLOCK_WRITE, 9, 1);
    send(1);
    notified(1);
    assert_true(driver_receive()); /* another's write does not wait */
    assert_int_equal(seen.head.sector, PART + 9);
    assert_false(driver_receive());
    driver_answer(writes[1], BLOCK_OK);
    notified(DRIVER);
    assert_false(driver_receive());
    driver_answer(writes[0], BLOCK_IO_ERROR);
    notified(DRIVER);
    assert_true(driver_receive());
    assert_int_equal(seen.head.op, BLOCK_FLUSH);
    assert_true(driver_receive());
    assert_int_equal(seen.head.sector, 9);
    build(5, BLOCK_FLUSH, 0, 0);
    send(0);
    build(6, BLOCK_READ, 0, 1);
    send(1);
    notified(0);
    assert_true(driver_receive());
    assert_int_equal(seen.head.op, BLOCK_READ);
    assert_false(driver_receive()); /* the second flush waits for the write behind the first */
}

/* ---- Fairness ---- */

static unsigned flood(unsigned client, uint32_t sectors, unsigned count)
{
    unsigned sent = 0;

    while (sent < count && ring_space(&requests[client]) > 512) {
        build(sent, BLOCK_READ, 0, sectors);
        send(client);
        sent++;
    }
    return sent;
}

static void a_flood_leaves_room_for_others(void **state)
{
    (void)state;
    unsigned in_flight = 0;

    flood(0, 8, 300);
    notified(0);
    while (driver_receive()) {
        in_flight++;
    }
    assert_true(in_flight >= 16 && in_flight < BLOCK_DEPTH);
    build(1, BLOCK_READ, 5, 1);
    send(1);
    notified(1);
    assert_true(driver_receive()); /* at once */
    assert_int_equal(seen.head.sector, PART + 5);
}

static void large_requests_in_flight_are_few(void **state)
{
    (void)state;
    unsigned in_flight = 0;

    flood(0, 1024, 100);
    notified(0);
    while (driver_receive()) {
        in_flight++;
    }
    assert_int_equal(in_flight, 8); /* 4 MiB */
}

/* The driver finishes one request at a time; who gets how many bytes? */
static void bytes_are_shared_evenly(void **state)
{
    (void)state;
    static const uint32_t sizes[CLIENTS] = {8, 1024, 64}; /* sectors */
    uint64_t moved[CLIENTS] = {0}, total = 0;
    static uint32_t pending[BLOCK_DEPTH * 2];
    unsigned first = 0, last = 0;

    while (total < 400u << 20) {
        uint32_t id, status;

        for (unsigned i = 0; i < CLIENTS; i++) {
            flood(i, sizes[i], 1000);
            while (receive(i, &id, &status)) {
            }
        }
        notified(0);
        while (driver_receive()) {
            unsigned owner = (unsigned)(seen.head.sector / PART);

            moved[owner] += seen.head.sector_count * 512ull + (16u << 10);
            total += seen.head.sector_count * 512ull + (16u << 10);
            pending[last++ % (BLOCK_DEPTH * 2)] = seen.head.id;
        }
        assert_true(last > first);
        driver_answer(pending[first++ % (BLOCK_DEPTH * 2)], BLOCK_OK);
        notified(DRIVER);
    }
    /* Bounds on what is in flight keep the small ones from filling the disk: no worse than half. */
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_true(moved[i] > total / CLIENTS / 2);
    }
}

static void a_client_that_takes_no_answers_is_served_no_more(void **state)
{
    (void)state;
    unsigned total = 0, done;
    uint32_t id, status;

    do {
        flood(0, 1, 400);
        notified(0);
        done = drive();
        total += done;
    } while (done > 0);
    assert_true(total <= BLOCK_REPLY_RING / BLOCK_REPLY_BYTES);
    build(1, BLOCK_READ, 0, 1);
    send(1);
    notified(1);
    assert_int_equal(drive(), 1);
    expect(1, 1, BLOCK_OK);
    for (unsigned i = 0; i < total; i++) {
        assert_true(receive(0, &id, &status));
    }
    assert_true(ring_take_space_wanted(&replies[0])); /* so that it has to notify */
    notified(0);
    assert_true(drive() > 0);
}

/* Wrong requests need answers too: with nobody to take them the multiplexer does not run on. */
static void a_flood_of_nonsense_ends(void **state)
{
    (void)state;
    unsigned answered = 0;
    uint32_t id, status;

    flood(0, PART + 1, 400);
    notified(0);
    while (receive(0, &id, &status)) {
        assert_int_equal(status, BLOCK_IO_ERROR);
        answered++;
    }
    assert_true(answered > 0 && answered <= BLOCK_REPLY_RING / BLOCK_REPLY_BYTES);
}

/*
 * A client on another core: at any moment it fills its ring with nonsense, and takes the answers.
 * The rings are so large that the one is not empty, and the other not full, before the next such
 * moment.
 */
static _Alignas(4096) uint8_t large[2][RING_HEADER_SIZE + LARGE_RING];
static volatile sig_atomic_t times_filled;

static void fill_with_nonsense(int number)
{
    uint32_t count;

    (void)number;
    if (times_filled == NONSENSE_FILLS) {
        return;
    }
    while (ring_peek(&replies[0], &count) != NULL) {
        ring_release(&replies[0]);
    }
    for (uint32_t *record; (record = ring_reserve(&requests[0], sizeof(*record))) != NULL;) {
        *record = 0;
        ring_commit(&requests[0]);
    }
    times_filled++;
}

static void nonsense_without_an_end_leaves_others_their_turn(void **state)
{
    (void)state;
    const struct itimerval often = {{0, 500}, {0, 500}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    struct block_client_config *client = &config.clients[0];
    int filled;

    prepare();
    client->request_ring_size = client->reply_ring_size = LARGE_RING;
    client->requests = memset(large[0], 0, sizeof(large[0]));
    client->replies = memset(large[1], 0, sizeof(large[1]));
    ring_init(&requests[0], large[0], LARGE_RING);
    ring_init(&replies[0], large[1], LARGE_RING);
    begin();
    expect_infos();
    times_filled = 0;
    assert_ptr_not_equal(signal(SIGALRM, fill_with_nonsense), SIG_ERR);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    while (times_filled == 0) {
    }
    build(1, BLOCK_READ, 0, 1);
    send(1);
    notified(0);
    filled = times_filled;
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_ptr_not_equal(signal(SIGALRM, SIG_DFL), SIG_ERR);
    assert_true(filled < NONSENSE_FILLS); /* it has ended while it went on */
    assert_int_equal(drive(), 1);
    expect(1, 1, BLOCK_OK);
}

static void a_broken_ring_is_its_owners_loss(void **state)
{
    (void)state;

    ((struct ring_shared *)(void *)to_block[0])->head = 0x7fffffff;
    ((struct ring_shared *)(void *)from_block[2])->tail = 0x7fffffff;
    build(1, BLOCK_READ, 0, 1);
    send(2);
    notified(0);
    notified(0);
    assert_non_null(strstr(fake.debug, "vm0 disk0 has broken its ring"));
    assert_null(strstr(strstr(fake.debug, "vm0 disk0 has broken") + 1, "vm0 disk0 has broken"));
    assert_non_null(strstr(fake.debug, "vm2 disk0 has broken its ring"));
    build(2, BLOCK_READ, 0, 1);
    send(1);
    notified(1);
    assert_int_equal(drive(), 1);
    expect(1, 2, BLOCK_OK);
}

/* ---- A driver gone wrong ---- */

static void answers_that_nobody_asked_for(void **state)
{
    (void)state;
    struct block_done done = {.kind = BLOCK_REPLY_DONE};

    driver_answer(0, BLOCK_OK);
    driver_answer(BLOCK_DEPTH, BLOCK_OK);
    driver_answer(UINT32_MAX, BLOCK_OK);
    driver_say(&done, 4);
    driver_say(&done, 0);
    done.kind = 77;
    driver_say(&done, sizeof(done));
    driver_say(&disk, sizeof(disk)); /* a second time */
    notified(DRIVER);
    for (unsigned i = 0; i < CLIENTS; i++) {
        expect_nothing(i);
    }
    build(1, BLOCK_READ, 0, 1);
    send(0);
    notified(0);
    assert_true(driver_receive());
    driver_answer(seen.head.id, 4711);
    driver_answer(seen.head.id, BLOCK_OK);
    notified(DRIVER);
    expect(0, 1, BLOCK_IO_ERROR);
    expect_nothing(0);
}

static void impossible_disks(void **state)
{
    (void)state;

    for (int i = 0; i < 7; i++) {
        prepare();
        switch (i) {
        case 0:
            disk.block_size = 0;
            break;
        case 1:
            disk.block_size = 513;
            break;
        case 2:
            disk.block_size = 1 << 16;
            break;
        case 3:
            disk.segments_max = 257;
            break;
        case 4:
            disk.segment_bytes_max = 0;
            break;
        case 5:
            disk.sectors = UINT64_MAX;
            break;
        default:
            disk.physical_exponent = 64;
        }
        begin();
        expect_infos();
        assert_int_equal(infos[0].sectors, 0);
    }
}

/* ---- Partitions ---- */

static void put(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static void add_partition(uint8_t *entries, unsigned index, uint64_t first, uint64_t last,
                          const char *name)
{
    uint8_t *entry = entries + index * 128;

    entry[0] = 1;
    put(entry + 32, first, 8);
    put(entry + 40, last, 8);
    for (unsigned i = 0; name[i] != '\0'; i++) {
        entry[56 + 2 * i] = (uint8_t)name[i];
    }
}

/* Both tables of a disk of `blocks` blocks of `size` bytes. */
static void make_table(uint32_t size, uint64_t blocks)
{
    uint32_t entries_blocks = (128 * 128 + size - 1) / size;

    memset(medium, 0, sizeof(medium));
    for (int backup = 0; backup < 2; backup++) {
        uint64_t at = backup ? blocks - 1 : 1;
        uint64_t entries_at = backup ? blocks - 1 - entries_blocks : 2;
        uint8_t *header = medium + at * size;
        uint8_t *entries = medium + entries_at * size;

        add_partition(entries, 0, 100, 199, "one");
        add_partition(entries, 1, 200, 1199, "two");
        add_partition(entries, 2, 1200, 1299, backup ? "three-b" : "three");
        memcpy(header, "EFI PART", 8);
        put(header + 8, 0x10000, 4);
        put(header + 12, 92, 4);
        put(header + 24, at, 8);
        put(header + 32, blocks - 1 - at + 1, 8);
        put(header + 40, 2 + entries_blocks, 8);
        put(header + 48, blocks - 2 - entries_blocks, 8);
        put(header + 72, entries_at, 8);
        put(header + 80, 128, 4);
        put(header + 84, 128, 4);
        put(header + 88, gpt_checksum(entries, 128 * 128), 4);
        put(header + 16, gpt_checksum(header, 92), 4);
    }
}

static void use_partitions(void)
{
    config.clients[0].slice_kind = BLOCK_SLICE_BY_NAME;
    config.clients[0].partition = "two";
    config.clients[1].slice_kind = BLOCK_SLICE_BY_NUMBER;
    config.clients[1].number = 3;
    config.clients[2].slice_kind = BLOCK_SLICE_RANGE;
    config.clients[2].offset = 2000 * 512;
    config.clients[2].size = 1000 * 512;
}

/* The driver reads as long as it is asked to. */
static void drive_all(void)
{
    while (drive() > 0) {
    }
}

static void partitions_by_name_and_number(void **state)
{
    (void)state;

    prepare();
    use_partitions();
    make_table(512, SECTORS);
    begin();
    assert_false(take_info(0, &infos[0])); /* the table comes first */
    drive_all();
    expect_infos();
    assert_int_equal(infos[0].sectors, 1000);
    assert_int_equal(infos[1].sectors, 100);
    assert_int_equal(infos[2].sectors, 1000);
    build(1, BLOCK_READ, 7, 1);
    send(0);
    notified(0);
    assert_true(driver_receive());
    assert_int_equal(seen.head.sector, 207);
    send(1);
    notified(1);
    assert_true(driver_receive());
    assert_int_equal(seen.head.sector, 1207);
}

/* The driver writes memory; what the caches have of the buffer is older. */
static void partitions_of_a_disk_past_the_caches(void **state)
{
    prepare();
    fake_dma_add(buffer, BUFFER_PADDR, sizeof(buffer));
    memset(buffer, 0xee, sizeof(buffer));
    partitions_by_name_and_number(state);
    assert_null(strstr(fake.debug, "of no use")); /* not even the first copy of the table */
    fake_dma_reset();
}

static void partitions_of_large_blocks_read_in_pieces(void **state)
{
    (void)state;

    prepare();
    use_partitions();
    disk.block_size = 4096;
    disk.segment_bytes_max = 5000;
    make_table(4096, SECTORS / 8);
    config.clients[2].offset = 1400 * 4096ull;
    config.clients[2].size = 4096;
    begin();
    drive_all();
    expect_infos();
    assert_int_equal(infos[0].sectors, 8000);
    assert_int_equal(infos[1].sectors, 800);
    assert_int_equal(infos[2].sectors, 8);
}

static void the_backup_serves_if_the_primary_is_damaged(void **state)
{
    (void)state;

    for (int damage = 0; damage < 2; damage++) {
        prepare();
        use_partitions();
        make_table(512, SECTORS);
        medium[damage == 0 ? 512 : 1024] ^= 1; /* header, or entries */
        config.clients[0].partition = "three-b";
        config.clients[1].number = 1;
        begin();
        drive_all();
        expect_infos();
        assert_int_equal(infos[0].sectors, 100);
        assert_int_equal(infos[1].sectors, 100);
        assert_non_null(strstr(fake.debug, "primary partition table is of no use"));
    }
}

static void a_disk_without_a_table(void **state)
{
    (void)state;

    prepare();
    use_partitions();
    memset(medium, 0x5a, sizeof(medium));
    begin();
    drive_all();
    expect_infos();
    assert_int_equal(infos[0].sectors, 0);
    assert_int_equal(infos[1].sectors, 0);
    assert_int_equal(infos[2].sectors, 1000); /* who does not need it has his part */
    assert_non_null(strstr(fake.debug, "backup partition table is of no use"));
}

static void a_table_that_cannot_be_read(void **state)
{
    (void)state;

    prepare();
    use_partitions();
    begin();
    while (driver_receive()) {
        driver_answer(seen.head.id, BLOCK_IO_ERROR);
        notified(DRIVER);
    }
    expect_infos();
    assert_int_equal(infos[0].sectors, 0);
    assert_int_equal(infos[2].sectors, 1000);

    prepare();
    use_partitions();
    disk = (struct block_info){.kind = BLOCK_REPLY_INFO};
    begin();
    assert_false(driver_receive());
    expect_infos();
    assert_int_equal(infos[0].sectors, 0);
}

static void a_range_upon_a_partition(void **state)
{
    (void)state;

    prepare();
    use_partitions();
    make_table(512, SECTORS);
    config.clients[2].offset = 1199 * 512;
    config.clients[2].size = 512;
    begin();
    drive_all();
    expect_infos();
    assert_int_equal(infos[0].sectors, 1000);
    assert_int_equal(infos[2].sectors, 0);
    assert_non_null(strstr(fake.debug, "meets that of vm0 disk0"));
}

/* ---- Limits ---- */

#define TIMER      59
#define OPERATIONS 1000u
#define BYTES      (4u << 20)
#define BURST_US   20000u

static uint64_t deadline; /* that the timer's driver has */

static microkit_msginfo timer_call(microkit_channel ch, microkit_msginfo msginfo)
{
    assert_int_equal(ch, TIMER);
    assert_int_equal(microkit_msginfo_get_label(msginfo), TIMER_SET);
    assert_int_equal(microkit_msginfo_get_count(msginfo), 1);
    deadline = microkit_mr_get(0);
    assert_true(deadline > fake.counter);
    return microkit_msginfo_new(0, 0);
}

static void begin_limited(uint64_t bytes, uint32_t operations)
{
    prepare();
    config.has_timer = true;
    config.timer_channel = TIMER;
    config.clients[0].bytes_rate = bytes;
    config.clients[0].operations_rate = operations;
    config.clients[0].burst_us = BURST_US;
    fake.ppcall = timer_call;
    deadline = TIMER_NEVER;
    begin();
    expect_infos();
}

static void take_answers(unsigned client)
{
    uint32_t id, status;

    while (receive(client, &id, &status)) {
        assert_int_equal(status, BLOCK_OK);
    }
}

/* Requests that go in ten seconds while there are as many as can be. */
static unsigned requests_of_flood(enum block_op op, uint32_t sectors)
{
    uint64_t until = fake.counter + 10 * fake.frequency;
    unsigned count = 0, done;

    for (;;) {
        while (ring_space(&requests[0]) > 512) {
            build(0, op, 0, sectors);
            send(0);
        }
        notified(0);
        while ((done = drive()) > 0) {
            count += done;
            take_answers(0);
        }
        if (deadline > until) {
            return count;
        }
        fake.counter = deadline;
        deadline = TIMER_NEVER;
        notified(TIMER);
    }
}

static void operations_are_limited(void **state)
{
    (void)state;
    static const enum block_op ops[] = {BLOCK_READ, BLOCK_WRITE, BLOCK_DISCARD, BLOCK_WRITE_ZEROES};

    for (unsigned i = 0; i < 4; i++) {
        begin_limited(0, OPERATIONS);
        assert_in_range(requests_of_flood(ops[i], 8), 10 * OPERATIONS,
                        10 * OPERATIONS + OPERATIONS / 50 + 1);
        assert_true(fake.ppcalls[TIMER] <= 10 * 2000 + 1);
    }
}

static void bytes_are_limited(void **state)
{
    (void)state;
    static const uint32_t sectors[] = {1, 8, 1024};

    for (unsigned i = 0; i < 3; i++) {
        uint32_t size = sectors[i] * BLOCK_SECTOR;

        begin_limited(BYTES, 0);
        assert_in_range(requests_of_flood(BLOCK_READ, sectors[i]), 10 * BYTES / size,
                        (10 * BYTES + BYTES / 50) / size + 2);
    }
}

static void the_lower_of_two_limits_counts(void **state)
{
    (void)state;

    begin_limited(BYTES, OPERATIONS);
    assert_in_range(requests_of_flood(BLOCK_READ, 1), 10 * OPERATIONS, 10 * OPERATIONS + 21);
    begin_limited(BYTES, OPERATIONS);
    assert_in_range(requests_of_flood(BLOCK_READ, 64), 10 * BYTES / 32768, 10 * BYTES / 32768 + 5);
}

static void time_passes(microkit_channel ch)
{
    (void)ch;
    fake.counter += 2;
}

/* Between the look at its limit and the end of the turn. Nothing else would wake the multiplexer.
 */
static void a_request_whose_limit_opens_meanwhile_is_not_forgotten(void **state)
{
    (void)state;
    begin_limited(0, OPERATIONS);
    for (unsigned i = 0; i < OPERATIONS / 50; i++) {
        build(i, BLOCK_WRITE, 0, 1);
        send(0);
        notified(0);
        assert_int_equal(drive(), 1);
        take_answers(0);
    }
    build(50, BLOCK_WRITE, 0, 1);
    send(0);
    notified(0);
    assert_true(driver_receive());
    build(51, BLOCK_WRITE, 0, 1);
    send(0);
    assert_false(ring_await_data(&replies[0]));
    fake.counter += fake.frequency / OPERATIONS - 1;
    fake.on_notify = time_passes;
    driver_answer(seen.head.id, BLOCK_OK);
    notified(DRIVER);
    fake.on_notify = NULL;
    expect(0, 50, BLOCK_OK);
    assert_false(driver_receive());
    assert_in_range(deadline, 0, fake.counter + fake.frequency / 1000);
    fake.counter = deadline;
    notified(TIMER);
    assert_int_equal(drive(), 1);
    expect(0, 51, BLOCK_OK);
}

static void flushes_neither_count_nor_wait(void **state)
{
    (void)state;
    uint64_t opens;

    begin_limited(0, OPERATIONS);
    for (unsigned i = 0; i <= OPERATIONS / 50; i++) {
        build(i, BLOCK_WRITE, 0, 1);
        send(0);
        notified(0);
        assert_int_equal(drive(), 1);
        take_answers(0);
    }
    for (unsigned i = 0; i < 100; i++) {
        build(i, BLOCK_FLUSH, 0, 0);
        send(0);
        notified(0);
        assert_int_equal(drive(), 1);
        expect(0, i, BLOCK_OK);
    }
    assert_int_equal(deadline, TIMER_NEVER); /* nothing waits */
    build(1, BLOCK_WRITE, 0, 1);
    send(0);
    notified(0);
    assert_int_equal(drive(), 0);
    opens = fake.counter + fake.frequency / OPERATIONS;
    assert_in_range(deadline, opens, opens + fake.frequency / 2000 + 1);
    build(2, BLOCK_FLUSH, 0, 0); /* it is behind a write that waits, which it is for */
    send(0);
    notified(0);
    assert_int_equal(drive(), 0);
    fake.counter = deadline;
    notified(TIMER);
    assert_int_equal(drive(), 1);
    expect(0, 1, BLOCK_OK);
    assert_int_equal(drive(), 1);
    expect(0, 2, BLOCK_OK);
}

static void a_limit_is_nobody_elses(void **state)
{
    (void)state;

    begin_limited(0, OPERATIONS);
    flood(0, 8, 300);
    notified(0);
    while (drive() > 0) {
        take_answers(0);
    }
    assert_true(deadline != TIMER_NEVER);
    for (unsigned i = 0; i < 1000; i++) {
        build(i, BLOCK_READ, 5, 1);
        send(1);
        notified(1);
        assert_int_equal(drive(), 1);
        expect(1, i, BLOCK_OK);
    }
}

/* Nor does what is wrong count: it is answered at once. */
static void errors_do_not_wait(void **state)
{
    (void)state;

    begin_limited(0, OPERATIONS);
    for (unsigned i = 0; i < 100; i++) {
        build(i, BLOCK_READ, PART, 1);
        send_in_vain(0, BLOCK_IO_ERROR);
    }
    assert_int_equal(fake.ppcalls[TIMER], 0);
}

static void driver_faults(void)
{
    microkit_msginfo reply;

    assert_false(
        fault(BLOCK_DRIVER_CHILD, microkit_msginfo_new(seL4_Fault_UserException, 5), &reply));
}

static unsigned asked_in_vain;

static microkit_msginfo timer_in_the_past(microkit_channel ch, microkit_msginfo msginfo)
{
    (void)ch;
    (void)msginfo;
    deadline = microkit_mr_get(0);
    asked_in_vain += deadline <= fake.counter;
    return microkit_msginfo_new(0, 0);
}

/* It would be open by now, and the timer would wake the multiplexer again and again. */
static void a_limit_is_not_asked_for_while_there_is_no_room(void **state)
{
    (void)state;

    begin_limited(0, OPERATIONS);
    fake.ppcall = timer_in_the_past;
    while (deadline == TIMER_NEVER) {
        build(0, BLOCK_READ, 0, 1);
        send(0);
        notified(0);
        drive();
        take_answers(0);
    }
    build(1, BLOCK_READ, 0, 1);
    driver_faults();
    send(1);
    notified(1);
    asked_in_vain = 0;
    for (int i = 0; i < 100; i++) {
        fake.counter = deadline > fake.counter ? deadline : fake.counter + 100;
        notified(TIMER);
    }
    assert_int_equal(asked_in_vain, 0);
}

static void a_limit_without_a_timer(void **state)
{
    (void)state;

    prepare();
    config.clients[0].operations_rate = OPERATIONS;
    begin();
    expect_infos();
    assert_int_equal(infos[0].sectors, 0);
    assert_true(infos[1].sectors != 0);
    assert_non_null(strstr(fake.debug, "it has a limit, and there is no timer"));
}

/* What a client has asked is done, however often the driver begins anew; the client learns nothing.
 */
static void a_fault_of_the_driver_is_not_seen(void **state)
{
    (void)state;

    build(1, BLOCK_READ, 0, 1);
    send(0);
    notified(0);
    assert_true(driver_receive());
    driver_faults();
    assert_int_equal(fake.pd_restarts[BLOCK_DRIVER_CHILD], 1);
    expect_nothing(0);
    build(2, BLOCK_READ, 0, 1);
    send(1);
    notified(1);
    ring_init(&driver_requests, to_driver, BLOCK_REQUEST_RING);
    ring_init(&driver_replies, from_driver, BLOCK_REPLY_RING);
    driver_say(&disk, sizeof(disk));
    notified(DRIVER);
    assert_int_equal(drive(), 1); /* first what was in flight, */
    expect(0, 1, BLOCK_OK);
    assert_int_equal(drive(), 1); /* then what has come since */
    expect(1, 2, BLOCK_OK);
    fault(BLOCK_DRIVER_CHILD + 1, microkit_msginfo_new(0, 0), NULL); /* nobody */
    assert_int_equal(fake.pd_restarts[BLOCK_DRIVER_CHILD], 1);
}

static void a_driver_that_is_given_up_leaves_errors(void **state)
{
    (void)state;

    for (unsigned i = 0; i <= SUPERVISOR_RESTARTS; i++) {
        driver_faults();
    }
    for (uint32_t id = 1; id <= 3 * BLOCK_DEPTH; id++) {
        build(id, BLOCK_READ, 0, 1);
        send_in_vain(id % CLIENTS, BLOCK_IO_ERROR);
    }
}

static void driver_begins_anew(void)
{
    ring_init(&driver_requests, to_driver, BLOCK_REQUEST_RING);
    ring_init(&driver_replies, from_driver, BLOCK_REPLY_RING);
    driver_say(&disk, sizeof(disk));
    notified(DRIVER);
}

static void prepare_partitions(void)
{
    prepare();
    use_partitions();
    make_table(512, SECTORS);
}

static void a_fault_while_the_table_is_read(void **state)
{
    (void)state;

    prepare_partitions();
    begin();
    assert_true(driver_receive());
    driver_faults();
    driver_begins_anew();
    drive_all();
    expect_infos();
    assert_int_equal(infos[0].sectors, 1000);
}

static void a_fault_before_the_disk_is_described(void **state)
{
    (void)state;

    prepare_partitions();
    init();
    driver_faults();
    driver_begins_anew();
    drive_all();
    expect_infos();
    assert_int_equal(infos[0].sectors, 1000);
}

/* The clients learn that there is no medium, so that their machines start. */
static void a_disk_that_goes_while_the_table_is_read(void **state)
{
    (void)state;

    prepare_partitions();
    begin();
    assert_true(driver_receive());
    driver_faults();
    disk = (struct block_info){.kind = BLOCK_REPLY_INFO};
    driver_begins_anew();
    drive_all();
    expect_infos();
    assert_int_equal(infos[0].sectors, 0);
}

static void a_disk_that_goes_with_all_slots(void **state)
{
    (void)state;

    for (unsigned client = 0; client < 2; client++) {
        for (uint32_t id = 0; id < BLOCK_DEPTH / 2; id++) {
            build(id, BLOCK_READ, id, 1);
            send(client);
            notified(client);
        }
    }
    for (unsigned i = 0; i <= SUPERVISOR_RESTARTS; i++) {
        driver_faults();
    }
    for (uint32_t id = 0; id < 3; id++) {
        build(id, BLOCK_READ, 0, 1);
        send_in_vain(2, BLOCK_IO_ERROR);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_client_learns_its_part, set_up),
        cmocka_unit_test_setup(parts_that_are_not_there, set_up),
        cmocka_unit_test_setup(parts_that_meet, set_up),
        cmocka_unit_test_setup(requests_are_put_in_the_drivers_terms, set_up),
        cmocka_unit_test_setup(operations_are_counted, set_up),
        cmocka_unit_test_setup(an_error_is_for_the_one_who_asked, set_up),
        cmocka_unit_test_setup(not_a_sector_outside_of_the_part, set_up),
        cmocka_unit_test_setup(not_a_byte_outside_of_the_regions, set_up),
        cmocka_unit_test_setup(requests_that_are_none, set_up),
        cmocka_unit_test_setup(too_much_data_in_one_request, set_up),
        cmocka_unit_test_setup(large_blocks_are_kept_whole, set_up),
        cmocka_unit_test_setup(who_may_only_read_does_not_write, set_up),
        cmocka_unit_test_setup(what_the_disk_cannot_do, set_up),
        cmocka_unit_test_setup(a_flush_waits_for_the_writes_before_it, set_up),
        cmocka_unit_test_setup(a_flood_leaves_room_for_others, set_up),
        cmocka_unit_test_setup(large_requests_in_flight_are_few, set_up),
        cmocka_unit_test_setup(bytes_are_shared_evenly, set_up),
        cmocka_unit_test_setup(a_client_that_takes_no_answers_is_served_no_more, set_up),
        cmocka_unit_test_setup(a_flood_of_nonsense_ends, set_up),
        cmocka_unit_test(nonsense_without_an_end_leaves_others_their_turn),
        cmocka_unit_test_setup(a_broken_ring_is_its_owners_loss, set_up),
        cmocka_unit_test_setup(answers_that_nobody_asked_for, set_up),
        cmocka_unit_test_setup(impossible_disks, set_up),
        cmocka_unit_test_setup(a_fault_of_the_driver_is_not_seen, set_up),
        cmocka_unit_test_setup(a_driver_that_is_given_up_leaves_errors, set_up),
        cmocka_unit_test_setup(a_fault_while_the_table_is_read, set_up),
        cmocka_unit_test_setup(a_fault_before_the_disk_is_described, set_up),
        cmocka_unit_test_setup(a_disk_that_goes_while_the_table_is_read, set_up),
        cmocka_unit_test_setup(a_disk_that_goes_with_all_slots, set_up),
        cmocka_unit_test(a_limit_is_not_asked_for_while_there_is_no_room),
        cmocka_unit_test_setup(partitions_by_name_and_number, set_up),
        cmocka_unit_test_setup(partitions_of_a_disk_past_the_caches, set_up),
        cmocka_unit_test_setup(partitions_of_large_blocks_read_in_pieces, set_up),
        cmocka_unit_test_setup(the_backup_serves_if_the_primary_is_damaged, set_up),
        cmocka_unit_test_setup(a_disk_without_a_table, set_up),
        cmocka_unit_test_setup(a_table_that_cannot_be_read, set_up),
        cmocka_unit_test_setup(a_range_upon_a_partition, set_up),
        cmocka_unit_test(operations_are_limited),
        cmocka_unit_test(bytes_are_limited),
        cmocka_unit_test(the_lower_of_two_limits_counts),
        cmocka_unit_test(a_request_whose_limit_opens_meanwhile_is_not_forgotten),
        cmocka_unit_test(flushes_neither_count_nor_wait),
        cmocka_unit_test(a_limit_is_nobody_elses),
        cmocka_unit_test(errors_do_not_wait),
        cmocka_unit_test(a_limit_without_a_timer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
