/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/block.c vmm/virtio/block_chain.c vmm/virtio/block_dma.c vmm/virtio/device.c
 * SOURCES: vmm/virtio/mmio.c lib/virtqueue.c lib/ring.c
 * SOURCES: tests/unit/fake/virtio_driver.c tests/unit/fake/virtio_bus.c
 * SOURCES: tests/unit/fake/fake_dma.c tests/unit/fake/fake_microkit.c
 *
 * virtio-blk between a driver, polite or hostile, and the disk multiplexer's rings, behind which
 * the test does what the device asks for, in the guest's own memory.
 */

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "block/protocol.h"
#include "lib/ring.h"
#include "tests/unit/fake/virtio_bus.h"
#include "vmm/virtio/block.h"

#define RAM_GPA      0x40000000ull
#define RAM_SIZE     0x100000ull
#define PIECE        0x40000ull
#define FIRST_DEVICE 0x0a009000ull
#define INTID        57u
#define CHANNEL      10u
#define SIZE         256u
#define HEADERS      (RAM_GPA + 0x8000)
#define STATUSES     (RAM_GPA + 0xc000)
#define TABLES       (RAM_GPA + 0x10000)
#define DATA         (RAM_GPA + 0x80000)
#define SECTORS      1000000u

#define PLAIN VIRTIO_FEATURE(VIRTIO_F_VERSION_1)
#define USUAL                                                                                      \
    (PLAIN | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH) |    \
     VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD) | VIRTIO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES) |            \
     VIRTIO_FEATURE(VIRTIO_BLK_F_SEG_MAX))

/* The first one's is small, so that it can be full. */
#define REQUEST_RING(n) ((n) == 0 ? 16384u : BLOCK_REQUEST_RING)

#define DISK(n)                                                                                    \
    .channel = CHANNEL + (n), .id = (n) == 0 ? "a name of more than twenty bytes" : "short",       \
    .requests = request_regions[n], .replies = reply_regions[n],                                   \
    .request_ring_size = REQUEST_RING(n), .reply_ring_size = BLOCK_REPLY_RING,                     \
    .registers = pages[n], .gpa = FIRST_DEVICE + 0x1000u * (n), .intid = INTID + (n)

static uint8_t request_regions[VMM_MAX_DISKS][RING_HEADER_SIZE + BLOCK_REQUEST_RING]
    __attribute__((aligned(4096)));
static uint8_t reply_regions[VMM_MAX_DISKS][RING_HEADER_SIZE + BLOCK_REPLY_RING]
    __attribute__((aligned(4096)));
static uint32_t pages[VMM_MAX_DISKS][1024] __attribute__((aligned(4096)));
static const struct vmm_disk_config configs[VMM_MAX_DISKS] = {
    {DISK(0)}, {DISK(1)}, {DISK(2)}, {DISK(3)}};

/* One of them is the test's: */
static unsigned disk;
static struct virtio_device *devices[VMM_MAX_DISKS];
static struct ring all_requests[VMM_MAX_DISKS], all_replies[VMM_MAX_DISKS];
static struct block_info infos[VMM_MAX_DISKS];

#define DEVICE   configs[disk].gpa
#define requests all_requests[disk] /* the multiplexer's ends */
#define replies  all_replies[disk]
#define info     infos[disk]
#define device   devices[disk]
#define page     pages[disk]

static struct guest_memory memory;
static struct driver_queue queue;
static uint32_t next; /* header and status byte of the next request */

static struct {
    struct block_request head;
    struct block_segment segments[BLOCK_SEGMENTS_MAX];
} seen;

/* ---- The multiplexer ---- */

static void say(const void *bytes, uint32_t count)
{
    void *record = ring_reserve(&replies, count);

    assert_non_null(record);
    memcpy(record, bytes, count);
    ring_commit(&replies);
}

static void hear(void)
{
    device->ops->notified(device);
    virtio_devices_run();
}

static bool unanswered[VMM_MAX_DISKS][BLOCK_DEPTH];

static bool mux_receive(void)
{
    uint32_t count;
    const void *record = ring_peek(&requests, &count);

    if (record == NULL) {
        return false;
    }
    assert_true(count >= sizeof(seen.head) && count <= sizeof(seen));
    memcpy(&seen, record, count);
    assert_int_equal(count, sizeof(seen.head) + seen.head.segment_count * 16u);
    assert_true(info.sectors == 0 || seen.head.segment_count <= info.segments_max);
    ring_release(&requests);
    assert_true(seen.head.id < BLOCK_DEPTH && !unanswered[disk][seen.head.id]);
    unanswered[disk][seen.head.id] = true;
    return true;
}

static void mux_answer(uint32_t id, uint32_t status)
{
    if (id < BLOCK_DEPTH) {
        unanswered[disk][id] = false;
    }
    say(&(struct block_done){.kind = BLOCK_REPLY_DONE, .id = id, .status = status},
        sizeof(struct block_done));
}

static void mux_finish(uint32_t status)
{
    mux_answer(seen.head.id, status);
    hear();
}

/* Where the guest's bytes of a segment are, by region and offset. */
static uint8_t *mux_data(const struct block_segment *segment)
{
    assert_true(segment->region < RAM_SIZE / PIECE);
    assert_true(segment->length > 0 && segment->offset + segment->length <= PIECE);
    return memory.base + segment->region * PIECE + segment->offset;
}

/* ---- The guest ---- */

static uint64_t header_gpa(uint32_t n)
{
    return HEADERS + 16 * (n % 512);
}

static uint64_t status_gpa(uint32_t n)
{
    return STATUSES + n % 512;
}

static void write_header(uint32_t type, uint64_t sector)
{
    struct virtio_blk_outhdr header = {.type = type, .sector = sector};

    memcpy(driver_memory(&memory, header_gpa(next)), &header, sizeof(header));
    *(uint8_t *)driver_memory(&memory, status_gpa(next)) = 0xee;
}

/* A request with these data buffers; returns its number, for `guest_expect`. */
static uint32_t guest_asks(uint32_t type, uint64_t sector, const struct driver_buffer *data,
                           unsigned count)
{
    struct driver_buffer buffers[DRIVER_BUFFERS_MAX];
    unsigned readable = 1;

    assert_true(count + 2 <= DRIVER_BUFFERS_MAX);
    write_header(type, sector);
    buffers[0] = (struct driver_buffer){header_gpa(next), 16};
    for (unsigned i = 0; i < count; i++) {
        buffers[i + 1] = data[i];
    }
    buffers[count + 1] = (struct driver_buffer){status_gpa(next), 1};
    if (type != VIRTIO_BLK_T_IN && type != VIRTIO_BLK_T_GET_ID) {
        readable += count;
    }
    driver_add(&queue, buffers, readable, count + 2 - readable);
    return next++;
}

