/* SPDX-License-Identifier: BSD-2-Clause */

#include "client.h"

#include <microkit.h>
#include <stddef.h>
#include <string.h>
#include "lib/cpu.h"
#include "lib/log.h"

/*
 * What one client may have in flight, so that another's request finds a slot and a device that is
 * not busy for long. The last request may go beyond the bytes.
 */
#define IN_FLIGHT_MAX (BLOCK_DEPTH / 2)
#define BYTES_MAX     (4u << 20)

/*
 * Invalid requests that are answered before the others have their turn: who makes them on another
 * core may be as fast as they are answered.
 */
#define REFUSED_MAX 32u

/* A discard or write-zeroes moves no data through memory: it costs at most this many bytes. */
#define RANGE_BYTES_MAX (4u << 20)

void client_init(struct client *client, const struct block_client_config *config,
                 struct stats_disk *stats)
{
    memset(client, 0, sizeof(*client));
    client->config = config;
    client->stats = stats;
    limit_init(&client->limit, config);
    ring_init(&client->requests, config->requests, config->request_ring_size);
    ring_init(&client->replies, config->replies, config->reply_ring_size);
}

/* ---- Its disk ---- */

/* Where the first aligned block lies, counted from a start that may be anywhere. */
static uint8_t alignment_from(const struct block_info *disk, uint64_t first)
{
    uint64_t physical = 1ULL << disk->physical_exponent;
    uint64_t first_block = first / (disk->block_size / BLOCK_SECTOR);
    uint64_t offset = (disk->alignment_offset - first_block) & (physical - 1);

    return offset <= UINT8_MAX ? (uint8_t)offset : 0;
}

static struct block_info describe(const struct client *client, const struct block_info *disk,
                                  uint64_t first, uint64_t sectors)
{
    struct block_info info = *disk;

    if (sectors == 0) {
        return (struct block_info){.kind = BLOCK_REPLY_INFO};
    }
    info.kind = BLOCK_REPLY_INFO;
    info.sectors = sectors;
    info.alignment_offset = alignment_from(disk, first);
    if (client->config->read_only) {
        info.features |= BLOCK_INFO_READ_ONLY;
    }
    if ((info.features & BLOCK_INFO_READ_ONLY) != 0) {
        info.features &= ~(BLOCK_INFO_DISCARD | BLOCK_INFO_WRITE_ZEROES | BLOCK_INFO_UNMAP);
    }
    return info;
}

void client_open(struct client *client, const struct block_info *disk, uint64_t first,
                 uint64_t sectors)
{
    client->info = describe(client, disk, first, sectors);
    client->first = first;
    client->open = true;
    block_send_info(&client->replies, &client->info);
}

/* ---- Answers ---- */

static void count(struct stats_disk *stats, const struct flight *flight, uint32_t status)
{
    uint64_t ticks = cpu_counter() - flight->begin;
    uint64_t microseconds = ticks * 1000000 / cpu_counter_frequency();

    switch (flight->op) {
    case BLOCK_READ:
        stats_add(&stats->reads, 1);
        stats_add(&stats->read_bytes, flight->bytes);
        break;
    case BLOCK_WRITE:
        stats_add(&stats->writes, 1);
        stats_add(&stats->written_bytes, flight->bytes);
        break;
    case BLOCK_FLUSH:
        stats_add(&stats->flushes, 1);
        break;
    default:
        stats_add(&stats->discards, 1);
        break;
    }
    if (status != BLOCK_OK) {
        stats_add(&stats->errors, 1);
    }
    stats_add(&stats->flight_time, ticks);
    stats_add(&stats->latency[stats_latency_class(microseconds)], 1);
}

void client_done(struct client *client, const struct flight *flight, uint32_t status)
{
    client->in_flight--;
    client->bytes -= flight->bytes;
    client->writes -= flight->writes;
    count(client->stats, flight, status);
    block_send_done(&client->replies, flight->id, status);
}

bool client_flush(struct client *client)
{
    bool data_wanted = ring_take_data_wanted(&client->replies);
    bool more = client->refused == REFUSED_MAX;

    client->refused = 0;

    if (ring_take_space_wanted(&client->requests) || data_wanted) {
        microkit_notify(client->config->channel);
    }
    if (!client->reported && (ring_broken(&client->requests) || ring_broken(&client->replies))) {
        client->reported = true;
        log_printf("%s has broken its ring: it gets no more answers", client->config->name);
    }
    return more;
}

/* ---- The checks ---- */

static bool with_data(uint16_t op)
{
    return op == BLOCK_READ || op == BLOCK_WRITE;
}

/* Whether the sectors are whole blocks, at least one, and all within the client's slice. */
static bool check_sectors(const struct client *client, const struct block_request *head)
{
    uint32_t sectors_per_block = client->info.block_size / BLOCK_SECTOR;

    return head->sector_count != 0 && head->sector % sectors_per_block == 0 &&
           head->sector_count % sectors_per_block == 0 && head->sector < client->info.sectors &&
           head->sector_count <= client->info.sectors - head->sector;
}

/* Translate a segment's region. False if it is not all within one of the client's regions. */
static bool translate(const struct client *client, struct block_segment *segment)
{
    uint64_t size;

    if (segment->region >= client->config->region_count) {
        return false;
    }
    segment->region += client->config->first_region;
    if (segment->region >= block_config.region_count) {
        return false;
    }
    size = block_config.region_sizes[segment->region];
    return segment->length != 0 && segment->length <= client->info.segment_bytes_max &&
           segment->offset < size && segment->length <= size - segment->offset;
}

