/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The disk's driver. It passes requests from its client, the disk multiplexer, on to the device,
 * and the device's results back. It alone knows physical addresses: it translates each segment, and
 * rejects those that do not lie within a data region. It retries nothing.
 */

#include <microkit.h>
#include <stddef.h>
#include <string.h>
#include "block/protocol.h"
#include "config.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "virtio_blk.h"

#define SECTORS_PER_MIB ((1u << 20) / BLOCK_SECTOR)

static struct ring requests, replies;
static struct ring log_ring;
static struct block_info info;
static bool failed;   /* the device has been given up */
static bool reported; /* a broken ring */

/* A request out of the ring: a copy, because the ring's memory is the client's too. */
static struct {
    struct block_request head;
    struct block_segment segments[BLOCK_SEGMENTS_MAX];
} request;

static struct vring_driver_segment data[BLOCK_SEGMENTS_MAX];

static void notify_client(void)
{
    microkit_notify(block_driver_config.client_channel);
}

/* There is room: see `room_for_reply`. */
static void reply(uint32_t id, uint32_t status)
{
    struct block_done *done = ring_reserve(&replies, sizeof(*done));

    if (done != NULL) {
        *done = (struct block_done){.kind = BLOCK_REPLY_DONE, .id = id, .status = status};
        ring_commit(&replies, sizeof(*done));
    }
}

/* Whether there is room for a reply to all in flight and one more. If not, the client notifies. */
static bool room_for_reply(void)
{
    uint32_t bytes = (virtio_blk_in_flight() + 1) * BLOCK_REPLY_BYTES;

    return ring_space(&replies) >= bytes || ring_await_space(&replies, bytes);
}

static void send_info(void)
{
    struct block_info *to = ring_reserve(&replies, sizeof(*to));

    if (to != NULL) {
        *to = info;
        ring_commit(&replies, sizeof(*to));
    }
}

/* Copy the record. False if it is no complete request; its `id` is set as far as it is there. */
static bool copy_request(const void *record, uint32_t count)
{
    memset(&request.head, 0, sizeof(request.head));
    memcpy(&request, record, count < sizeof(request) ? count : sizeof(request));
    return count >= sizeof(request.head) && request.head.segment_count <= info.segments_max &&
           count >=
               sizeof(request.head) + request.head.segment_count * sizeof(struct block_segment);
}

/* Translate a segment to physical addresses. False if it is not all within a data region. */
static bool locate(const struct block_segment *segment, struct vring_driver_segment *at)
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
    return true;
}

static enum block_status check_request(void)
{
    uint16_t op = request.head.op;
    bool with_data = op == BLOCK_READ || op == BLOCK_WRITE;

    if (info.sectors == 0 || failed || op > BLOCK_WRITE_ZEROES ||
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
    }
    return BLOCK_OK;
}

/* Pass a request on, or reply to it at once. Returns false if the device has no room for it. */
static bool pass_on(const void *record, uint32_t count)
{
    enum block_status status;

    if (!copy_request(record, count)) {
        reply(request.head.id, BLOCK_IO_ERROR);
        return true;
    }
    status = check_request();
    if (status == BLOCK_OK && request.head.op == BLOCK_FLUSH &&
        (info.features & BLOCK_INFO_FLUSH) == 0) {
        reply(request.head.id, BLOCK_OK); /* what the device has answered is on the medium */
        return true;
    }
    if (status != BLOCK_OK) {
        reply(request.head.id, status);
        return true;
    }
    return virtio_blk_submit(&request.head, data);
}

/* Submit new requests while the device has room. The others wait in the ring. */
static void submit(void)
{
    while (room_for_reply()) {
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
    virtio_blk_kick();
}

static void give_up(void)
{
    const char *cause = virtio_blk_error();

    failed = true;
    if (virtio_blk_stop()) {
        log_printf("the disk is given up: %s", cause);
    } else {
        log_printf(
            "the disk is given up: %s; it does not stop, so that %u requests stay unanswered",
            cause, (unsigned)virtio_blk_in_flight());
    }
}

static void take_finished(void)
{
    uint32_t status;
    uint32_t id;

    while (virtio_blk_take(&id, &status)) {
        reply(id, status);
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
    } while (virtio_blk_await());
    if (virtio_blk_error() != NULL && !failed) {
        give_up();
        take_finished();
    }
}

static void serve(void)
{
    bool data_wanted;

    complete();
    submit();
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
    const char *cause =
        virtio_blk_start(block_driver_config.registers, block_driver_config.dma,
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

void init(void)
{
    bool logs = block_driver_config.log != NULL;

    if (logs) {
        ring_init(&log_ring, block_driver_config.log, block_driver_config.log_size);
    }
    log_init("disk", logs ? &log_ring : NULL, block_driver_config.log_channel);
    ring_init(&requests, block_driver_config.requests, block_driver_config.request_ring_size);
    ring_init(&replies, block_driver_config.replies, block_driver_config.reply_ring_size);
    reported = false;
    start_disk();
    send_info();
    serve();
    notify_client();
}

void notified(microkit_channel ch)
{
    if (ch == block_driver_config.irq_channel) {
        virtio_blk_interrupted();
    }
    serve();
    /* A device that is given up may interrupt for ever: its interrupt stays unacknowledged. */
    if (ch == block_driver_config.irq_channel && !failed) {
        microkit_deferred_irq_ack(ch);
    }
}
