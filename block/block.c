/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The disk multiplexer: one disk of the board, a slice of it for each client. It waits for the
 * driver's description of the disk, reads the partition table if a client needs it, and opens each
 * client's slice. From then on it schedules their requests.
 */

#include <microkit.h>
#include <stddef.h>
#include "client.h"
#include "config.h"
#include "driver.h"
#include "drivers/timer/client.h"
#include "lib/cpu.h"
#include "lib/log.h"
#include "partitions.h"
#include "schedule.h"

static struct client clients[BLOCK_MAX_CLIENTS];
static struct block_info disk;
static struct timer_client timer;

static uint32_t client_count(void)
{
    return block_config.client_count < BLOCK_MAX_CLIENTS ? block_config.client_count
                                                         : BLOCK_MAX_CLIENTS;
}

/* A part of the disk, in sectors. */
struct part {
    uint64_t first;
    uint64_t sectors;
};

/* ---- Slices ---- */

static const char *find_range(const struct block_client_config *config, struct part *part)
{
    uint32_t sectors_per_block = disk.block_size / BLOCK_SECTOR;

    part->first = config->offset / BLOCK_SECTOR;
    if (part->first >= disk.sectors) {
        return "it begins beyond the disk's end";
    }
    part->sectors = disk.sectors - part->first;
    if (config->size != 0 && config->size / BLOCK_SECTOR > part->sectors) {
        return "it is larger than what the disk has there";
    }
    if (config->size != 0) {
        part->sectors = config->size / BLOCK_SECTOR;
    }
    if (part->first % sectors_per_block != 0 || part->sectors % sectors_per_block != 0) {
        return "it is not made of whole blocks of the disk";
    }
    return part->sectors != 0 ? NULL : "it is empty";
}

static const char *find_part(const struct block_client_config *config, struct part *part)
{
    if (disk.sectors == 0) {
        return "there is no disk";
    }
    switch (config->slice_kind) {
    case BLOCK_SLICE_BY_NAME:
        return config->partition == NULL
                   ? "it has no name"
                   : partitions_find(config->partition, 0, &part->first, &part->sectors);
    case BLOCK_SLICE_BY_NUMBER:
        return partitions_find(NULL, config->number, &part->first, &part->sectors);
    default:
        return find_range(config, part);
    }
}

/* A client before this one that has some of its sectors, where one of the two may write them. */
static const struct client *conflict(uint32_t index, const struct part *part)
{
    for (uint32_t i = 0; i < index; i++) {
        const struct client *other = &clients[i];

        if (other->info.sectors != 0 &&
            !(other->config->read_only && clients[index].config->read_only) &&
            part->first < other->first + other->info.sectors &&
            other->first < part->first + part->sectors) {
            return other;
        }
    }
    return NULL;
}

static void open_client(uint32_t index)
{
    struct client *client = &clients[index];
    const struct client *other = NULL;
    struct part part = {0};
    const char *cause = find_part(client->config, &part);

    if (client->limit.exists && !block_config.has_timer) {
        cause = "it has a limit, and there is no timer";
    }
    if (cause == NULL) {
        other = conflict(index, &part);
    }
    if (other != NULL) {
        log_printf("%s has no medium: its part of the disk meets that of %s", client->config->name,
                   other->config->name);
    } else if (cause != NULL) {
        log_printf("%s has no medium: its part of the disk: %s", client->config->name, cause);
    }
    if (cause != NULL || other != NULL) {
        part.sectors = 0;
    }
    client_open(client, &disk, part.first, part.sectors);
}

static void open_clients(void)
{
    for (uint32_t i = 0; i < client_count(); i++) {
        open_client(i);
    }
}

static bool needs_partition_table(void)
{
    for (uint32_t i = 0; i < client_count(); i++) {
        if (block_config.clients[i].slice_kind != BLOCK_SLICE_RANGE) {
            return true;
        }
    }
    return false;
}

/* ---- Work ---- */

static void take_from_driver(void)
{
    struct flight flight;
    uint32_t status;

    for (;;) {
        switch (driver_take(&disk, &flight, &status)) {
        case DRIVER_NOTHING:
            return;
        case DRIVER_INFO:
            if (!needs_partition_table() || partitions_begin(&disk)) {
                open_clients();
            }
            break;
        case DRIVER_DONE:
            if (flight.owner < client_count()) {
                client_done(&clients[flight.owner], &flight, status);
            } else if (partitions_continue(status)) {
                open_clients();
            }
        }
    }
}

/* Be woken when the first request that waits for a limit may go. */
static void set_timer(void)
{
    uint64_t deadline = TIMER_NEVER;
    uint64_t opens;

    for (uint32_t i = 0; i < client_count(); i++) {
        if (client_is_held(&clients[i], &opens) && opens < deadline) {
            deadline = opens;
        }
    }
    if (deadline != TIMER_NEVER) {
        timer_client_ask(&timer, deadline + cpu_counter_frequency() / TOKEN_BUCKET_WAKES);
    }
}

/*
 * A client that makes invalid requests as fast as they are answered is left alone after so many
 * rounds, until anybody notifies: what comes after them is its own loss.
 */
#define ROUNDS_MAX 64u

static void serve(void)
{
    bool all_asked;
    bool more;
    uint32_t rounds = 0;

    do {
        take_from_driver();
        all_asked = schedule(clients, client_count());
        driver_flush();
        more = false;
        for (uint32_t i = 0; i < client_count(); i++) {
            more = client_flush(&clients[i]) || more;
        }
        rounds += more;
    } while (driver_has_own() || (more && rounds < ROUNDS_MAX));
    /* While there is no room, limits decide nothing: the driver notifies when there is. */
    if (block_config.has_timer && all_asked) {
        set_timer();
    }
}

void init(void)
{
    log_open("block", block_config.log, block_config.log_size, block_config.log_channel);
    timer_client_init(&timer, block_config.timer_channel);
    driver_init();
    for (uint32_t i = 0; i < client_count(); i++) {
        client_init(&clients[i], &block_config.clients[i], &block_config.stats[i]);
    }
    serve();
}

void notified(microkit_channel ch)
{
    if (block_config.has_timer && ch == block_config.timer_channel) {
        timer_client_notified(&timer);
    }
    /* From whomever it comes, there may be work for all. */
    serve();
}

/* The driver's. Nobody answers the fault: either the driver begins anew, or it stays as it is. */
seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    (void)reply_msginfo;
    if (child == BLOCK_DRIVER_CHILD) {
        driver_fault(msginfo);
        serve();
    }
    return seL4_False;
}
