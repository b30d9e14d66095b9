/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: drivers/block/block.c drivers/block/sdhci.c lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/sd_slot.c tests/unit/fake/block_client.c tests/unit/fake/fake_dma.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * The disk's driver with an SD card, whose controller sees of memory only what has been cleaned.
 * The test is the client, which gives the controller its own memory and takes it back.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "block/protocol.h"
#include "drivers/block/chip.h"
#include "drivers/block/config.h"
#include "lib/dma.h"
#include "lib/ring.h"
#include "tests/unit/fake/block_client.h"
#include "tests/unit/fake/fake_dma.h"
#include "tests/unit/fake/sd_slot.h"

#define IRQ    0
#define CLIENT 1
#define REGION 65536u

#define DATA_TIMEOUT    (1u << 20)
#define DATA_CRC        (1u << 21)
#define DATA_END        (1u << 22)
#define AUTO_CMD12      (1u << 24)
#define COMMAND_TIMEOUT (1u << 16)
#define TRANSFER_DONE   (1u << 1)

static _Alignas(4096) uint8_t dma[BLOCK_DRIVER_DMA_SIZE];
static _Alignas(4096) uint8_t regions[3][REGION];
static uint64_t dma_paddr = 0x7ff80000;
static uint64_t paddrs[3] = {0x10000000, 0x20000000, 0xffffff000};

static const struct block_driver_region region_table[] = {
    {.paddr = &paddrs[0], .size = REGION},
    {.paddr = &paddrs[1], .size = REGION},
    {.paddr = &paddrs[2], .size = REGION}, /* beyond what 32 bits reach */
};

const struct block_driver_config block_driver_config = {
    .registers = FAKE_SD_REGISTERS,
    .irq_channel = IRQ,
    .client_channel = CLIENT,
    .requests = to_driver,
    .replies = from_driver,
    .request_ring_size = BLOCK_REQUEST_RING,
    .reply_ring_size = BLOCK_REPLY_RING,
    .dma = dma,
    .dma_paddr = &dma_paddr,
    .regions = region_table,
    .region_count = 3,
};

/* ---- The client ---- */

static uint8_t *data_of(const struct block_segment *segment)
{
    return regions[segment->region] + segment->offset;
}

/* Send `request`, with its memory given to the controller as the monitor does. */
static void submit(void)
{
    for (uint32_t i = 0; i < request.head.segment_count; i++) {
        const struct block_segment *segment = &request.segments[i];

        if (segment->offset + segment->length > REGION) {
            continue;
        }
        if (request.head.op == BLOCK_WRITE) {
            dma_clean(data_of(segment), segment->length);
        } else {
            dma_invalidate(data_of(segment), segment->length);
        }
    }
    client_send();
    notified(CLIENT);
}

static void take_interrupts(void)
{
    for (unsigned i = 0; fake_sd_interrupts(); i++) {
        assert_true(i < 100);
        notified(IRQ);
    }
}

/* The request ends with `status`, and a read's memory is the client's again. */
static void finish(uint32_t status)
{
    take_interrupts();
    expect(request.head.id, status);
    for (uint32_t i = 0; request.head.op == BLOCK_READ && i < request.head.segment_count; i++) {
        dma_invalidate(data_of(&request.segments[i]), request.segments[i].length);
    }
}

static void ask(uint32_t id, enum block_op op, uint64_t sector, uint32_t sectors)
{
    request = request_of(id, op, sector, sectors);
    submit();
}

static void ask_and_finish(enum block_op op, uint64_t sector, uint32_t sectors, uint32_t status)
{
    static uint32_t id;

    ask(++id, op, sector, sectors);
    finish(status);
}

static bool said(const char *text)
{
    return strstr(fake.debug, text) != NULL;
}

/* ---- Start ---- */

