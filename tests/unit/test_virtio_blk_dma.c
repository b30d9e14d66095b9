/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/virtio/block.c vmm/virtio/block_chain.c vmm/virtio/block_dma.c vmm/virtio/device.c
 * SOURCES: vmm/virtio/mmio.c lib/virtqueue.c lib/ring.c
 * SOURCES: tests/unit/fake/virtio_driver.c tests/unit/fake/virtio_bus.c
 * SOURCES: tests/unit/fake/fake_dma.c tests/unit/fake/fake_microkit.c
 *
 * virtio-blk on a disk that reads and writes memory past the caches. Guest and monitor see the
 * caches; the disk, which is the test, sees what has been cleaned.
 */

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
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
#include "tests/unit/fake/fake_dma.h"
#include "tests/unit/fake/virtio_bus.h"
#include "vmm/virtio/block.h"
#include "vmm/virtio/block_dma.h"

#define RAM_GPA  0x40000000ull
#define RAM_SIZE 0x400000ull
#define PIECE    0x100000ull
#define DEVICE   0x0a009000ull
#define SIZE     256u
#define HEADERS  (RAM_GPA + 0x8000)
#define STATUSES (RAM_GPA + 0xc000)
#define TABLES   (RAM_GPA + 0x10000)
#define DATA     (RAM_GPA + 0x80000)
#define RING     16384u
#define USUAL                                                                                      \
    (VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |            \
     VIRTIO_FEATURE(VIRTIO_BLK_F_SEG_MAX))

static uint8_t request_region[RING_HEADER_SIZE + RING] __attribute__((aligned(4096)));
static uint8_t reply_region[RING_HEADER_SIZE + BLOCK_REPLY_RING] __attribute__((aligned(4096)));
static uint32_t page[1024] __attribute__((aligned(4096)));
static const struct vmm_disk_config config = {.channel = 10,
                                              .id = "disk",
                                              .requests = request_region,
                                              .replies = reply_region,
                                              .request_ring_size = RING,
                                              .reply_ring_size = BLOCK_REPLY_RING,
                                              .registers = page,
                                              .gpa = DEVICE,
                                              .intid = 57,
                                              .noncoherent = true};

static struct ring requests, replies;
static struct guest_memory memory;
static struct virtio_device *device;
static struct driver_queue queue;
static uint32_t next; /* the next request's number */

static struct {
    struct block_request head;
    struct block_segment segments[BLOCK_SEGMENTS_MAX];
} seen;

/* ---- The disk ---- */

static void say(const void *bytes, uint32_t count)
{
    void *record = ring_reserve(&replies, count);

    assert_non_null(record);
    memcpy(record, bytes, count);
    ring_commit(&replies);
}

static bool receive(void)
{
    uint32_t count;
    const void *record = ring_peek(&requests, &count);

    if (record == NULL) {
        return false;
    }
    memcpy(&seen, record, count);
    ring_release(&requests);
    return true;
}

static uint8_t *in_memory(uint32_t segment)
{
    const struct block_segment *at = &seen.segments[segment];
    uint8_t *data = fake_dma_at(RAM_GPA + at->region * PIECE + at->offset, at->length);

    assert_non_null(data);
    return data;
}

static void answer(uint32_t id, uint32_t status)
{
    say(&(struct block_done){.kind = BLOCK_REPLY_DONE, .id = id, .status = status},
        sizeof(struct block_done));
    device->ops->notified(device);
    virtio_devices_run();
}

/* ---- The guest ---- */

static uint8_t *at(uint64_t gpa)
{
    return driver_memory(&memory, gpa);
}

static uint32_t ask(uint32_t type, const struct driver_buffer *data, unsigned count)
{
    struct driver_buffer buffers[64];
    struct virtio_blk_outhdr header = {.type = type};
    unsigned readable = type == VIRTIO_BLK_T_OUT ? 1 + count : 1;

    memcpy(at(HEADERS + 16 * (next % 256)), &header, sizeof(header));
    *at(STATUSES + next % 256) = 0xee;
    buffers[0] = (struct driver_buffer){HEADERS + 16 * (next % 256), 16};
    memcpy(buffers + 1, data, count * sizeof(*data));
    buffers[count + 1] = (struct driver_buffer){STATUSES + next % 256, 1};
    driver_add_indirect(&queue, TABLES + next % 64 * 1024, buffers, readable, count + 2 - readable);
    return next++;
}

