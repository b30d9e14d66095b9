/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The disk's driver. It passes requests from its client, the disk multiplexer, on to the device,
 * and the device's results back. It alone knows physical addresses: it translates each segment, and
 * rejects those that do not lie within a data region. It retries nothing.
 */

#include <microkit.h>
#include <stddef.h>
#include <string.h>
#include "block/rings.h"
#include "chip.h"
#include "config.h"
#include "lib/interrupt_watch.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "lib/supervised.h"

#define SECTORS_PER_MIB ((1u << 20) / BLOCK_SECTOR)

static struct ring requests, replies;
static struct block_info info;
static bool failed;   /* the device has been given up */
static bool reported; /* a broken ring */
static bool finished; /* a request, since the last interrupt */
static struct interrupt_watch watch;

/* The request that is being passed on. */
static struct block_request_copy request;

static struct chip_segment data[BLOCK_SEGMENTS_MAX];

static void notify_client(void)
{
    microkit_notify(block_driver_config.client_channel);
}

/* Translate a segment to physical addresses. False if it is not all within a data region, or if the
 * chip does not reach it. */
static bool locate(const struct block_segment *segment, struct chip_segment *at)
{
    const struct block_driver_region *region;

    if (segment->region >= block_driver_config.region_count) {
        return false;
    }
    region = &block_driver_config.regions[segment->region];
    if (segment->length == 0 || segment->length > info.segment_bytes_max ||
        segment->offset >= region->size || segment->length > region->size - segment->offset) {
        return false;
    }
    at->paddr = *region->paddr + segment->offset;
    at->length = segment->length;
    if (!chip_reaches(at)) {
        log_limited("%u bytes of memory at 0x%llx: the chip does not reach them: an error",
                    (unsigned)at->length, (unsigned long long)at->paddr);
        return false;
    }
    return true;
}

static enum block_status check_request(void)
{
    uint16_t op = request.head.op;
    bool with_data = op == BLOCK_READ || op == BLOCK_WRITE;
    uint64_t bytes = 0;

    if (info.sectors == 0 || failed || op > BLOCK_WRITE_ZEROES ||
        request.head.segment_count > info.segments_max ||
        (request.head.segment_count != 0) != with_data) {
        return BLOCK_IO_ERROR;
    }
    if ((op == BLOCK_DISCARD && (info.features & BLOCK_INFO_DISCARD) == 0) ||
        (op == BLOCK_WRITE_ZEROES && (info.features & BLOCK_INFO_WRITE_ZEROES) == 0)) {
        return BLOCK_UNSUPPORTED;
    }
    for (uint32_t i = 0; i < request.head.segment_count; i++) {
        if (!locate(&request.segments[i], &data[i])) {
            return BLOCK_IO_ERROR;
        }
        bytes += data[i].length;
    }
    /* Some chips have to be told how much it is, besides where it is. */
    if (with_data && (bytes != (uint64_t)request.head.sector_count * BLOCK_SECTOR ||
                      request.head.sector >= info.sectors ||
                      request.head.sector_count > info.sectors - request.head.sector)) {
        return BLOCK_IO_ERROR;
    }
    return BLOCK_OK;
}

/* Pass a request on, or reply to it at once. Returns false if the device has no room for it. */
static bool pass_on(const void *record, uint32_t count)
{
    enum block_status status;

    if (!block_copy_request(&request, record, count)) {
        block_send_done(&replies, request.head.id, BLOCK_IO_ERROR);
        return true;
    }
    status = check_request();
    if (status == BLOCK_OK && request.head.op == BLOCK_FLUSH &&
        (info.features & BLOCK_INFO_FLUSH) == 0) {
        /* Without a write cache, what the device has answered is on the medium. */
        block_send_done(&replies, request.head.id, BLOCK_OK);
        return true;
    }
    if (status != BLOCK_OK) {
        block_send_done(&replies, request.head.id, status);
        return true;
    }
    return chip_submit(&request.head, data);
}