static struct block_info begin(void)
{
    fake_reset();
    fake.frequency = 100000000;
    fake_dma_reset();
    client_reset();
    memset(dma, 0, sizeof(dma));
    memset(regions, 0, sizeof(regions));
    fake_dma_add(dma, dma_paddr, sizeof(dma));
    for (unsigned i = 0; i < 3; i++) {
        fake_dma_add(regions[i], paddrs[i], REGION);
    }
    for (uint32_t i = 0; i < sizeof(fake_sd.medium); i++) {
        fake_sd.medium[i] = (uint8_t)(i / 512 + i);
    }
    init();
    return expect_info();
}

static int set_up(void **state)
{
    (void)state;
    fake_sd_reset();
    assert_int_equal(begin().sectors, FAKE_SD_SECTORS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_dma_reset();
    return 0;
}

static void a_fast_card(void **state)
{
    (void)state;
    struct block_info info;

    fake_sd_reset();
    fake_sd.not_ready = 20;
    info = begin();
    assert_int_equal(info.sectors, FAKE_SD_SECTORS);
    assert_int_equal(info.block_size, 512);
    assert_int_equal(info.segments_max, 128);
    assert_int_equal(info.segment_bytes_max, 65536);
    assert_int_equal(info.features, 0); /* no cache to flush */
    assert_int_equal(fake_sd.clock_khz, 50000);
    assert_int_equal(fake_sd.host & 6u, 6); /* four lines, high speed */
    assert_int_equal(fake_sd.host >> 9 & 7u, 7);
    assert_false(fake_sd_interrupts());
}

/* Without one thing, the rest is as fast as it goes. */
static void slower_cards(void **state)
{
    (void)state;

    fake_sd_reset();
    fake_sd.kind = FAKE_SD_VERSION_2;
    fake_sd.high_speed_offered = false;
    assert_int_equal(begin().sectors, FAKE_SD_SECTORS);
    assert_int_equal(fake_sd.host & 6u, 2);
    assert_int_equal(fake_sd.clock_khz, 16666); /* 200 MHz / 12: 19 MHz at most */
    ask_and_finish(BLOCK_READ, 3, 4, BLOCK_OK); /* byte addresses */
    assert_memory_equal(regions[0], fake_sd.medium + 3 * 512, 2048);

    fake_sd_reset();
    fake_sd.kind = FAKE_SD_VERSION_1;
    fake_sd.csd_structure = 0;
    fake_sd.sectors = 2048;
    fake_sd.scr[0] = 0; /* it knows no SD_SWITCH_FUNC */
    fake_sd.scr[1] = 1;
    assert_int_equal(begin().sectors, 2048);
    assert_int_equal(fake_sd.host & 6u, 0);
    ask_and_finish(BLOCK_WRITE, 2047, 1, BLOCK_OK);

    fake_sd_reset();
    fake_sd.capabilities = 0x36cc3281; /* 50 MHz; without high speed, and 3.0 V alone */
    fake_sd.version = 1;
    fake_sd.capabilities &= ~(1u << 21 | 1u << 24);
    assert_int_equal(begin().sectors, FAKE_SD_SECTORS);
    assert_int_equal(fake_sd.host >> 9 & 7u, 6);
    assert_int_equal(fake_sd.clock_khz, 12500); /* a power of two */

    fake_sd_reset(); /* of 2 TiB */
    fake_sd.sectors = 1ull << 32;
    assert_int_equal(begin().sectors, 1ull << 32);
}

static void what_cannot_be_started(void **state)
{
    (void)state;
    static const struct {
        size_t field;
        const char *cause;
    } flags[] = {
        {offsetof(struct fake_sd, stuck_reset), "no SD host controller that can be reset"},
        {offsetof(struct fake_sd, ones), "no SD host controller that can be reset"},
        {offsetof(struct fake_sd, stuck_clock), "clock does not run"},
        {offsetof(struct fake_sd, mute), "does not answer as an SD memory card"},
        {offsetof(struct fake_sd, silent), "does not answer as an SD memory card"},
    };

    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        fake_sd_reset();
        *(bool *)((uint8_t *)&fake_sd + flags[i].field) = true;
        assert_int_equal(begin().sectors, 0);
        assert_true(said(flags[i].cause));
        assert_true(fake.counter < 5 * fake.frequency);
        ask(1, BLOCK_READ, 0, 1);
        expect(1, BLOCK_IO_ERROR);
        notified(IRQ); /* whoever interrupts */
    }
    fake_sd_reset();
    fake_sd.inserted = false;
    assert_int_equal(begin().sectors, 0);
    assert_true(said("there is no card in the slot"));
    fake_sd_reset();
    fake_sd.not_ready = UINT32_MAX;
    assert_int_equal(begin().sectors, 0);
    assert_true(said("does not get ready"));
    fake_sd_reset();
    fake_sd.capabilities &= ~(1u << 19);
    assert_int_equal(begin().sectors, 0);
    fake_sd_reset();
    fake_sd.capabilities &= ~0xff00u;
    assert_int_equal(begin().sectors, 0);
    assert_true(said("no ADMA2, or does not say how fast"));
    fake_sd_reset();
    fake_sd.capabilities &= ~(3u << 24);
    assert_int_equal(begin().sectors, 0);
    fake_sd_reset();
    fake_sd.csd_structure = 3;
    assert_int_equal(begin().sectors, 0);
    assert_true(said("size makes no sense"));
    fake_sd_reset();
    dma_paddr = 0x100000000;
    assert_int_equal(begin().sectors, 0);
    assert_true(said("does not reach the driver's memory"));
    dma_paddr = 0x7ff80000;
}