static uint8_t status_byte(uint32_t number)
{
    return *(uint8_t *)driver_memory(&memory, status_gpa(number));
}

/* The oldest answer is that of request `number`. */
static void guest_expect(uint32_t number, uint8_t status, uint32_t written)
{
    uint32_t head, got;

    assert_true(driver_take(&queue, &head, &got));
    assert_int_equal(status_byte(number), status);
    assert_int_equal(got, written);
}

static void guest_expects_nothing(void)
{
    uint32_t head, got;

    assert_false(driver_take(&queue, &head, &got));
}

/* The request is answered with this status at once, and nobody else hears of it. */
static void refused(uint32_t number, uint8_t status)
{
    bus_kick(DEVICE, 0);
    assert_false(mux_receive());
    guest_expect(number, status, 0);
    assert_int_equal(page[VIRTIO_MMIO_STATUS / 4] & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

static void begin(uint64_t features)
{
    assert_true(bus_negotiate(DEVICE, features) & VIRTIO_CONFIG_S_FEATURES_OK);
    driver_queue_init(&queue, &memory, RAM_GPA, SIZE);
    assert_int_equal(bus_enable_queue(DEVICE, 0, &queue), 1);
    bus_driver_ok(DEVICE);
}

/* ---- The disks ---- */

enum { USUAL_DISK, PLAIN_DISK, NO_MEDIUM, LATE_DISK };

static const struct block_info usual_info = {
    .kind = BLOCK_REPLY_INFO,
    .features = BLOCK_INFO_FLUSH | BLOCK_INFO_DISCARD | BLOCK_INFO_WRITE_ZEROES,
    .sectors = SECTORS,
    .block_size = 512,
    .segments_max = 40,
    .segment_bytes_max = 1 << 18,
    .discard_sectors_max = 100,
    .discard_alignment = 8,
    .write_zeroes_sectors_max = 50,
    .physical_exponent = 3,
    .alignment_offset = 1,
    .minimum_blocks = 8,
    .optimal_blocks = 16,
};

static void say_info(void)
{
    say(&info, sizeof(info));
}

static int set_up_all(void **state)
{
    (void)state;
    memory = (struct guest_memory){aligned_alloc(4096, RAM_SIZE), RAM_GPA, RAM_SIZE};
    assert_non_null(memory.base);
    memset(memory.base, 0, RAM_SIZE);
    for (disk = 0; disk < VMM_MAX_DISKS; disk++) {
        ring_init(&requests, request_regions[disk], REQUEST_RING(disk));
        ring_init(&replies, reply_regions[disk], BLOCK_REPLY_RING);
        info = usual_info;
    }
    infos[PLAIN_DISK].features = BLOCK_INFO_READ_ONLY;
    infos[PLAIN_DISK].block_size = 4096;
    infos[PLAIN_DISK].segments_max = 256;
    infos[PLAIN_DISK].segment_bytes_max = 4096;
    infos[NO_MEDIUM] = (struct block_info){.kind = BLOCK_REPLY_INFO};
    for (disk = 0; disk < VMM_MAX_DISKS; disk++) {
        if (disk != LATE_DISK) {
            say_info();
        }
        device = virtio_block_init(disk, &configs[disk], &memory, PIECE);
    }
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    free(memory.base);
    return 0;
}

/* Whatever the last test has left in flight is answered, and the device is as after power-on. */
static int set_up(void **state)
{
    (void)state;
    for (disk = 0; disk < LATE_DISK; disk++) {
        virtio_device_reset(device);
        while (mux_receive()) {
        }
        for (uint32_t id = 0; id < BLOCK_DEPTH; id++) {
            if (unanswered[disk][id]) {
                mux_answer(id, BLOCK_OK);
            }
        }
        hear();
        assert_true(device->ops->quiesced(device));
    }
    disk = USUAL_DISK;
    fake_reset();
    bus_clear();
    begin(USUAL);
    return 0;
}

/* ---- The device as the guest finds it ---- */

static struct virtio_blk_config read_config(void)
{
    struct virtio_blk_config space;

    memcpy(&space, page + VIRTIO_MMIO_CONFIG / 4, sizeof(space));
    return space;
}

static void the_disk_is_described(void **state)
{
    (void)state;
    struct virtio_blk_config space = read_config();

    assert_int_equal(page[VIRTIO_MMIO_DEVICE_ID / 4], VIRTIO_ID_BLOCK);
    assert_int_equal(space.capacity, SECTORS);
    assert_int_equal(space.blk_size, 512);
    assert_int_equal(space.seg_max, 40 - 3); /* three places where RAM's regions meet */
    assert_int_equal(space.size_max, 1u << 18);
    assert_int_equal(space.physical_block_exp, 3);
    assert_int_equal(space.alignment_offset, 1);
    assert_int_equal(space.min_io_size, 8);
    assert_int_equal(space.opt_io_size, 16);
    assert_int_equal(space.max_discard_sectors, 100);
    assert_int_equal(space.max_discard_seg, 1);
    assert_int_equal(space.discard_sector_alignment, 8);
    assert_int_equal(space.max_write_zeroes_sectors, 50);
    assert_int_equal(space.max_write_zeroes_seg, 1);
    assert_int_equal(space.write_zeroes_may_unmap, 0);
    assert_false(device->features & VIRTIO_FEATURE(VIRTIO_BLK_F_RO));
    assert_true(device->features & VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH));

    disk = PLAIN_DISK;
    space = read_config();
    assert_int_equal(space.blk_size, 4096);
    assert_int_equal(space.size_max, 4096);
    assert_int_equal(space.seg_max, 253);
    assert_true(device->features & VIRTIO_FEATURE(VIRTIO_BLK_F_RO));
    assert_false(device->features &
                 (VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH) | VIRTIO_FEATURE(VIRTIO_BLK_F_DISCARD) |
                  VIRTIO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES)));

    disk = NO_MEDIUM;
    space = read_config();
    assert_int_equal(space.capacity, 0);
    assert_false(device->features & VIRTIO_FEATURE(VIRTIO_BLK_F_BLK_SIZE));
}

static void a_disk_that_is_not_known_yet_has_not_quiesced(void **state)
{
    (void)state;

    disk = LATE_DISK;
    assert_false(device->ops->quiesced(device));
    assert_int_not_equal(page[VIRTIO_MMIO_STATUS / 4], 0);
    say_info();
    assert_true(ring_take_data_wanted(&replies)); /* so the multiplexer notifies */
    hear();
    assert_true(device->ops->quiesced(device));
    assert_int_equal(page[VIRTIO_MMIO_STATUS / 4], 0);
    assert_int_equal(read_config().capacity, SECTORS);
    info.sectors = 5;
    say_info();
    hear();
    assert_int_equal(read_config().capacity, SECTORS); /* it has been told */
    assert_true(bus_said("second time"));
}

