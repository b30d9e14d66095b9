/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: block/rings.h
 * EVA:
 *
 * Records of each length, with any bytes, become requests and replies that are whole. What is sent
 * fits into its room.
 */

#include "prelude.h"

#include "any_ring.h"

#include "block/rings.h"

/*@ ensures \result != 0 ==> request->head.segment_count <= BLOCK_SEGMENTS_MAX; */
static inline bool block_copy_request(struct block_request_copy *request, const void *record,
                                      uint32_t count);

static uint8_t record[RECORD]; /* ends where this does */
static struct block_request_copy request;
static union block_reply reply;
static struct block_info info;
static struct ring ring;

/* A pointer behind all bytes is fine for no bytes; Frama-C's memcpy() wants one byte there. */
static const void *record_of(uint32_t count)
{
    return record + (RECORD - (count > 0 ? count : 1));
}

/* Up to `more` bytes more than those that are there: the functions take no notice of them. */
static uint32_t and_more(uint32_t count, uint32_t more)
{
    return count + (uint32_t)any() % (more + 1);
}

static void copy_requests(void)
{
    uint32_t bytes = sizeof(struct block_request);

    /*@ loop unroll 24; */
    for (uint32_t count = 0; count < bytes; count++) {
        block_copy_request(&request, record_of(count), count);
    }
    block_copy_request(&request, record_of(bytes + 1), and_more(bytes, 15)); /* as record_of() */
    bytes += 16;
    /*@ loop unroll BLOCK_SEGMENTS_MAX; */
    for (uint32_t i = 1; i < BLOCK_SEGMENTS_MAX; i++, bytes += 16) {
        block_copy_request(&request, record_of(bytes), and_more(bytes, 15));
    }
    block_copy_request(&request, record_of(bytes), and_more(bytes, 1u << 31));
}

static void copy_replies(void)
{
    uint32_t bytes = sizeof(reply);

    /*@ loop unroll 64; */
    for (uint32_t count = 0; count < bytes; count++) {
        block_copy_reply(&reply, record_of(count), count);
    }
    block_copy_reply(&reply, record_of(bytes), and_more(bytes, 1u << 31));
}

int main(void)
{
    make_any(record, sizeof(record));
    make_any(&request, sizeof(request));
    make_any(&info, sizeof(info));
    copy_requests();
    copy_replies();
    /*@ loop unroll BLOCK_SEGMENTS_MAX + 1; */
    for (uint32_t segments = 0; segments <= BLOCK_SEGMENTS_MAX; segments++) {
        request.head.segment_count = (uint16_t)segments;
        block_send_request(&ring, &request, (uint32_t)any());
    }
    block_has_room_for_reply(&ring, (uint32_t)any() % (BLOCK_DEPTH + 1));
    block_send_done(&ring, (uint32_t)any(), (uint32_t)any());
    block_send_info(&ring, &info);
    return 0;
}
