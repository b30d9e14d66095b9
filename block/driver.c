/* SPDX-License-Identifier: BSD-2-Clause */

#include "driver.h"

#include <microkit.h>
#include <stddef.h>
#include <string.h>
#include "config.h"
#include "lib/log.h"
#include "lib/ring.h"

#define SLOTS BLOCK_DEPTH

static struct {
    struct ring requests;
    struct ring replies;
    struct flight flights[SLOTS];
    bool busy[SLOTS];
    uint8_t free[SLOTS]; /* a stack */
    uint32_t free_count;
    bool info_known; /* its info has come */
    bool reported;
} driver;

void driver_init(void)
{
    memset(&driver, 0, sizeof(driver));
    ring_init(&driver.requests, block_config.requests, block_config.request_ring_size);
    ring_init(&driver.replies, block_config.replies, block_config.reply_ring_size);
    for (uint32_t i = 0; i < SLOTS; i++) {
        driver.free[i] = (uint8_t)(SLOTS - 1 - i);
    }
    driver.free_count = SLOTS;
}

bool driver_send(const struct block_request_copy *request, const struct flight *flight)
{
    uint8_t slot;

    if (driver.free_count == 0) {
        return false;
    }
    slot = driver.free[driver.free_count - 1];
    if (!block_send_request(&driver.requests, request, slot)) {
        return false;
    }
    driver.free_count--;
    driver.flights[slot] = *flight;
    driver.busy[slot] = true;
    return true;
}

/* The driver is checked too, so that its faults do not become the multiplexer's. */
static enum driver_event take_done(const struct block_done *done, struct flight *flight,
                                   uint32_t *status)
{
    if (done->id >= SLOTS || !driver.busy[done->id]) {
        log_limited("the driver answers what it was not asked: ignored");
        return DRIVER_NOTHING;
    }
    *flight = driver.flights[done->id];
    *status = done->status <= BLOCK_UNSUPPORTED ? done->status : BLOCK_IO_ERROR;
    driver.busy[done->id] = false;
    driver.free[driver.free_count++] = (uint8_t)done->id;
    return DRIVER_DONE;
}

static bool info_is_valid(const struct block_info *info)
{
    return info->sectors == 0 ||
           (info->sectors <= UINT64_MAX / BLOCK_SECTOR && info->block_size >= BLOCK_SECTOR &&
            info->block_size <= 4096 && (info->block_size & (info->block_size - 1)) == 0 &&
            info->segments_max >= 2 && info->segments_max <= BLOCK_SEGMENTS_MAX &&
            info->segment_bytes_max >= 4096 && info->physical_exponent <= 16);
}

static enum driver_event take_info(const struct block_info *from, struct block_info *info)
{
    if (driver.info_known) {
        log_limited("the driver introduces another disk: ignored");
        return DRIVER_NOTHING;
    }
    driver.info_known = true;
    *info = *from;
    if (!info_is_valid(info)) {
        log_printf("the driver describes an impossible disk: there is none");
        *info = (struct block_info){.kind = BLOCK_REPLY_INFO};
    }
    return DRIVER_INFO;
}

/* Copy one record, and take it. */
static enum driver_event take_record(const void *record, uint32_t count, struct block_info *info,
                                     struct flight *flight, uint32_t *status)
{
    union block_reply reply;

    if (!block_copy_reply(&reply, record, count)) {
        log_limited("the driver says something that makes no sense: ignored");
        return DRIVER_NOTHING;
    }
    return reply.kind == BLOCK_REPLY_DONE ? take_done(&reply.done, flight, status)
                                          : take_info(&reply.info, info);
}

enum driver_event driver_take(struct block_info *info, struct flight *flight, uint32_t *status)
{
    do {
        const void *record;
        uint32_t count;

        while ((record = ring_peek(&driver.replies, &count)) != NULL) {
            enum driver_event event = take_record(record, count, info, flight, status);

            ring_release(&driver.replies);
            if (event != DRIVER_NOTHING) {
                return event;
            }
        }
    } while (ring_await_data(&driver.replies));
    if (!driver.reported && (ring_broken(&driver.replies) || ring_broken(&driver.requests))) {
        driver.reported = true;
        log_printf("the driver has broken its ring: the disk is of no more use");
    }
    return DRIVER_NOTHING;
}

void driver_flush(void)
{
    bool data_wanted = ring_take_data_wanted(&driver.requests);

    if (ring_take_space_wanted(&driver.replies) || data_wanted) {
        microkit_notify(block_config.driver_channel);
    }
}