static void the_id_string(void **state)
{
    (void)state;
    struct driver_buffer data[] = {{DATA, 7}, {DATA + 7, 13}};
    char *got = driver_memory(&memory, DATA);

    memset(got, '#', 32);
    guest_asks(VIRTIO_BLK_T_GET_ID, 0, data, 2);
    bus_kick(DEVICE, 0);
    guest_expect(next - 1, VIRTIO_BLK_S_OK, 21);
    assert_memory_equal(got, "a name of more than #", 21);
    memset(got, '#', 32);
    guest_asks(VIRTIO_BLK_T_GET_ID, 0, data, 1);
    bus_kick(DEVICE, 0);
    guest_expect(next - 1, VIRTIO_BLK_S_OK, 8);
    assert_memory_equal(got, "a name #", 8);
    data[1].length = 30;
    memset(got, '#', 64);
    guest_asks(VIRTIO_BLK_T_GET_ID, 0, data + 1, 1);
    bus_kick(DEVICE, 0);
    guest_expect(next - 1, VIRTIO_BLK_S_OK, 21);
    assert_int_equal(got[7 + 20], '#');
    guest_asks(VIRTIO_BLK_T_GET_ID, 0, NULL, 0);
    bus_kick(DEVICE, 0);
    guest_expect(next - 1, VIRTIO_BLK_S_OK, 1);

    disk = PLAIN_DISK;
    begin(PLAIN);
    data[0].length = 20;
    memset(got, '#', 32);
    guest_asks(VIRTIO_BLK_T_GET_ID, 0, data, 1);
    bus_kick(DEVICE, 0);
    assert_memory_equal(got, "short\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0#", 21);
}

/* ---- Requests ---- */

static void reads_and_writes_name_the_guests_own_memory(void **state)
{
    (void)state;
    struct driver_buffer data[] = {{DATA + 100, 1000}, {DATA + 0x20000, 24}, {DATA + 0x30000, 512}};
    uint32_t number = guest_asks(VIRTIO_BLK_T_IN, 17, data, 3);

    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.op, BLOCK_READ);
    assert_int_equal(seen.head.sector, 17);
    assert_int_equal(seen.head.sector_count, 3);
    assert_int_equal(seen.head.segment_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_ptr_equal(mux_data(&seen.segments[i]), driver_memory(&memory, data[i].gpa));
        assert_int_equal(seen.segments[i].length, data[i].length);
    }
    guest_expects_nothing();
    assert_false(bus.level[INTID]);
    mux_finish(BLOCK_OK);
    guest_expect(number, VIRTIO_BLK_S_OK, 1537);
    assert_true(bus.level[INTID]);
    bus_acknowledge(DEVICE);

    number = guest_asks(VIRTIO_BLK_T_OUT, 999, data + 2, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.op, BLOCK_WRITE);
    assert_int_equal(seen.head.sector, 999);
    mux_finish(BLOCK_OK);
    guest_expect(number, VIRTIO_BLK_S_OK, 1);
}

static void pieces_end_where_regions_meet(void **state)
{
    (void)state;
    struct driver_buffer data[] = {{RAM_GPA + PIECE - 100, 200},
                                   {RAM_GPA + 2 * PIECE - 512, 512},
                                   {RAM_GPA + PIECE, 312},
                                   {RAM_GPA + 3 * PIECE - 1, 65536}};
    uint32_t bytes = 0;

    guest_asks(VIRTIO_BLK_T_IN, 0, data, 4);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.segment_count, 6);
    for (unsigned i = 0; i < 6; i++) {
        mux_data(&seen.segments[i]);
        bytes += seen.segments[i].length;
    }
    assert_int_equal(bytes, 66560);
    assert_int_equal(seen.head.sector_count, 130);
    assert_int_equal(seen.segments[0].region, 0);
    assert_int_equal(seen.segments[0].offset, PIECE - 100);
    assert_int_equal(seen.segments[0].length, 100);
    assert_int_equal(seen.segments[1].region, 1);
    assert_int_equal(seen.segments[1].offset, 0);
    assert_int_equal(seen.segments[5].region, 3);
    assert_int_equal(seen.segments[5].length, 65535);
}

static void long_segments_are_cut_to_what_the_disk_takes(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 10240};

    disk = PLAIN_DISK;
    begin(PLAIN);
    guest_asks(VIRTIO_BLK_T_IN, 0, &data, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.segment_count, 3);
    assert_int_equal(seen.segments[0].length, 4096);
    assert_int_equal(seen.segments[2].length, 2048);
    assert_int_equal(seen.segments[2].offset - seen.segments[0].offset, 8192);
}

/* Headers, data and status bytes may be cut up and joined in any way (2.7.4). */
static void framing_does_not_matter(void **state)
{
    (void)state;
    struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_OUT, .sector = 3};
    struct driver_buffer buffers[DRIVER_BUFFERS_MAX];

    memcpy(driver_memory(&memory, DATA), &header, 16);
    for (unsigned i = 0; i < 15; i++) { /* the header byte by byte, its last one with the data */
        buffers[i] = (struct driver_buffer){DATA + i, 1};
    }
    buffers[15] = (struct driver_buffer){DATA + 15, 513};
    buffers[16] = (struct driver_buffer){status_gpa(next), 1};
    driver_add(&queue, buffers, 16, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.op, BLOCK_WRITE);
    assert_int_equal(seen.head.sector, 3);
    assert_int_equal(seen.head.segment_count, 1);
    assert_ptr_equal(mux_data(&seen.segments[0]), driver_memory(&memory, DATA + 16));
    mux_finish(BLOCK_OK);
    guest_expect(next++, VIRTIO_BLK_S_OK, 1);

    header.type = VIRTIO_BLK_T_IN;
    memcpy(driver_memory(&memory, DATA), &header, 16);
    buffers[0] = (struct driver_buffer){DATA, 16};
    buffers[1] = (struct driver_buffer){DATA + 512, 100};
    buffers[2] = (struct driver_buffer){DATA + 1024, 413}; /* the last byte is the status */
    driver_add_indirect(&queue, TABLES, buffers, 1, 2);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.segment_count, 2);
    assert_int_equal(seen.segments[1].length, 412);
    *(uint8_t *)driver_memory(&memory, DATA + 1024 + 412) = 0xee;
    mux_finish(BLOCK_IO_ERROR);
    assert_int_equal(*(uint8_t *)driver_memory(&memory, DATA + 1024 + 412), VIRTIO_BLK_S_IOERR);
}

