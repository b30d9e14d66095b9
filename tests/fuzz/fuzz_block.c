/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: block/block.c block/client.c block/driver.c block/gpt.c block/partitions.c
 * SOURCES: block/schedule.c block/limit.c lib/ring.c lib/token_bucket.c
 * SOURCES: tests/fuzz/silence.c tests/unit/fake/fake_dma.c
 *
 * Two clients of the disk multiplexer that write into their rings what they like, and a driver that
 * answers what it likes. Whatever reaches the driver is within one client's part of the disk and
 * that client's memory, does not write where only reading is allowed, and every call ends.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "block/config.h"
#include "block/protocol.h"
#include "drivers/timer/protocol.h"
#include "input.h"
#include "lib/cpu.h"
#include "lib/ring.h"

#define CLIENTS              2u
#define TIMER                59u
#define DRIVER               60u
#define STEP                 100u  /* microseconds */
#define PART                 1000u /* sectors */
#define REGION               8192u
#define REGIONS              2u /* of each client */
#define REQUEST_RING         16384u
#define REPLY_RING           4096u
#define FIRST_REGION(client) (1 + REGIONS * (client))

static uint8_t to_block[CLIENTS][RING_HEADER_SIZE + REQUEST_RING] __attribute__((aligned(4096)));
static uint8_t from_block[CLIENTS][RING_HEADER_SIZE + REPLY_RING] __attribute__((aligned(4096)));
static uint8_t to_driver[RING_HEADER_SIZE + BLOCK_REQUEST_RING] __attribute__((aligned(4096)));
static uint8_t from_driver[RING_HEADER_SIZE + BLOCK_REPLY_RING] __attribute__((aligned(4096)));
static uint8_t buffer[BLOCK_BUFFER_SIZE];
static const uint64_t region_sizes[] = {BLOCK_BUFFER_SIZE, REGION, REGION / 2, REGION, REGION};

#define CLIENT(n)                                                                                  \
    .name = "client", .channel = (n), .read_only = (n) == 1, .offset = PART * 512ull * (n),        \
    .size = PART * 512ull, .requests = to_block[n], .replies = from_block[n],                      \
    .request_ring_size = REQUEST_RING, .reply_ring_size = REPLY_RING,                              \
    .first_region = FIRST_REGION(n), .region_count = REGIONS

static struct stats_disk stats[CLIENTS];

const struct block_config block_config = {
    .driver_channel = DRIVER,
    .requests = to_driver,
    .replies = from_driver,
    .request_ring_size = BLOCK_REQUEST_RING,
    .reply_ring_size = BLOCK_REPLY_RING,
    .buffer = buffer,
    .region_sizes = region_sizes,
    .region_count = sizeof(region_sizes) / sizeof(region_sizes[0]),
    .has_timer = true,
    .timer_channel = TIMER,
    .stats = stats,
    .client_count = CLIENTS,
    .clients = {{CLIENT(0), .bytes_rate = 20 << 20, .operations_rate = 5000, .burst_us = 1000},
                {CLIENT(1)}},
};

static struct ring driver_requests, driver_replies;
static struct ring requests[CLIENTS], replies[CLIENTS];
static uint32_t last_id;  /* of a request that the driver has seen */
static uint64_t now;      /* microseconds */
static uint64_t deadline; /* that the timer's driver has */

/* ---- The clock ---- */

uint64_t cpu_counter(void)
{
    return now;
}

uint64_t cpu_counter_frequency(void)
{
    return 1000000;
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    (void)mr;
    deadline = value;
}

microkit_msginfo microkit_msginfo_new(seL4_Word label, seL4_Uint16 count)
{
    return (microkit_msginfo){{label << 12 | count}};
}

microkit_msginfo microkit_ppcall(microkit_channel channel, microkit_msginfo info)
{
    if (channel != TIMER || deadline <= now) {
        abort();
    }
    return info;
}

static void pass_time(void)
{
    now += STEP;
    if (deadline <= now) {
        deadline = TIMER_NEVER;
        notified(TIMER);
    }
}

/* ---- What must hold ---- */

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_request(const void *record, uint32_t count)
{
    const struct block_request *head = record;
    const struct block_segment *segments = (const void *)(head + 1);
    uint64_t client = head->sector / PART;
    uint64_t bytes = 0;

    require(count == sizeof(*head) + head->segment_count * sizeof(*segments));
    require(head->id < BLOCK_DEPTH && head->op <= BLOCK_WRITE_ZEROES);
    last_id = head->id;
    if (head->op == BLOCK_FLUSH) {
        require(head->segment_count == 0 && head->sector_count == 0);
        return;
    }
    require(client < CLIENTS && head->sector_count > 0);
    require(head->sector + head->sector_count <= (client + 1) * PART);
    require(head->op == BLOCK_READ || client != 1);
    require(head->segment_count <= 16);
    for (uint32_t i = 0; i < head->segment_count; i++) {
        uint32_t region = segments[i].region;

        require(region >= FIRST_REGION(client) && region < FIRST_REGION(client + 1));
        require(segments[i].length > 0 && segments[i].offset < region_sizes[region] &&
                segments[i].length <= region_sizes[region] - segments[i].offset);
        bytes += segments[i].length;
    }
    if (head->op == BLOCK_READ || head->op == BLOCK_WRITE) {
        require(bytes == head->sector_count * 512ull);
    } else {
        require(head->segment_count == 0);
    }
}