static void protected_cards(void **state)
{
    (void)state;
    struct block_info info;

    fake_sd_reset();
    fake_sd.write_protected = true;
    assert_int_equal(begin().features, BLOCK_INFO_READ_ONLY);
    assert_true(said("read-only"));
    assert_null(chip_start(FAKE_SD_REGISTERS, false, dma, dma_paddr, sizeof(dma), &info));
    assert_int_equal(info.features, 0);
    fake_sd_reset();
    fake_sd.csd_protected = true;
    assert_null(chip_start(FAKE_SD_REGISTERS, false, dma, dma_paddr, sizeof(dma), &info));
    assert_int_equal(info.features, BLOCK_INFO_READ_ONLY);
}

/* ---- Requests ---- */

static void reads_and_writes(void **state)
{
    (void)state;

    request = request_of(7, BLOCK_READ, 100, 40);
    request.head.segment_count = 3;
    request.segments[0] = (struct block_segment){.region = 0, .offset = 100, .length = 700};
    request.segments[1] = (struct block_segment){.region = 1, .offset = 4, .length = 4};
    request.segments[2] =
        (struct block_segment){.region = 1, .offset = REGION - 19776, .length = 19776};
    submit();
    finish(BLOCK_OK);
    assert_memory_equal(regions[0] + 100, fake_sd.medium + 51200, 700);
    assert_memory_equal(regions[1] + 4, fake_sd.medium + 51900, 4);
    assert_memory_equal(regions[1] + REGION - 19776, fake_sd.medium + 51904, 19776);
    assert_int_equal(regions[0][99], 0);
    assert_int_equal(regions[0][800], 0);

    memset(regions[0], 0x5a, REGION);
    ask_and_finish(BLOCK_WRITE, FAKE_SD_SECTORS - 128, 128, BLOCK_OK); /* a descriptor of 64 KiB */
    assert_memory_equal(fake_sd.medium + sizeof(fake_sd.medium) - REGION, regions[0], REGION);
    assert_int_not_equal(fake_sd.medium[sizeof(fake_sd.medium) - REGION - 1], 0x5a);
    ask_and_finish(BLOCK_FLUSH, 0, 0, BLOCK_OK);
    assert_int_equal(fake_sd.transfers, 2);
    ask_and_finish(BLOCK_DISCARD, 0, 8, BLOCK_UNSUPPORTED);
}