static void expect(uint32_t number, uint8_t status)
{
    uint32_t head, written;

    assert_true(driver_take(&queue, &head, &written));
    assert_int_equal(*at(STATUSES + number % 256), status);
}

static void begin(void)
{
    assert_true(bus_negotiate(DEVICE, USUAL) & VIRTIO_CONFIG_S_FEATURES_OK);
    driver_queue_init(&queue, &memory, RAM_GPA, SIZE);
    assert_int_equal(bus_enable_queue(DEVICE, 0, &queue), 1);
    bus_driver_ok(DEVICE);
}

static int set_up_all(void **state)
{
    (void)state;
    struct block_info info = {.kind = BLOCK_REPLY_INFO,
                              .sectors = 100000,
                              .block_size = 512,
                              .segments_max = 128,
                              .segment_bytes_max = 65536};

    memory = (struct guest_memory){aligned_alloc(4096, RAM_SIZE), RAM_GPA, RAM_SIZE};
    assert_non_null(memory.base);
    memset(memory.base, 0, RAM_SIZE);
    ring_init(&requests, request_region, RING);
    ring_init(&replies, reply_region, BLOCK_REPLY_RING);
    say(&info, sizeof(info));
    device = virtio_block_init(0, &config, &memory, PIECE);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    free(memory.base);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    assert_true(device->ops->quiesced(device));
    fake_reset();
    bus_clear();
    memset(memory.base, 0, RAM_SIZE);
    fake_dma_reset();
    fake_dma_add(memory.base, RAM_GPA, RAM_SIZE);
    virtio_device_reset(device);
    begin();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_dma_reset();
    return 0;
}

/* ---- Tests ---- */

static void the_disk_finds_what_is_written(void **state)
{
    (void)state;
    struct driver_buffer data[] = {{DATA + 20, 492}, {RAM_GPA + 2 * PIECE - 100, 532}};
    uint32_t number;

    memset(at(DATA), 0x11, 1024);
    memset(at(RAM_GPA + 2 * PIECE - 100), 0x22, 532);
    number = ask(VIRTIO_BLK_T_OUT, data, 2);
    bus_kick(DEVICE, 0);
    assert_true(receive());
    assert_int_equal(seen.head.segment_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_memory_equal(in_memory(i),
                            memory.base + seen.segments[i].region * PIECE + seen.segments[i].offset,
                            seen.segments[i].length);
    }
    assert_int_equal(*in_memory(0), 0x11);
    answer(seen.head.id, BLOCK_OK);
    expect(number, VIRTIO_BLK_S_OK);
}

static void the_guest_finds_what_is_read(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 65536};
    uint32_t number;

    memset(at(DATA), 0x11, 65536); /* nothing of that may be written to memory later */
    number = ask(VIRTIO_BLK_T_IN, &data, 1);
    bus_kick(DEVICE, 0);
    assert_true(receive());
    memset(in_memory(0), 0x33, 65536);
    answer(seen.head.id, BLOCK_OK);
    expect(number, VIRTIO_BLK_S_OK);
    for (uint32_t i = 0; i < 65536; i++) {
        assert_int_equal(at(DATA)[i], 0x33);
    }
    assert_int_equal(at(DATA)[65536], 0);
}

/* The bytes around the data are the guest's, and stay as it wrote them last. */
static void data_in_the_midst_of_a_line(void **state)
{
    (void)state;
    struct driver_buffer data[] = {{DATA + 4, 20}, {DATA + 40, 4}, {DATA + 1000, 488}};
    uint32_t number;

    memset(at(DATA), 0x44, 2048);
    number = ask(VIRTIO_BLK_T_IN, data, 3);
    bus_kick(DEVICE, 0);
    assert_true(receive());
    for (uint32_t i = 0; i < 3; i++) {
        memset(in_memory(i), 0x55, data[i].length);
    }
    answer(seen.head.id, BLOCK_OK);
    expect(number, VIRTIO_BLK_S_OK);
    for (uint32_t i = 0; i < 2048; i++) {
        bool read = (i >= 4 && i < 24) || (i >= 40 && i < 44) || (i >= 1000 && i < 1488);

        assert_int_equal(at(DATA)[i], read ? 0x55 : 0x44);
    }
}

/* Memory that a guest names twice, its ring among it: it harms itself, and each piece comes back.
 */