static void flush_discard_and_write_zeroes(void **state)
{
    (void)state;
    struct virtio_blk_discard_write_zeroes *range = driver_memory(&memory, DATA);
    struct driver_buffer data[] = {{DATA, 5}, {DATA + 5, 11}};
    uint32_t number = guest_asks(VIRTIO_BLK_T_FLUSH, 0, NULL, 0);

    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.op, BLOCK_FLUSH);
    assert_int_equal(seen.head.segment_count, 0);
    mux_finish(BLOCK_OK);
    guest_expect(number, VIRTIO_BLK_S_OK, 1);

    *range = (struct virtio_blk_discard_write_zeroes){.sector = 40, .num_sectors = 8};
    number = guest_asks(VIRTIO_BLK_T_DISCARD, 0, data, 2);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.op, BLOCK_DISCARD);
    assert_int_equal(seen.head.sector, 40);
    assert_int_equal(seen.head.sector_count, 8);
    assert_int_equal(seen.head.flags, 0);
    mux_finish(BLOCK_UNSUPPORTED);
    guest_expect(number, VIRTIO_BLK_S_UNSUPP, 0);

    range->flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    number = guest_asks(VIRTIO_BLK_T_WRITE_ZEROES, 0, data, 2);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.op, BLOCK_WRITE_ZEROES);
    assert_int_equal(seen.head.flags, BLOCK_REQUEST_UNMAP);
    mux_finish(BLOCK_OK);
    guest_expect(number, VIRTIO_BLK_S_OK, 1);
    refused(guest_asks(VIRTIO_BLK_T_DISCARD, 0, data, 2), VIRTIO_BLK_S_UNSUPP);
    range->flags = 2;
    refused(guest_asks(VIRTIO_BLK_T_WRITE_ZEROES, 0, data, 2), VIRTIO_BLK_S_UNSUPP);
    range->flags = 0;
    refused(guest_asks(VIRTIO_BLK_T_DISCARD, 0, data, 1), VIRTIO_BLK_S_IOERR);
    data[1].length = 27; /* two ranges */
    refused(guest_asks(VIRTIO_BLK_T_DISCARD, 0, data, 2), VIRTIO_BLK_S_IOERR);
}

static void what_was_not_negotiated_is_not_done(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 16};

    begin(PLAIN);
    refused(guest_asks(VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_UNSUPP);
    refused(guest_asks(VIRTIO_BLK_T_DISCARD, 0, &data, 1), VIRTIO_BLK_S_UNSUPP);
    refused(guest_asks(VIRTIO_BLK_T_WRITE_ZEROES, 0, &data, 1), VIRTIO_BLK_S_UNSUPP);
}

/* 5.2.6.2: for such a driver what is answered is on the medium. */
static void a_driver_without_flush_has_its_writes_flushed(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 512};
    uint32_t number;

    begin(PLAIN);
    number = guest_asks(VIRTIO_BLK_T_OUT, 0, &data, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.op, BLOCK_WRITE);
    mux_finish(BLOCK_OK);
    guest_expects_nothing();
    assert_true(mux_receive());
    assert_int_equal(seen.head.op, BLOCK_FLUSH);
    mux_finish(BLOCK_OK);
    guest_expect(number, VIRTIO_BLK_S_OK, 1);

    number = guest_asks(VIRTIO_BLK_T_OUT, 0, &data, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    mux_finish(BLOCK_OK);
    assert_true(mux_receive());
    mux_finish(BLOCK_IO_ERROR); /* the flush's error is the write's */
    guest_expect(number, VIRTIO_BLK_S_IOERR, 0);

    number = guest_asks(VIRTIO_BLK_T_OUT, 0, &data, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    mux_finish(BLOCK_IO_ERROR);
    guest_expect(number, VIRTIO_BLK_S_IOERR, 0);
    assert_false(mux_receive());

    number = guest_asks(VIRTIO_BLK_T_IN, 0, &data, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    mux_finish(BLOCK_OK);
    guest_expect(number, VIRTIO_BLK_S_OK, 513);
}

/* Requests that the monitor answers by itself, of as many descriptors as a table here has. */
static void a_turn_is_bounded_by_descriptors(void **state)
{
    (void)state;
    const uint16_t all = 40, in_a_turn = 22; /* 3 of a budget of 64 each */
    struct driver_buffer buffers[64];

    begin(PLAIN | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC));
    for (uint32_t i = 0; i < all; i++, next++) {
        write_header(0x7777, 0);
        buffers[0] = (struct driver_buffer){header_gpa(next), 16};
        for (unsigned j = 1; j < 63; j++) {
            buffers[j] = (struct driver_buffer){DATA, 1};
        }
        buffers[63] = (struct driver_buffer){status_gpa(next), 1};
        driver_add_indirect(&queue, TABLES + i * 1024, buffers, 63, 1);
    }
    bus.turn = fake.frequency; /* a turn is enough for an event */
    bus_kick(DEVICE, 0);
    assert_true(bus.pauses);
    assert_int_equal(driver_used_idx(&queue), in_a_turn);
    bus.pauses = false;
    bus.elapsed = 0;
    virtio_devices_run();
    assert_int_equal(driver_used_idx(&queue), all);
}

static void a_flush_waits_for_room_in_the_ring(void **state)
{
    (void)state;
    const uint32_t large = 18, all = large + 20; /* 768 bytes and 128 bytes of the ring each */
    struct driver_buffer buffers[42];
    struct driver_buffer data = {DATA, 512};
    uint32_t flushed = 0, first = next;

    begin(PLAIN | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC));
    for (uint32_t i = 0; i < large; i++, next++) {
        write_header(VIRTIO_BLK_T_OUT, 0);
        buffers[0] = (struct driver_buffer){header_gpa(next), 16};
        for (unsigned j = 1; j <= 40; j++) {
            buffers[j] = (struct driver_buffer){DATA + j * 1024, 512};
        }
        buffers[41] = (struct driver_buffer){status_gpa(next), 1};
        driver_add_indirect(&queue, TABLES + i * 1024, buffers, 41, 1);
    }
    for (uint32_t i = large; i < all; i++) {
        guest_asks(VIRTIO_BLK_T_OUT, 0, &data, 1);
    }
    bus_kick(DEVICE, 0);
    for (uint32_t id = 0; id < all; id++) {
        mux_answer(id, BLOCK_OK); /* before any of them is taken out of the ring, which is full */
    }
    hear();
    guest_expects_nothing();
    while (flushed < all) {
        assert_true(mux_receive());
        flushed += seen.head.op == BLOCK_FLUSH;
        unanswered[disk][seen.head.id] = false;
        if (seen.head.op == BLOCK_FLUSH) {
            mux_answer(seen.head.id, BLOCK_OK);
        }
        hear();
    }
    for (uint32_t i = 0; i < all; i++) {
        assert_int_equal(status_byte(first + i), VIRTIO_BLK_S_OK);
    }
    assert_true(device->ops->quiesced(device));
}