static void as_many_segments_as_there_may_be(void **state)
{
    (void)state;

    request = request_of(1, BLOCK_WRITE, 9, 128);
    request.head.segment_count = 128;
    for (uint32_t i = 0; i < 128; i++) {
        memset(regions[0] + 512 * i, (int)(128 - i), 512);
        request.segments[i] = (struct block_segment){.offset = 512 * (127 - i), .length = 512};
    }
    submit();
    finish(BLOCK_OK);
    for (uint32_t i = 0; i < 128; i++) {
        assert_int_equal(fake_sd.medium[(9 + i) * 512 + 300], i + 1);
    }
    request.head.segment_count = 129;
    submit();
    finish(BLOCK_IO_ERROR);
}

/* One after the other, whatever their number, and each with its own table. */
static void many_wait(void **state)
{
    (void)state;
    const uint32_t all = 60;

    fake_sd.held = true;
    for (uint32_t i = 0; i < all; i++) {
        request = request_of(i, i % 2 == 0 ? BLOCK_WRITE : BLOCK_READ, i / 2 * 2, 2);
        request.segments[0].region = i % 2;
        request.segments[0].offset = i / 2 * 1024;
        if (i % 2 == 0) {
            memset(regions[0] + i / 2 * 1024, (int)(i + 1), 1024);
        }
        submit();
    }
    for (uint32_t i = 0; i < all; i++) {
        expect_nothing();
        fake_sd_finish();
        take_interrupts();
        expect(i, BLOCK_OK);
    }
    dma_invalidate(regions[1], REGION);
    assert_memory_equal(regions[0], regions[1], all / 2 * 1024);
    assert_false(fake_sd.waits);
}

static void what_the_chip_does_not_reach_is_an_error(void **state)
{
    (void)state;
    static const struct block_segment wrong[] = {
        {.region = 0, .offset = 1, .length = 512},
        {.region = 0, .offset = 2, .length = 512},
        {.region = 1, .offset = 4098, .length = 512},
        {.region = 2, .offset = 0, .length = 512},
        {.region = 3, .offset = 0, .length = 512},
        {.region = 0, .offset = REGION - 256, .length = 512},
    };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        request = request_of(i, BLOCK_READ, 0, 1);
        request.segments[0] = wrong[i];
        client_send();
        notified(CLIENT);
        expect(i, BLOCK_IO_ERROR);
    }
    request = request_of(9, BLOCK_READ, 0, 1);
    request.head.segment_count = 2;
    request.segments[0].length = 255; /* the next one's place among the words would be odd */
    request.segments[1] = (struct block_segment){.offset = 512, .length = 257};
    submit();
    expect(9, BLOCK_IO_ERROR);
    assert_int_equal(fake_sd.transfers, 0);
    assert_true(said("the chip does not reach them"));
}

/* ---- Errors ---- */

static void errors_of_a_transfer(void **state)
{
    (void)state;
    static const uint32_t errors[] = {
        DATA_TIMEOUT, DATA_CRC, DATA_END, AUTO_CMD12, DATA_CRC | TRANSFER_DONE, 1u << 25, 1u << 17};

    for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        fake_sd.errors = errors[i];
        ask(1, BLOCK_READ, 5, 2);
        ask(2, BLOCK_READ, 9, 2);
        take_interrupts();
        expect(1, BLOCK_IO_ERROR);
        expect(2, BLOCK_OK); /* which finds the card ready */
        assert_int_equal(fake_sd.stops, i + 1);
    }
    fake_sd.errors = DATA_TIMEOUT | TRANSFER_DONE; /* in time after all */
    ask(3, BLOCK_READ, 0, 1);
    take_interrupts();
    expect(3, BLOCK_OK);
}

static void errors_that_the_card_tells(void **state)
{
    (void)state;

    fake_sd.card_status = 1u << 31; /* out of range */
    ask_and_finish(BLOCK_READ, 0, 1, BLOCK_IO_ERROR);
    fake_sd.stop_status = 1u << 21; /* ECC */
    ask_and_finish(BLOCK_READ, 0, 1, BLOCK_IO_ERROR);
    fake_sd.stop_status = 1u << 26; /* protected */
    ask_and_finish(BLOCK_WRITE, 0, 1, BLOCK_IO_ERROR);
    fake_sd.stop_status = 1u << 31; /* the read ahead at the card's end */
    ask_and_finish(BLOCK_READ, FAKE_SD_SECTORS - 1, 1, BLOCK_OK);
}