static void segments_that_overlap(void **state)
{
    (void)state;
    struct driver_buffer data[] = {{DATA, 512}, {DATA + 256, 512}, {DATA, 512}, {DATA + 100, 512}};

    for (unsigned i = 0; i < BLOCK_DMA_PIECES; i++) {
        uint32_t number = ask(VIRTIO_BLK_T_IN, data, 4);

        bus_kick(DEVICE, 0);
        assert_true(receive());
        memset(in_memory(3), (int)i, 512);
        answer(seen.head.id, i % 3 == 0 ? BLOCK_IO_ERROR : BLOCK_OK);
        expect(number, i % 3 == 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
        assert_int_equal(at(DATA)[100], (uint8_t)i);
    }
}

/* The disk answers what it gets, one after the other, until `all` are done. */
static void serve_all(unsigned all, unsigned first_wave)
{
    uint32_t ids[60];
    unsigned received = 0;

    bus_kick(DEVICE, 0);
    for (unsigned finished = 0; finished < all; finished++) {
        while (receive()) {
            assert_true(received < all);
            ids[received++] = seen.head.id;
        }
        if (finished == 0) {
            assert_int_equal(received, first_wave);
        }
        assert_true(finished < received);
        answer(ids[finished], BLOCK_OK);
    }
    assert_int_equal(driver_used_idx(&queue), all);
}

static void fill(struct driver_buffer *data)
{
    for (unsigned i = 0; i < 60; i++) {
        data[i] = (struct driver_buffer){DATA + i * 1024, 512};
    }
}

static void reads_wait_for_pieces(void **state)
{
    (void)state;
    struct driver_buffer data[60];

    fill(data);
    for (unsigned i = 0; i < 60; i++) {
        ask(VIRTIO_BLK_T_IN, data, 60);
    }
    serve_all(60, BLOCK_DMA_PIECES / 60); /* as many as have room */
}

/* A read that the ring has no room for gives its pieces back, whatever it is that fills the ring.
 */
static void reads_wait_for_the_ring(void **state)
{
    (void)state;
    struct driver_buffer data[60];

    fill(data);
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned k = 0; k < 15; k++) {
            ask(VIRTIO_BLK_T_OUT, data, 60); /* 1088 bytes of the ring each */
        }
        ask(VIRTIO_BLK_T_IN, data, 60);
        serve_all(16, 15);
        set_up(state);
    }
    reads_wait_for_pieces(state);
}

static void a_reset_waits_for_the_reads(void **state)
{
    (void)state;
    struct driver_buffer data = {DATA, 512};
    uint32_t number;

    for (unsigned i = 0; i < 2 * BLOCK_DMA_PIECES; i++) {
        ask(VIRTIO_BLK_T_IN, &data, 1);
        bus_kick(DEVICE, 0);
        assert_true(receive());
        bus_write(DEVICE + 0x70, 0); /* the status */
        assert_false(device->ops->quiesced(device));
        memset(in_memory(0), 0x66, 512);
        answer(seen.head.id, BLOCK_OK);
        assert_true(device->ops->quiesced(device));
        assert_int_equal(at(DATA)[0], 0x66); /* nothing stale is left in the caches */
        begin();
    }
    number = ask(VIRTIO_BLK_T_IN, &data, 1);
    bus_kick(DEVICE, 0);
    assert_true(receive());
    answer(seen.head.id, BLOCK_OK);
    expect(number, VIRTIO_BLK_S_OK);
}

/* Maintenance takes time by the byte: a turn has little of it. */
static void a_turn_is_bounded_by_bytes(void **state)
{
    (void)state;
    struct driver_buffer data[16];

    for (unsigned i = 0; i < 16; i++) {
        data[i] = (struct driver_buffer){DATA + i * 65536, 65536};
    }
    for (unsigned i = 0; i < 6; i++) {
        ask(VIRTIO_BLK_T_OUT, data, 16);
    }
    bus.turn = fake.frequency; /* a turn is enough for an event */
    bus_kick(DEVICE, 0);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(receive());
        assert_false(receive());
        answer(seen.head.id, BLOCK_OK);
        bus.pauses = false;
        bus.elapsed = 0;
        virtio_devices_run();
    }
    assert_int_equal(driver_used_idx(&queue), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_disk_finds_what_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_guest_finds_what_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(data_in_the_midst_of_a_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(segments_that_overlap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_wait_for_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_wait_for_the_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_waits_for_the_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_turn_is_bounded_by_bytes, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