static void many_requests_in_any_order(void **state)
{
    (void)state;
    static uint32_t numbers[400], ids[400];
    bool answered[400] = {false};
    unsigned asked = 0, received = 0, finished = 0;

    srand(3);
    while (finished < 400) {
        uint32_t head, written;

        for (int i = rand() % 80; i > 0 && asked < 400 && asked - finished < 80; i--) {
            struct driver_buffer data = {DATA + asked * 512, 512};

            numbers[asked] = guest_asks(VIRTIO_BLK_T_IN, asked, &data, 1);
            asked++;
        }
        bus_kick(DEVICE, 0);
        while (mux_receive()) {
            assert_int_equal(seen.head.sector, received);
            ids[received++] = seen.head.id;
        }
        assert_true(received > finished);
        for (unsigned i = 0; i < received; i++) {
            if (!answered[i] && rand() % 2 == 0) {
                answered[i] = true;
                mux_answer(ids[i], i % 7 == 0 ? BLOCK_IO_ERROR : BLOCK_OK);
            }
        }
        hear();
        while (driver_take(&queue, &head, &written)) {
            finished++;
        }
    }
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(status_byte(numbers[i]),
                         i % 7 == 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
    }
}

static void no_more_in_flight_than_agreed(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 512};
    unsigned received = 0;

    for (unsigned i = 0; i < BLOCK_DEPTH + 10; i++) {
        guest_asks(VIRTIO_BLK_T_IN, 0, &data, 1);
    }
    bus_kick(DEVICE, 0);
    while (mux_receive()) {
        received++;
    }
    assert_int_equal(received, BLOCK_DEPTH);
    mux_finish(BLOCK_OK);
    assert_true(mux_receive()); /* the next goes as soon as one has come back */
    assert_false(mux_receive());
}

static void a_full_ring_is_waited_for(void **state)
{
    (void)state;
    struct driver_buffer data = {RAM_GPA, (uint32_t)RAM_SIZE}; /* 256 segments of this disk's */
    uint32_t received = 0, first = next;

    disk = PLAIN_DISK;
    begin(PLAIN);
    for (unsigned i = 0; i < 40; i++) {
        guest_asks(VIRTIO_BLK_T_IN, i, &data, 1);
    }
    bus_kick(DEVICE, 0);
    while (received < 40) {
        unsigned before = received;

        while (mux_receive()) {
            assert_int_equal(seen.head.sector, received);
            assert_int_equal(seen.head.segment_count, 256);
            mux_answer(seen.head.id, BLOCK_OK);
            received++;
        }
        assert_true(received > before);
        assert_true(received < 40 || before > 0); /* they do not all fit at once */
        assert_int_equal(ring_take_space_wanted(&requests), received < 40);
        hear();
    }
    for (uint32_t i = 0; i < 40; i++) {
        guest_expect(first + i, VIRTIO_BLK_S_OK, (uint32_t)RAM_SIZE + 1);
    }
}

/* ---- Hostile requests ---- */

static void wrong_lengths_and_kinds_are_errors(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1, 511, 513, 1023, 65535};
    static const uint32_t kinds[] = {2, 3, 5, 9, 14, 0x80000000u, 0x80000001u, UINT32_MAX};
    struct driver_buffer data = {DATA, 512};

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        refused(guest_asks(kinds[i], 0, &data, 1), VIRTIO_BLK_S_UNSUPP);
    }
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        data.length = lengths[i];
        refused(guest_asks(VIRTIO_BLK_T_IN, 0, &data, 1), VIRTIO_BLK_S_IOERR);
        refused(guest_asks(VIRTIO_BLK_T_OUT, 0, &data, 1), VIRTIO_BLK_S_IOERR);
    }
    refused(guest_asks(VIRTIO_BLK_T_IN, 0, NULL, 0), VIRTIO_BLK_S_IOERR);
    refused(guest_asks(VIRTIO_BLK_T_OUT, 0, NULL, 0), VIRTIO_BLK_S_IOERR);
}

static void memory_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    static const uint64_t places[] = {
        0, RAM_GPA - 512, RAM_GPA + RAM_SIZE, RAM_GPA + RAM_SIZE - 7, UINT64_MAX - 511, 1ull << 63};
    struct driver_buffer data[2] = {{DATA, 512}, {0, 512}};

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        data[1].gpa = places[i];
        refused(guest_asks(VIRTIO_BLK_T_IN, 0, data, 2), VIRTIO_BLK_S_IOERR);
        refused(guest_asks(VIRTIO_BLK_T_OUT, 0, data, 2), VIRTIO_BLK_S_IOERR);
        data[1].length = 16;
        refused(guest_asks(VIRTIO_BLK_T_DISCARD, 0, data + 1, 1), VIRTIO_BLK_S_IOERR);
        data[1].length = 20;
        refused(guest_asks(VIRTIO_BLK_T_GET_ID, 0, data + 1, 1), VIRTIO_BLK_S_IOERR);
        data[1].length = 512;
    }
    data[1] = (struct driver_buffer){DATA, UINT32_MAX - 4096};
    refused(guest_asks(VIRTIO_BLK_T_IN, 0, data + 1, 1), VIRTIO_BLK_S_IOERR);
    data[1] = (struct driver_buffer){RAM_GPA, (uint32_t)RAM_SIZE}; /* it is there: and no segment
                                                                    * that the guest was told of */
    guest_asks(VIRTIO_BLK_T_OUT, 0, data + 1, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_equal(seen.head.segment_count, 4);
}

static void a_header_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct driver_buffer buffers[] = {{RAM_GPA + RAM_SIZE, 16}, {DATA, 512}, {status_gpa(next), 1}};

    driver_add(&queue, buffers, 1, 2);
    refused(next, VIRTIO_BLK_S_IOERR);
    buffers[0] = (struct driver_buffer){header_gpa(next), 15};
    driver_add(&queue, buffers, 1, 2);
    refused(next, VIRTIO_BLK_S_IOERR);
    driver_add(&queue, buffers + 2, 0, 1); /* no header at all */
    refused(next++, VIRTIO_BLK_S_IOERR);
}

/* ---- Requests that are too long for the multiplexer ---- */

static bool mux_has_more(void)
{
    uint32_t count;

    return ring_peek(&requests, &count) != NULL;
}

/* Receive the next request. It goes on where `sector` says, and is moved behind it. */
static uint32_t mux_receives(uint16_t op, uint64_t *sector)
{
    uint32_t bytes = 0;

    assert_true(mux_receive());
    assert_int_equal(seen.head.op, op);
    assert_int_equal(seen.head.sector, *sector);
    for (unsigned i = 0; i < seen.head.segment_count; i++) {
        mux_data(&seen.segments[i]);
        bytes += seen.segments[i].length;
    }
    assert_int_equal(bytes, seen.head.sector_count * 512ull);
    assert_in_range(bytes, 512, BLOCK_BYTES_MAX);
    *sector += seen.head.sector_count;
    return seen.head.id;
}

