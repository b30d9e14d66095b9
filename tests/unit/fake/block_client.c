/* SPDX-License-Identifier: BSD-2-Clause */

#include "block_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

_Alignas(4096) uint8_t to_driver[RING_HEADER_SIZE + BLOCK_REQUEST_RING];
_Alignas(4096) uint8_t from_driver[RING_HEADER_SIZE + BLOCK_REPLY_RING];
struct ring requests, replies;
struct request request;

void client_reset(void)
{
    memset(to_driver, 0, sizeof(to_driver));
    memset(from_driver, 0, sizeof(from_driver));
    ring_init(&requests, to_driver, BLOCK_REQUEST_RING);
    ring_init(&replies, from_driver, BLOCK_REPLY_RING);
}

void client_send_bytes(uint32_t count)
{
    void *record = ring_reserve(&requests, count);

    assert_non_null(record);
    memcpy(record, &request, count);
    ring_commit(&requests);
}

void client_send(void)
{
    client_send_bytes((uint32_t)(sizeof(request.head) +
                                 request.head.segment_count * sizeof(struct block_segment)));
}

bool client_receive(uint32_t *id, uint32_t *status)
{
    uint32_t count;
    const struct block_done *done = ring_peek(&replies, &count);

    if (done == NULL) {
        return false;
    }
    assert_int_equal(count, sizeof(*done));
    assert_int_equal(done->kind, BLOCK_REPLY_DONE);
    *id = done->id;
    *status = done->status;
    ring_release(&replies);
    return true;
}

void expect(uint32_t id, uint32_t status)
{
    uint32_t got_id = 0, got_status = 0;

    assert_true(client_receive(&got_id, &got_status));
    assert_int_equal(got_id, id);
    assert_int_equal(got_status, status);
}

void expect_nothing(void)
{
    uint32_t id, status;

    assert_false(client_receive(&id, &status));
}

struct block_info expect_info(void)
{
    uint32_t count;
    const struct block_info *to = ring_peek(&replies, &count);
    struct block_info info;

    assert_non_null(to);
    assert_int_equal(count, sizeof(*to));
    info = *to;
    assert_int_equal(info.kind, BLOCK_REPLY_INFO);
    ring_release(&replies);
    return info;
}
