/* SPDX-License-Identifier: BSD-2-Clause */

#include "driver.h"

#include <stddef.h>
#include <string.h>
#include "config.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "lib/supervisor.h"
#include "partitions.h"

#define SLOTS BLOCK_DEPTH
#define NONE  SLOTS

_Static_assert(SLOTS <= 64, "a set of slots is a word");

struct slot {
    struct flight flight;
    uint32_t status;                   /* of a request that has ended */
    struct block_request_copy request; /* to be sent again after a fault */
};

static struct {
    struct ring requests;
    struct ring replies;
    struct slot slots[SLOTS];
    uint64_t busy;       /* slots with a request in flight */
    uint8_t free[SLOTS]; /* a stack */
    uint32_t free_count;
    struct block_info info; /* of the disk, as the driver said first */
    bool info_known;
    bool reported;

    struct supervisor supervisor;
    bool recovering;   /* after a fault, until all that was in flight has been answered */
    bool introduced;   /* since its start, the driver has described the disk */
    uint64_t again;    /* slots whose requests are to be sent again */
    uint32_t alone;    /* while recovering: the slot of the only request in flight, or NONE */
    uint64_t blamed;   /* slots whose requests are errors as soon as the device has been reset */
    uint64_t ended;    /* slots whose requests have ended, which nobody has been told yet */
    bool disk_is_gone; /* for good: every request is an error */
    bool tell_no_disk; /* and nobody has been told that there is one */
    bool refusing;     /* `refused` is an error that nobody has been told yet */
    struct flight refused;
} driver;

static void attach(void)
{
    ring_init(&driver.requests, block_config.requests, block_config.request_ring_size);
    ring_init(&driver.replies, block_config.replies, block_config.reply_ring_size);
}

void driver_init(void)
{
    memset(&driver, 0, sizeof(driver));
    attach();
    for (uint32_t i = 0; i < SLOTS; i++) {
        driver.free[i] = (uint8_t)(SLOTS - 1 - i);
    }
    driver.free_count = SLOTS;
    driver.alone = NONE;
    supervisor_init(&driver.supervisor, BLOCK_DRIVER_CHILD, "the disk's driver");
}

/* ---- Requests ---- */

static uint64_t bit(uint32_t slot)
{
    return 1ULL << slot;
}

/* All requests in these slots have ended like that: driver_take says so. */
static void end(uint64_t slots, uint32_t status)
{
    driver.ended |= slots;
    for (; slots != 0; slots &= slots - 1) {
        driver.slots[__builtin_ctzll(slots)].status = status;
    }
}

static void copy_request(struct block_request_copy *to, const struct block_request_copy *from)
{
    to->head = from->head;
    memcpy(to->segments, from->segments, from->head.segment_count * sizeof(from->segments[0]));
}

/* After a fault: what was in flight comes first. */
static bool must_wait(void)
{
    return driver.recovering && (!driver.introduced || driver.again != 0 || driver.alone != NONE);
}

/* The disk is gone, and with it perhaps all slots: errors need none. */
static bool refuse(const struct flight *flight)
{
    if (driver.refusing) {
        return false; /* one at a time */
    }
    driver.refusing = true;
    driver.refused = *flight;
    return true;
}

bool driver_send(const struct block_request_copy *request, const struct flight *flight)
{
    uint8_t slot;

    if (driver.disk_is_gone) {
        return refuse(flight);
    }
    if (driver.free_count == 0 || must_wait()) {
        return false;
    }
    slot = driver.free[driver.free_count - 1];
    if (!block_send_request(&driver.requests, request, slot)) {
        return false;
    }
    copy_request(&driver.slots[slot].request, request);
    driver.free_count--;
    driver.slots[slot].flight = *flight;
    driver.busy |= bit(slot);
    return true;
}

static void free_slot(uint32_t slot, struct flight *flight)
{
    *flight = driver.slots[slot].flight;
    driver.busy &= ~bit(slot);
    driver.free[driver.free_count++] = (uint8_t)slot;
}

/* ---- What the driver says ---- */

/* Whether the driver has this request. */
static bool is_asked(uint32_t id)
{
    return id < SLOTS &&
           (driver.busy & ~(driver.again | driver.blamed | driver.ended) & bit(id)) != 0;
}

static uint32_t status_of(const struct block_done *done)
{
    return done->status <= BLOCK_UNSUPPORTED ? done->status : BLOCK_IO_ERROR;
}

/* The driver is checked too, so that its faults do not become the multiplexer's. */
static enum driver_event take_done(const struct block_done *done, struct flight *flight,
                                   uint32_t *status)
{
    if (!is_asked(done->id)) {
        log_limited("the driver answers what it was not asked: ignored");
        return DRIVER_NOTHING;
    }
    *status = status_of(done);
    free_slot(done->id, flight);
    driver.alone = NONE;
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

/* The partition table's buffer is the multiplexer's own, and is not looked at after an error. */
static uint64_t slots_of_partitions(void)
{
    uint64_t slots = driver.busy & ~driver.ended;

    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (driver.slots[slot].flight.owner != PARTITIONS_OWNER) {
            slots &= ~bit(slot);
        }
    }
    return slots;
}

