/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Both ends of the rings of protocol.h. A client (a monitor at the multiplexer, the multiplexer at
 * the driver) sends requests and receives replies; a server receives requests and sends replies.
 * What is received is copied once, because the sender can still write the ring's memory.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "lib/ring.h"
#include "protocol.h"

/* A request and its segments in private memory. */
struct block_request_copy {
    struct block_request head;
    struct block_segment segments[BLOCK_SEGMENTS_MAX];
};

/* A reply in private memory; `kind` says which of the two it is. */
union block_reply {
    uint32_t kind;
    struct block_info info;
    struct block_done done;
};

/* ---- The client's end ---- */

/*
 * Send a request under the id `id`; that in `request` is not looked at. Returns false if the ring
 * has no room now; then the server notifies when it has.
 */
static inline bool block_send_request(struct ring *requests,
                                      const struct block_request_copy *request, uint32_t id)
{
    uint32_t bytes = (uint32_t)(sizeof(request->head) +
                                request->head.segment_count * sizeof(request->segments[0]));
    struct block_request *record;

    do {
        record = ring_reserve(requests, bytes);
    } while (record == NULL && ring_await_space(requests, bytes));
    if (record == NULL) {
        return false;
    }
    memcpy(record, request, bytes);
    record->id = id;
    ring_commit(requests);
    return true;
}

/* Copy a record of `count` bytes. Returns false if it is no complete reply of either kind. */
static inline bool block_copy_reply(union block_reply *reply, const void *record, uint32_t count)
{
    reply->kind = 0;
    memcpy(reply, record, count < sizeof(*reply) ? count : sizeof(*reply));
    return (reply->kind == BLOCK_REPLY_DONE && count >= sizeof(reply->done)) ||
           (reply->kind == BLOCK_REPLY_INFO && count >= sizeof(reply->info));
}

/* ---- The server's end ---- */

/*
 * Copy a record of `count` bytes. Returns false if it is no complete request; then only the head is
 * there, as far as the record has it, with zeros behind.
 */
static inline bool block_copy_request(struct block_request_copy *request, const void *record,
                                      uint32_t count)
{
    uint32_t head = sizeof(request->head);

    memset(&request->head, 0, head);
    memcpy(&request->head, record, count < head ? count : head);
    if (count < head || request->head.segment_count > BLOCK_SEGMENTS_MAX ||
        request->head.segment_count > (count - head) / sizeof(request->segments[0])) {
        return false;
    }
    memcpy(request->segments, (const uint8_t *)record + head,
           request->head.segment_count * sizeof(request->segments[0]));
    return true;
}

/*
 * Whether there is room for replies to `in_flight` requests and one more. If not, the client
 * notifies when there is.
 */
static inline bool block_has_room_for_reply(struct ring *replies, uint32_t in_flight)
{
    uint32_t bytes = (in_flight + 1) * BLOCK_REPLY_BYTES;

    return ring_space(replies) >= bytes || ring_await_space(replies, bytes);
}

/*
 * Send a reply: request `id` has ended with `status`. block_has_room_for_reply has made sure of
 * room, unless the client has tampered with the ring's indices; then nothing is sent.
 */
static inline void block_send_done(struct ring *replies, uint32_t id, uint32_t status)
{
    struct block_done *record = ring_reserve(replies, sizeof(*record));

    if (record != NULL) {
        *record = (struct block_done){.kind = BLOCK_REPLY_DONE, .id = id, .status = status};
        ring_commit(replies);
    }
}

/* Send the first reply, which describes the disk. */
static inline void block_send_info(struct ring *replies, const struct block_info *info)
{
    struct block_info *record = ring_reserve(replies, sizeof(*record));

    if (record != NULL) {
        *record = *info;
        ring_commit(replies);
    }
}