static void more_segments_than_fit_are_two_requests(void **state)
{
    (void)state;
    struct driver_buffer data[41];
    uint64_t sector = 7;
    uint32_t number, first, second;

    for (unsigned i = 0; i < 41; i++) {
        data[i] = (struct driver_buffer){DATA + 512 * i, 512};
    }
    number = guest_asks(VIRTIO_BLK_T_IN, sector, data, 41);
    bus_kick(DEVICE, 0);
    first = mux_receives(BLOCK_READ, &sector);
    assert_int_equal(seen.head.segment_count, 40);
    second = mux_receives(BLOCK_READ, &sector);
    assert_int_equal(seen.head.segment_count, 1);
    assert_ptr_equal(mux_data(&seen.segments[0]), driver_memory(&memory, data[40].gpa));
    assert_false(mux_receive());
    mux_answer(second, BLOCK_OK); /* in any order */
    hear();
    guest_expects_nothing();
    mux_answer(first, BLOCK_OK);
    hear();
    guest_expect(number, VIRTIO_BLK_S_OK, 41 * 512 + 1);
    guest_expects_nothing();
}

static void much_data_is_several_requests(void **state)
{
    (void)state;
    struct driver_buffer data[33];
    uint64_t sector = 1234;
    uint32_t ids[2], number;

    for (unsigned i = 0; i < 33; i++) {
        data[i] = (struct driver_buffer){DATA, 0x40000}; /* all the same, 8.25 MiB in sum */
    }
    number = guest_asks(VIRTIO_BLK_T_OUT, sector, data, 33);
    bus_kick(DEVICE, 0);
    ids[0] = mux_receives(BLOCK_WRITE, &sector);
    assert_int_equal(seen.head.sector_count, BLOCK_BYTES_MAX / 512);
    ids[1] = mux_receives(BLOCK_WRITE, &sector);
    assert_int_equal(sector, 1234 + 33 * 0x200);
    mux_answer(ids[0], BLOCK_OK);
    mux_answer(ids[1], BLOCK_OK);
    hear();
    guest_expect(number, VIRTIO_BLK_S_OK, 1);
}

/* A request that is not the last one ends where a block of the disk does. */
static void cuts_are_made_at_blocks(void **state)
{
    (void)state;
    struct driver_buffer data[59];
    uint64_t sector = 0;

    for (unsigned i = 0; i < 59; i++) {
        data[i] = (struct driver_buffer){DATA + 512 * i, i < 58 ? 500 : 184};
    }
    guest_asks(VIRTIO_BLK_T_OUT, 0, data, 59);
    bus_kick(DEVICE, 0);
    mux_receives(BLOCK_WRITE, &sector);
    assert_int_equal(sector, 39); /* 40 pieces of 500 bytes are a bit more */
    assert_int_equal(seen.segments[39].length, 468);
    mux_receives(BLOCK_WRITE, &sector);
    assert_int_equal(sector, 57);
    assert_int_equal(seen.segments[0].length, 32);
    assert_ptr_equal(mux_data(&seen.segments[0]), driver_memory(&memory, data[39].gpa + 468));

    disk = PLAIN_DISK; /* its blocks have 4096 bytes, and a request 256 pieces of as many */
    begin(PLAIN);
    data[0] = (struct driver_buffer){RAM_GPA, 512};
    data[1] = (struct driver_buffer){RAM_GPA, (uint32_t)RAM_SIZE};
    guest_asks(VIRTIO_BLK_T_IN, 8, data, 2);
    bus_kick(DEVICE, 0);
    sector = 8;
    mux_receives(BLOCK_READ, &sector);
    assert_int_equal(sector % 8, 0);
    mux_receives(BLOCK_READ, &sector);
    assert_int_equal(sector, 8 + 1 + RAM_SIZE / 512);
}

/* 62 MiB, of which the disk takes 1 MiB at a time, and then as many again. */
static uint32_t ask_for_much(uint64_t sector)
{
    struct driver_buffer data[62];

    for (unsigned i = 0; i < 62; i++) {
        data[i] = (struct driver_buffer){RAM_GPA, (uint32_t)RAM_SIZE};
    }
    return guest_asks(VIRTIO_BLK_T_IN, sector, data, 62);
}

static void long_requests_go_one_after_the_other(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 512};
    uint64_t sector = 5;
    uint32_t first, second, received = 0;

    disk = PLAIN_DISK;
    begin(PLAIN);
    first = ask_for_much(sector);
    second = ask_for_much(sector + 62 * 2048);
    guest_asks(VIRTIO_BLK_T_IN, 3, &data, 1);
    bus_kick(DEVICE, 0);
    while (received < 2 * 62) {
        uint32_t id = mux_receives(BLOCK_READ, &sector);

        received++;
        assert_int_equal(seen.head.segment_count, 256);
        mux_answer(id, BLOCK_OK);
        hear();
    }
    guest_expect(first, VIRTIO_BLK_S_OK, 62 * (uint32_t)RAM_SIZE + 1);
    guest_expect(second, VIRTIO_BLK_S_OK, 62 * (uint32_t)RAM_SIZE + 1);
    sector = 3;
    mux_receives(BLOCK_READ, &sector);
    mux_finish(BLOCK_OK);
    guest_expect(second + 1, VIRTIO_BLK_S_OK, 513);
    assert_true(device->ops->quiesced(device));
}

/* What it costs to send a part is counted, as a chain of its own is. */
static void a_turn_is_bounded_by_parts(void **state)
{
    (void)state;
    uint64_t sector = 0;
    unsigned received = 0;

    disk = PLAIN_DISK;
    begin(PLAIN);
    ask_for_much(0);
    bus.turn = fake.frequency; /* a turn is enough for an event */
    bus_kick(DEVICE, 0);
    assert_true(bus.pauses);
    for (; mux_has_more(); received++) {
        mux_receives(BLOCK_READ, &sector);
    }
    assert_in_range(received, 6, 8); /* 9 of a budget of 64 each */
}

static void after_an_error_no_more_is_asked_for(void **state)
{
    (void)state;
    uint64_t sector = 0;
    uint32_t number, ids[BLOCK_DEPTH], count = 0;

    disk = PLAIN_DISK;
    begin(PLAIN);
    number = ask_for_much(0);
    bus_kick(DEVICE, 0);
    while (mux_has_more()) {
        ids[count++] = mux_receives(BLOCK_READ, &sector);
    }
    assert_in_range(count, 2, 61);
    mux_answer(ids[1], BLOCK_UNSUPPORTED);
    mux_answer(ids[0], BLOCK_IO_ERROR);
    hear();
    assert_false(mux_receive());
    guest_expects_nothing(); /* the disk still writes for it */
    for (uint32_t i = 2; i < count; i++) {
        mux_answer(ids[i], BLOCK_OK);
    }
    hear();
    guest_expect(number, VIRTIO_BLK_S_UNSUPP, 0);
    assert_true(device->ops->quiesced(device));
}