static void give_up(void)
{
    end(slots_of_partitions(), BLOCK_IO_ERROR);
    driver.recovering = false;
    driver.disk_is_gone = true;
    driver.tell_no_disk = !driver.info_known;
    log_printf("the disk is of no more use; %u requests stay unanswered",
               (unsigned)__builtin_popcountll(driver.busy & ~driver.ended));
}

/*
 * The disk is what it was, or it is of no more use: it has other limits, or another partition
 * table. One that does not even start may still be at work.
 */
static void compare_info(const struct block_info *info)
{
    if (info->sectors == 0) {
        give_up();
        return;
    }
    end(driver.blamed, BLOCK_IO_ERROR);
    driver.blamed = 0;
    if (memcmp(info, &driver.info, sizeof(*info)) != 0) {
        log_printf("the disk is not what it was before its driver faulted: it is of no more use");
        driver.disk_is_gone = true;
        end(driver.again, BLOCK_IO_ERROR);
        driver.again = 0;
    }
}

static enum driver_event take_info(const struct block_info *from, struct block_info *info)
{
    struct block_info said = *from;

    if (driver.introduced) {
        log_limited("the driver introduces another disk: ignored");
        return DRIVER_NOTHING;
    }
    driver.introduced = true;
    if (!driver.supervisor.looked) {
        supervisor_look(&driver.supervisor);
    }
    if (!info_is_valid(&said)) {
        log_printf("the driver describes an impossible disk: there is none");
        said = (struct block_info){.kind = BLOCK_REPLY_INFO};
    }
    if (driver.info_known) {
        compare_info(&said);
        return DRIVER_NOTHING;
    }
    driver.info_known = true;
    driver.info = said;
    *info = said;
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

/* ---- After a fault ---- */

/* The driver is there again: send the next request of those that were in flight. */
static void recover(void)
{
    uint32_t slot;

    if (!driver.recovering || !driver.introduced || driver.alone != NONE) {
        return;
    }
    if (driver.again == 0) {
        driver.recovering = false;
        return;
    }
    slot = (uint32_t)__builtin_ctzll(driver.again);
    if (block_send_request(&driver.requests, &driver.slots[slot].request, slot)) {
        driver.again &= ~bit(slot);
        driver.alone = slot;
    }
}

/* What it had answered before it faulted has ended. */
static void take_last_words(void)
{
    const void *record;
    uint32_t count;

    while ((record = ring_peek(&driver.replies, &count)) != NULL) {
        union block_reply reply;

        if (block_copy_reply(&reply, record, count) && reply.kind == BLOCK_REPLY_DONE &&
            is_asked(reply.done.id)) {
            end(bit(reply.done.id), status_of(&reply.done));
            driver.alone = NONE;
        }
        ring_release(&driver.replies);
    }
}

/* What was in flight alone has made the driver fault: it is not tried once more. */
static void blame_alone(void)
{
    if (driver.alone != NONE) {
        driver.blamed |= bit(driver.alone);
        driver.alone = NONE;
        log_printf("it was at one request alone, which is answered with an error");
    }
}

void driver_fault(microkit_msginfo info)
{
    bool start = supervisor_fault(&driver.supervisor, info);

    take_last_words();
    blame_alone();
    if (!start) {
        give_up();
        return;
    }
    driver.again = driver.busy & ~(driver.blamed | driver.ended);
    driver.recovering = true;
    driver.introduced = false;
    driver.reported = false;
    ring_clear(block_config.requests);
    ring_clear(block_config.replies);
    attach();
    log_printf("%u requests are sent again", (unsigned)__builtin_popcountll(driver.again));
    if (!supervisor_restart(&driver.supervisor)) {
        give_up();
    }
}

/* What the multiplexer has decided by itself. */
static enum driver_event take_own(struct block_info *info, struct flight *flight, uint32_t *status)
{
    uint32_t slot;

    if (driver.tell_no_disk) {
        driver.tell_no_disk = false;
        driver.info_known = true;
        *info = (struct block_info){.kind = BLOCK_REPLY_INFO};
        return DRIVER_INFO;
    }
    if (driver.refusing) {
        driver.refusing = false;
        *flight = driver.refused;
        *status = BLOCK_IO_ERROR;
        return DRIVER_DONE;
    }
    if (driver.ended == 0) {
        return DRIVER_NOTHING;
    }
    slot = (uint32_t)__builtin_ctzll(driver.ended);
    driver.ended &= ~bit(slot);
    *status = driver.slots[slot].status;
    free_slot(slot, flight);
    return DRIVER_DONE;
}

bool driver_has_own(void)
{
    return driver.ended != 0 || driver.refusing || driver.tell_no_disk;
}

static enum driver_event take_said(struct block_info *info, struct flight *flight, uint32_t *status)
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
    return DRIVER_NOTHING;
}

enum driver_event driver_take(struct block_info *info, struct flight *flight, uint32_t *status)
{
    enum driver_event event = take_said(info, flight, status);

    if (event == DRIVER_NOTHING) {
        event = take_own(info, flight, status);
    }
    if (event != DRIVER_NOTHING) {
        return event;
    }
    recover();
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