/* Submit new requests while the device has room. The others wait in the ring. */
static void submit(void)
{
    while (block_has_room_for_reply(&replies, chip_in_flight())) {
        uint32_t count;
        const void *record = ring_peek(&requests, &count);

        if (record == NULL) {
            if (ring_await_data(&requests)) {
                continue;
            }
            break;
        }
        if (!pass_on(record, count)) {
            break; /* until something in flight has finished */
        }
        ring_release(&requests);
    }
    chip_kick();
}

static void give_up(void)
{
    const char *cause = chip_error();

    failed = true;
    if (chip_stop()) {
        log_printf("the disk is given up: %s", cause);
    } else {
        log_printf(
            "the disk is given up: %s; it does not stop, so that %u requests stay unanswered",
            cause, (unsigned)chip_in_flight());
    }
}

static void take_finished(void)
{
    uint32_t status;
    uint32_t id;

    while (chip_take(&id, &status)) {
        block_send_done(&replies, id, status);
        finished = true;
    }
}

/*
 * Take all that has finished. Nothing new is submitted meanwhile, so that what was in flight bounds
 * the work of a wake-up.
 */
static void complete(void)
{
    do {
        take_finished();
    } while (chip_await());
    if (chip_error() != NULL && !failed) {
        give_up();
        take_finished();
    }
}

static void serve(void)
{
    bool data_wanted;

    complete();
    submit();
    if (chip_error() != NULL && !failed) {
        complete(); /* it has not even taken the new ones, so that no interrupt will come */
    }
    data_wanted = ring_take_data_wanted(&replies);
    if (ring_take_space_wanted(&requests) || data_wanted) {
        notify_client();
    }
    if (!reported && (ring_broken(&requests) || ring_broken(&replies))) {
        reported = true;
        log_printf("the multiplexer has broken its ring: no more requests are served");
    }
}

static void start_disk(void)
{
    const char *cause = chip_start(block_driver_config.registers,
                                   !block_driver_config.no_protect_switch, block_driver_config.dma,
                                   *block_driver_config.dma_paddr, BLOCK_DRIVER_DMA_SIZE, &info);

    failed = cause != NULL;
    if (failed) {
        log_printf("no disk: %s", cause);
        info = (struct block_info){.kind = BLOCK_REPLY_INFO};
    } else {
        log_printf("disk of %llu MiB, blocks of %u bytes%s",
                   (unsigned long long)(info.sectors / SECTORS_PER_MIB), (unsigned)info.block_size,
                   (info.features & BLOCK_INFO_READ_ONLY) != 0 ? ", read-only" : "");
    }
}

/* Also called after a fault: nothing is left of before, and an interrupt may be unacknowledged. */
void init(void)
{
    bool again = supervised_again();

    log_open("disk", block_driver_config.log, block_driver_config.log_size,
             block_driver_config.log_channel);
    ring_init(&requests, block_driver_config.requests, block_driver_config.request_ring_size);
    ring_init(&replies, block_driver_config.replies, block_driver_config.reply_ring_size);
    reported = false;
    finished = false;
    watch = (struct interrupt_watch){0};
    start_disk();
    if (again && !failed) {
        microkit_irq_ack(block_driver_config.irq_channel);
    }
    block_send_info(&replies, &info);
    serve();
    notify_client();
}

static void watch_interrupts(void)
{
    if (interrupt_watch_ends(&watch, finished)) {
        chip_fail("it interrupts without a cause");
        serve();
    }
    finished = false;
}

void notified(microkit_channel ch)
{
    if (ch == block_driver_config.irq_channel) {
        chip_interrupted();
    }
    serve();
    if (ch == block_driver_config.irq_channel && !failed) {
        watch_interrupts();
    }
    /* A device that is given up may interrupt for ever: its interrupt stays unacknowledged. */
    if (ch == block_driver_config.irq_channel && !failed) {
        microkit_deferred_irq_ack(ch);
    }
}