/* The request in flight and those that wait fail, and the controller is left alone. */
static void expect_given_up(const char *cause, uint32_t count)
{
    unsigned acks = fake.deferred_irq_acks[IRQ];
    unsigned accesses;

    for (uint32_t i = 0; i < count; i++) {
        expect(i, BLOCK_IO_ERROR);
    }
    assert_true(said(cause));
    accesses = fake_sd.accesses;
    ask(50, BLOCK_READ, 0, 1);
    expect(50, BLOCK_IO_ERROR);
    notified(IRQ);
    assert_int_equal(fake_sd.accesses, accesses);
    assert_int_equal(fake.deferred_irq_acks[IRQ], acks);
}

static void a_card_that_is_taken_out(void **state)
{
    (void)state;

    fake_sd.held = true;
    ask(0, BLOCK_READ, 0, 1);
    ask(1, BLOCK_WRITE, 0, 1);
    fake_sd.inserted = false;
    fake_sd.errors = DATA_TIMEOUT;
    fake_sd_finish();
    take_interrupts();
    expect_given_up("the card has been taken out", 2);
}

static void a_card_that_does_not_answer_any_more(void **state)
{
    (void)state;

    fake_sd.mute = true;
    for (uint32_t i = 0; i < 7; i++) {
        ask_and_finish(BLOCK_READ, 0, 1, BLOCK_IO_ERROR);
    }
    ask(0, BLOCK_READ, 0, 1);
    take_interrupts();
    expect_given_up("does not answer any more", 1);
}

static void a_controller_that_never_interrupts(void **state)
{
    (void)state;

    fake_sd.held = true;
    ask(0, BLOCK_READ, 0, 1);
    fake.counter += 29 * fake.frequency;
    ask(1, BLOCK_READ, 0, 1);
    expect_nothing();
    fake.counter += 2 * fake.frequency;
    ask(2, BLOCK_READ, 0, 1);
    expect(0, BLOCK_IO_ERROR);
    expect(1, BLOCK_IO_ERROR);
    expect(2, BLOCK_IO_ERROR);
    expect_given_up("does not end what it has begun", 0);
}

static void a_controller_whose_lines_stay(void **state)
{
    (void)state;

    fake_sd.held = true;
    ask(0, BLOCK_READ, 0, 1);
    fake_sd.errors = DATA_CRC;
    fake_sd.stuck_reset = true;
    fake_sd_finish();
    notified(IRQ);
    assert_true(said("lines cannot be reset; it does not stop, so that 1 requests stay"));
    expect_nothing();

    fake_sd_reset();
    begin();
    fake_sd.stuck_busy = true;
    ask(0, BLOCK_READ, 0, 1);
    expect_given_up("the card stays busy", 1);
}

static void a_controller_that_always_interrupts(void **state)
{
    (void)state;

    for (unsigned i = 0; i < 999; i++) {
        notified(IRQ);
    }
    ask_and_finish(BLOCK_READ, 0, 1, BLOCK_OK);
    for (unsigned i = 0; i < 1000; i++) {
        notified(IRQ);
    }
    expect_given_up("it interrupts without a cause", 0);
}

/* As registers that are not there may read. */
static void a_controller_that_goes(void **state)
{
    (void)state;

    fake_sd.held = true;
    ask(0, BLOCK_READ, 0, 1);
    fake_sd.ones = true;
    notified(IRQ);
    assert_true(said("cannot be reset; it does not stop"));
    assert_true(fake.counter < 5 * fake.frequency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fast_card, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slower_cards, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_started, set_up, tear_down),
        cmocka_unit_test_setup_teardown(protected_cards, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_and_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(as_many_segments_as_there_may_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_chip_does_not_reach_is_an_error, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(errors_of_a_transfer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_that_the_card_tells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_card_that_is_taken_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_card_that_does_not_answer_any_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_controller_that_never_interrupts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_controller_whose_lines_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_controller_that_always_interrupts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_controller_that_goes, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