/* What cannot be done to its end is not begun. */
static void long_requests_are_checked_before(void **state)
{
    (void)state;
    struct driver_buffer data[62];

    for (unsigned i = 0; i < 62; i++) {
        data[i] = (struct driver_buffer){DATA, 0x40000};
    }
    refused(guest_asks(VIRTIO_BLK_T_OUT, SECTORS - 62 * 512 + 1, data, 62), VIRTIO_BLK_S_IOERR);
    refused(guest_asks(VIRTIO_BLK_T_OUT, SECTORS + 1, data, 62), VIRTIO_BLK_S_IOERR);
    refused(guest_asks(VIRTIO_BLK_T_OUT, UINT64_MAX, data, 62), VIRTIO_BLK_S_IOERR);
    data[60].gpa = RAM_GPA + RAM_SIZE - 512;
    refused(guest_asks(VIRTIO_BLK_T_OUT, 0, data, 62), VIRTIO_BLK_S_IOERR);
    refused(guest_asks(VIRTIO_BLK_T_IN, 0, data, 62), VIRTIO_BLK_S_IOERR);
    for (unsigned i = 0; i < 41; i++) { /* no sector in as many as a request can name */
        data[i] = (struct driver_buffer){DATA, 1};
    }
    data[41] = (struct driver_buffer){DATA, 1024 - 41};
    refused(guest_asks(VIRTIO_BLK_T_OUT, 0, data, 42), VIRTIO_BLK_S_IOERR);
}

static void pieces_that_become_too_small_are_an_error(void **state)
{
    (void)state;
    struct driver_buffer data[62] = {{DATA, 512}};
    uint64_t sector = 0;
    uint32_t number;

    for (unsigned i = 1; i < 61; i++) {
        data[i] = (struct driver_buffer){DATA, 5};
    }
    data[61] = (struct driver_buffer){DATA, 512 - 300};
    number = guest_asks(VIRTIO_BLK_T_IN, 0, data, 62);
    bus_kick(DEVICE, 0);
    mux_receives(BLOCK_READ, &sector);
    assert_int_equal(sector, 1);
    assert_false(mux_receive());
    guest_expects_nothing();
    mux_finish(BLOCK_OK);
    guest_expect(number, VIRTIO_BLK_S_IOERR, 0);
}

/* The driver changes its descriptors meanwhile: what was popped counts. */
static void descriptors_are_read_once(void **state)
{
    (void)state;
    uint64_t sector = 0;
    uint32_t received = 0;

    disk = PLAIN_DISK;
    begin(PLAIN);
    ask_for_much(0);
    bus_kick(DEVICE, 0);
    for (uint16_t i = 0; i < SIZE; i++) {
        driver_set_desc(&queue, i, UINT64_MAX - i, UINT32_MAX, VRING_DESC_F_WRITE, 0);
    }
    for (; received < 62; received++) {
        mux_answer(mux_receives(BLOCK_READ, &sector), BLOCK_OK);
        hear();
    }
    assert_false(mux_receive());
}

static void a_reset_ends_a_long_request(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 512};
    uint64_t sector = 0;
    uint32_t number, ids[BLOCK_DEPTH], count = 0;

    disk = PLAIN_DISK;
    begin(PLAIN);
    number = ask_for_much(0);
    bus_kick(DEVICE, 0);
    while (mux_has_more()) {
        ids[count++] = mux_receives(BLOCK_READ, &sector);
    }
    begin(PLAIN);
    assert_false(device->ops->quiesced(device));
    guest_asks(VIRTIO_BLK_T_IN, 9, &data, 1);
    ask_for_much(0); /* another one, while parts of the old one are with the disk */
    bus_kick(DEVICE, 0);
    for (uint32_t i = 0; i < count; i++) {
        mux_answer(ids[i], i == 0 ? BLOCK_IO_ERROR : BLOCK_OK);
    }
    hear();
    guest_expects_nothing();
    assert_int_equal(status_byte(number), 0xee);
    sector = 9;
    mux_receives(BLOCK_READ, &sector);
    mux_finish(BLOCK_OK);
    guest_expect(number + 1, VIRTIO_BLK_S_OK, 513);
    sector = 0;
    for (uint32_t i = 0; i < 62; i++) {
        mux_answer(mux_receives(BLOCK_READ, &sector), BLOCK_OK);
        hear();
    }
    guest_expect(number + 2, VIRTIO_BLK_S_OK, 62 * (uint32_t)RAM_SIZE + 1);
    assert_true(device->ops->quiesced(device));
}

/* Each part is flushed if the driver has no flush, and the guest hears of none before. */
static void a_long_write_is_flushed(void **state)
{
    (void)state;
    struct driver_buffer data[33];
    uint64_t sector = 0;
    uint32_t number, ids[2];

    begin(PLAIN);
    for (unsigned i = 0; i < 33; i++) {
        data[i] = (struct driver_buffer){DATA, 0x40000};
    }
    number = guest_asks(VIRTIO_BLK_T_OUT, 0, data, 33);
    bus_kick(DEVICE, 0);
    ids[0] = mux_receives(BLOCK_WRITE, &sector);
    ids[1] = mux_receives(BLOCK_WRITE, &sector);
    for (unsigned i = 0; i < 2; i++) {
        mux_answer(ids[i], BLOCK_OK);
        hear();
        guest_expects_nothing();
        assert_true(mux_receive());
        assert_int_equal(seen.head.op, BLOCK_FLUSH);
        mux_finish(BLOCK_OK);
    }
    guest_expect(number, VIRTIO_BLK_S_OK, 1);
}

/* ---- Drivers that break the rules ---- */