static void look(void)
{
    const void *record;
    uint32_t count;

    while ((record = ring_peek(&driver_requests, &count)) != NULL) {
        check_request(record, count);
        ring_release(&driver_requests);
    }
    require(!ring_broken(&driver_requests));
}

/* ---- Steps ---- */

static void put(struct ring *ring, const void *bytes, uint32_t count)
{
    void *record = ring_reserve(ring, count);

    if (record != NULL) {
        memcpy(record, bytes, count);
        ring_commit(ring);
    }
}

static uint64_t number(struct input *input)
{
    static const uint64_t edges[] = {0,          1,          PART - 1,        PART,
                                     PART + 1,   REGION,     REGION - 512,    UINT32_MAX,
                                     UINT64_MAX, 1ull << 63, UINT64_MAX - 511};
    uint64_t kind = take(input, 1);

    return kind < sizeof(edges) / sizeof(edges[0]) ? edges[kind] : take(input, kind % 3 + 1);
}

/* A request that is nearly right. */
static void send_request(struct input *input, unsigned client)
{
    struct {
        struct block_request head;
        struct block_segment segments[20];
    } request = {.head = {.id = (uint32_t)take(input, 1)}};
    uint32_t bytes = 0;
    uint32_t wrong;

    request.head.op = (uint16_t)(take(input, 1) % 6);
    request.head.segment_count = (uint16_t)(request.head.op < 2 ? take(input, 1) % 21 : 0);
    for (uint32_t i = 0; i < request.head.segment_count; i++) {
        request.segments[i] =
            (struct block_segment){.region = (uint32_t)take(input, 1) % 3,
                                   .length = 512 * ((uint32_t)take(input, 1) % 18),
                                   .offset = number(input)};
        bytes += request.segments[i].length;
    }
    request.head.sector = number(input);
    request.head.sector_count = request.head.op < 2 ? bytes / 512 : (uint32_t)number(input);
    wrong = (uint32_t)take(input, 1);
    if (wrong < sizeof(request.head)) {
        ((uint8_t *)&request)[wrong] ^= (uint8_t)take(input, 1);
    }
    put(&requests[client], &request,
        (uint32_t)(sizeof(request.head) +
                   (request.head.segment_count % 21) * sizeof(struct block_segment)));
}

static void introduce(struct input *input)
{
    struct block_info info = {
        .kind = BLOCK_REPLY_INFO,
        .features = (uint32_t)take(input, 1),
        .sectors = CLIENTS * PART,
        .block_size = 512,
        .segments_max = 16,
        .segment_bytes_max = 1 << 20,
        .discard_sectors_max = 500,
        .write_zeroes_sectors_max = 500,
    };

    put(&driver_replies, &info, sizeof(info));
}

static void answer(struct input *input)
{
    uint64_t kind = take(input, 1);
    struct block_done done = {.kind = BLOCK_REPLY_DONE,
                              .id = kind < 200 ? last_id : (uint32_t)kind % 70,
                              .status = (uint32_t)take(input, 1) % 4};

    put(&driver_replies, &done, sizeof(done));
}

static void take_answers(unsigned client)
{
    uint32_t count;

    while (ring_peek(&replies[client], &count) != NULL) {
        ring_release(&replies[client]);
    }
}

static void step(struct input *input)
{
    unsigned client = (unsigned)take(input, 1) % CLIENTS;

    switch (take(input, 1) % 8) {
    case 0:
        scribble(input, to_block[client], sizeof(to_block[client]));
        break;
    case 1:
        scribble(input, from_block[client], sizeof(from_block[client]));
        break;
    case 2:
        scribble(input, to_block[client], 128); /* indices */
        break;
    case 3:
        answer(input);
        break;
    case 4:
        take_answers(client);
        break;
    default:
        send_request(input, client);
    }
    notified(client);
    look();
    pass_time();
    look();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    memset(to_block, 0, sizeof(to_block));
    memset(from_block, 0, sizeof(from_block));
    memset(to_driver, 0, sizeof(to_driver));
    memset(from_driver, 0, sizeof(from_driver));
    ring_init(&driver_requests, to_driver, BLOCK_REQUEST_RING);
    ring_init(&driver_replies, from_driver, BLOCK_REPLY_RING);
    for (unsigned i = 0; i < CLIENTS; i++) {
        ring_init(&requests[i], to_block[i], REQUEST_RING);
        ring_init(&replies[i], from_block[i], REPLY_RING);
    }
    last_id = 0;
    deadline = TIMER_NEVER;
    introduce(&input);
    init();
    while (input.left > 0) {
        step(&input);
    }
    return 0;
}