static enum block_status check_data(struct client *client)
{
    struct block_request *head = &client->request.head;
    uint64_t bytes = 0;

    if (head->segment_count == 0 || head->segment_count > client->info.segments_max) {
        return BLOCK_IO_ERROR;
    }
    for (uint32_t i = 0; i < head->segment_count; i++) {
        if (!translate(client, &client->request.segments[i])) {
            return BLOCK_IO_ERROR;
        }
        bytes += client->request.segments[i].length;
    }
    if (bytes > BLOCK_BYTES_MAX || bytes != (uint64_t)head->sector_count * BLOCK_SECTOR) {
        return BLOCK_IO_ERROR;
    }
    client->transfer_bytes = (uint32_t)bytes;
    return BLOCK_OK;
}

static enum block_status check_range(struct client *client, uint32_t feature, uint32_t sectors_max)
{
    struct block_request *head = &client->request.head;
    uint64_t bytes = (uint64_t)head->sector_count * BLOCK_SECTOR;

    if ((client->info.features & feature) == 0) {
        return BLOCK_UNSUPPORTED;
    }
    if (head->sector_count > sectors_max) {
        return BLOCK_IO_ERROR;
    }
    if (head->op != BLOCK_WRITE_ZEROES || (client->info.features & BLOCK_INFO_UNMAP) == 0) {
        head->flags = 0;
    }
    client->transfer_bytes = bytes < RANGE_BYTES_MAX ? (uint32_t)bytes : RANGE_BYTES_MAX;
    return BLOCK_OK;
}

/* Check the copied request. If it is valid it is translated afterwards. */
static enum block_status check_request(struct client *client)
{
    struct block_request *head = &client->request.head;
    enum block_status status;

    if (client->info.sectors == 0 || head->op > BLOCK_WRITE_ZEROES ||
        (head->flags & ~BLOCK_REQUEST_UNMAP) != 0 ||
        (!with_data(head->op) && head->segment_count != 0)) {
        return BLOCK_IO_ERROR;
    }
    if (head->op == BLOCK_FLUSH) {
        head->sector = head->sector_count = head->flags = client->transfer_bytes = 0;
        return BLOCK_OK;
    }
    if (head->op != BLOCK_READ && (client->info.features & BLOCK_INFO_READ_ONLY) != 0) {
        return BLOCK_IO_ERROR;
    }
    if (with_data(head->op)) {
        head->flags = 0;
        status = check_data(client);
    } else if (head->op == BLOCK_DISCARD) {
        status = check_range(client, BLOCK_INFO_DISCARD, client->info.discard_sectors_max);
    } else {
        status =
            check_range(client, BLOCK_INFO_WRITE_ZEROES, client->info.write_zeroes_sectors_max);
    }
    if (status == BLOCK_OK && !check_sectors(client, head)) {
        status = BLOCK_IO_ERROR;
    }
    head->sector += client->first;
    return status;
}

/* ---- Taking and sending ---- */

/* Take the next valid request out of the ring. Invalid ones are answered, so many of them. */
static bool fetch(struct client *client)
{
    while (client->refused < REFUSED_MAX &&
           block_has_room_for_reply(&client->replies, client->in_flight)) {
        uint32_t count;
        const void *record = ring_peek(&client->requests, &count);
        enum block_status status = BLOCK_IO_ERROR;

        if (record == NULL) {
            if (ring_await_data(&client->requests)) {
                continue;
            }
            return false;
        }
        if (block_copy_request(&client->request, record, count)) {
            status = check_request(client);
        }
        ring_release(&client->requests);
        if (status == BLOCK_OK) {
            return true;
        }
        client->refused++;
        stats_add(&client->stats->errors, 1);
        block_send_done(&client->replies, client->request.head.id, status);
    }
    return false;
}

bool client_ready(struct client *client)
{
    client->held = false;
    if (!client->open || client->in_flight >= IN_FLIGHT_MAX || client->bytes >= BYTES_MAX) {
        return false;
    }
    if (!client->waiting) {
        client->waiting = fetch(client);
    }
    if (!client->waiting) {
        return false;
    }
    if (client->request.head.op == BLOCK_FLUSH) {
        return client->writes == 0; /* it is for those that came before it, so it waits for them */
    }
    client->held = client->limit.exists && !limit_is_open(&client->limit);
    return !client->held;
}

/* It is not asked again whether the limit is open: it may be by now, and nothing else would come.
 */
bool client_is_held(const struct client *client, uint64_t *opens)
{
    if (client->held) {
        *opens = limit_opens(&client->limit);
    }
    return client->held;
}

bool client_send(struct client *client, uint32_t owner)
{
    uint16_t op = client->request.head.op;
    struct flight flight = {.owner = owner,
                            .id = client->request.head.id,
                            .bytes = client->transfer_bytes,
                            .op = op,
                            .begin = cpu_counter(),
                            .writes = op != BLOCK_READ && op != BLOCK_FLUSH};

    if (!driver_send(&client->request, &flight)) {
        return false;
    }
    client->waiting = false;
    if (op != BLOCK_FLUSH) {
        limit_spend(&client->limit, flight.bytes);
    }
    client->in_flight++;
    client->bytes += flight.bytes;
    client->writes += flight.writes;
    return true;
}