static void expect_needs_reset(void)
{
    bus_kick(DEVICE, 0);
    assert_true(page[VIRTIO_MMIO_STATUS / 4] & VIRTIO_CONFIG_S_NEEDS_RESET);
    assert_true(bus_said("disk0"));
    assert_false(mux_receive());
    guest_expects_nothing();
    begin(USUAL); /* a reset mends it */
    assert_int_equal(page[VIRTIO_MMIO_STATUS / 4] & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

static void without_a_status_byte_the_device_stops(void **state)
{
    (void)state;
    struct driver_buffer buffers[] = {{header_gpa(0), 16}, {DATA, 512}, {0x1000, 1}};

    driver_add(&queue, buffers, 2, 0);
    expect_needs_reset();
    driver_add(&queue, buffers, 2, 1);
    expect_needs_reset();
    driver_set_desc(&queue, 0, header_gpa(0), 16, VRING_DESC_F_NEXT, 0); /* a loop */
    driver_offer(&queue, 0);
    expect_needs_reset();
}

static void an_indirect_table_that_is_not_there_stops_it_too(void **state)
{
    (void)state;

    driver_set_desc(&queue, 0, RAM_GPA + RAM_SIZE - 16, 48, VRING_DESC_F_INDIRECT, 0);
    driver_offer(&queue, 0);
    expect_needs_reset();
}

/* ---- Resets with requests in flight ---- */

static void a_reset_waits_for_the_disk(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 512};
    uint32_t number = guest_asks(VIRTIO_BLK_T_IN, 0, &data, 1);
    uint32_t old;

    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    old = seen.head.id;
    assert_true(virtio_device_running(device));
    assert_false(device->ops->quiesced(device));
    virtio_device_reset(device);
    assert_false(device->ops->quiesced(device));
    assert_int_not_equal(page[VIRTIO_MMIO_STATUS / 4], 0); /* the driver sees that it goes on */

    begin(USUAL); /* a driver that does not wait */
    driver_queue_init(&queue, &memory, RAM_GPA, SIZE);
    guest_asks(VIRTIO_BLK_T_IN, 0, &data, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    assert_int_not_equal(seen.head.id, old); /* the slot is not used again yet */
    mux_answer(old, BLOCK_OK);
    hear();
    guest_expects_nothing(); /* the old answer is for nobody */
    assert_int_equal(status_byte(number), 0xee);
    mux_finish(BLOCK_OK);
    guest_expect(number + 1, VIRTIO_BLK_S_OK, 513);
    assert_true(device->ops->quiesced(device));

    guest_asks(VIRTIO_BLK_T_IN, 0, &data, 1);
    bus_kick(DEVICE, 0);
    virtio_device_reset(device);
    assert_true(mux_receive());
    mux_finish(BLOCK_OK);
    assert_true(device->ops->quiesced(device));
    assert_int_equal(page[VIRTIO_MMIO_STATUS / 4], 0);
}

static void a_stopped_queue_gets_nothing(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 512};

    guest_asks(VIRTIO_BLK_T_IN, 0, &data, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive());
    bus_write(DEVICE + VIRTIO_MMIO_QUEUE_READY, 0);
    driver_queue_init(&queue, &memory, RAM_GPA, SIZE);
    assert_int_equal(bus_enable_queue(DEVICE, 0, &queue), 1);
    mux_finish(BLOCK_OK);
    guest_expects_nothing();
}

static void every_slot_may_be_stale(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 512};
    uint32_t ids[BLOCK_DEPTH];

    for (unsigned i = 0; i < BLOCK_DEPTH; i++) {
        guest_asks(VIRTIO_BLK_T_OUT, 0, &data, 1);
    }
    bus_kick(DEVICE, 0);
    for (unsigned i = 0; i < BLOCK_DEPTH; i++) {
        assert_true(mux_receive());
        ids[i] = seen.head.id;
    }
    begin(USUAL);
    guest_asks(VIRTIO_BLK_T_IN, 0, &data, 1);
    bus_kick(DEVICE, 0);
    assert_false(mux_receive());
    mux_answer(ids[5], BLOCK_OK);
    hear();
    assert_true(mux_receive());
    for (unsigned i = 0; i < BLOCK_DEPTH; i++) {
        if (i != 5) {
            mux_answer(ids[i], BLOCK_OK);
        }
    }
    mux_finish(BLOCK_OK);
    guest_expect(next - 1, VIRTIO_BLK_S_OK, 513);
}

/* ---- A multiplexer gone wrong ---- */

static void answers_that_nobody_asked_for(void **state)
{
    (void)state;
    struct block_done done = {.kind = 99};

    mux_answer(0, BLOCK_OK);
    mux_answer(BLOCK_DEPTH, BLOCK_OK);
    mux_answer(UINT32_MAX, BLOCK_OK);
    say(&done, sizeof(done));
    say(&done, 3);
    say(&done, 0);
    say_info();
    hear();
    guest_expects_nothing();
    assert_int_equal(bus.message_count, 7);
    assert_true(virtio_device_running(device));
}

static void no_medium_answers_nothing_by_itself(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 512};
    uint32_t number;

    disk = NO_MEDIUM;
    begin(PLAIN);
    number = guest_asks(VIRTIO_BLK_T_IN, 0, &data, 1);
    bus_kick(DEVICE, 0);
    assert_true(mux_receive()); /* the multiplexer knows best */
    mux_finish(BLOCK_IO_ERROR);
    guest_expect(number, VIRTIO_BLK_S_IOERR, 0);
}

static void a_broken_ring_is_reported_once(void **state)
{
    (void)state;
    unsigned messages;

    disk = LATE_DISK;
    begin(PLAIN);
    ((struct ring_shared *)(void *)reply_regions[disk])->head = 0x7fffffff;
    hear();
    assert_true(bus_said("its ring is broken"));
    messages = bus.message_count;
    hear();
    assert_int_equal(bus.message_count, messages);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_disk_is_described),
        TEST(a_disk_that_is_not_known_yet_has_not_quiesced),
        TEST(the_id_string),
        TEST(reads_and_writes_name_the_guests_own_memory),
        TEST(pieces_end_where_regions_meet),
        TEST(long_segments_are_cut_to_what_the_disk_takes),
        TEST(framing_does_not_matter),
        TEST(flush_discard_and_write_zeroes),
        TEST(what_was_not_negotiated_is_not_done),
        TEST(a_driver_without_flush_has_its_writes_flushed),
        TEST(a_turn_is_bounded_by_descriptors),
        TEST(a_flush_waits_for_room_in_the_ring),
        TEST(many_requests_in_any_order),
        TEST(no_more_in_flight_than_agreed),
        TEST(a_full_ring_is_waited_for),
        TEST(wrong_lengths_and_kinds_are_errors),
        TEST(memory_that_is_not_there_is_an_error),
        TEST(a_header_that_is_not_there_is_an_error),
        TEST(more_segments_than_fit_are_two_requests),
        TEST(much_data_is_several_requests),
        TEST(cuts_are_made_at_blocks),
        TEST(long_requests_go_one_after_the_other),
        TEST(a_turn_is_bounded_by_parts),
        TEST(after_an_error_no_more_is_asked_for),
        TEST(long_requests_are_checked_before),
        TEST(pieces_that_become_too_small_are_an_error),
        TEST(descriptors_are_read_once),
        TEST(a_reset_ends_a_long_request),
        TEST(a_long_write_is_flushed),
        TEST(without_a_status_byte_the_device_stops),
        TEST(an_indirect_table_that_is_not_there_stops_it_too),
        TEST(a_reset_waits_for_the_disk),
        TEST(a_stopped_queue_gets_nothing),
        TEST(every_slot_may_be_stale),
        TEST(answers_that_nobody_asked_for),
        TEST(no_medium_answers_nothing_by_itself),
        TEST(a_broken_ring_is_reported_once),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
