/* SPDX-License-Identifier: BSD-2-Clause */

#include "partitions.h"

#include <stddef.h>
#include "config.h"
#include "driver.h"
#include "gpt.h"
#include "lib/dma.h"
#include "lib/log.h"

_Static_assert(GPT_ENTRIES_MAX <= BLOCK_BUFFER_SIZE, "the buffer holds all entries");

/* The buffer's number among the data regions. */
#define BUFFER_REGION 0u

enum step { HEADER, ENTRIES, FAILED, READ };

static struct {
    const struct block_info *disk;
    struct gpt_header header;
    enum step step;
    bool backup;
    const char *cause; /* FAILED: what is wrong with the last table */
    uint64_t block;    /* where it is read from next */
    uint32_t done;     /* bytes read into the buffer, */
    uint32_t wanted;   /* of this many: whole blocks */
} table;

static uint64_t disk_blocks(void)
{
    return table.disk->sectors / (table.disk->block_size / BLOCK_SECTOR);
}

/* Ask for the next piece. Nothing else is in flight, so there is room. */
static bool read_more(void)
{
    static struct block_request_copy request;
    uint32_t sectors_per_block = table.disk->block_size / BLOCK_SECTOR;
    uint32_t piece = table.disk->segment_bytes_max / table.disk->block_size;
    struct flight flight = {.owner = PARTITIONS_OWNER};

    piece *= table.disk->block_size;
    if (piece > table.wanted - table.done) {
        piece = table.wanted - table.done;
    }
    request.head = (struct block_request){.op = BLOCK_READ,
                                          .segment_count = 1,
                                          .sector = table.block * sectors_per_block,
                                          .sector_count = piece / BLOCK_SECTOR};
    request.segments[0] =
        (struct block_segment){.region = BUFFER_REGION, .length = piece, .offset = table.done};
    table.block += piece / table.disk->block_size;
    table.done += piece;
    dma_invalidate(block_config.buffer, BLOCK_BUFFER_SIZE);
    return driver_send(&request, &flight);
}

static bool read_blocks(uint64_t block, uint32_t bytes)
{
    uint32_t block_size = table.disk->block_size;

    table.block = block;
    table.done = 0;
    table.wanted = (bytes + block_size - 1) / block_size * block_size;
    return read_more();
}

static uint64_t header_block(void)
{
    return table.backup ? disk_blocks() - 1 : GPT_PRIMARY_BLOCK;
}

static bool read_header(void)
{
    table.step = HEADER;
    return read_blocks(header_block(), table.disk->block_size);
}

/* Reject this table and try the backup. Returns true if there is no other. */
static bool fail(const char *cause)
{
    const char *which = table.backup ? "the backup partition table" : "the primary partition table";

    log_printf("%s is of no use: %s", which, cause);
    table.cause = cause;
    if (!table.backup) {
        table.backup = true;
        if (read_header()) {
            return false;
        }
    }
    table.step = FAILED;
    return true;
}

bool partitions_begin(const struct block_info *disk)
{
    table.disk = disk;
    table.backup = false;
    table.cause = NULL;
    if (disk->sectors == 0) {
        table.step = FAILED;
        table.cause = "there is no disk";
        return true;
    }
    return read_header() ? false : fail("it cannot be read");
}

static bool got_header(void)
{
    const char *cause = gpt_read_header(block_config.buffer, table.disk->block_size, header_block(),
                                        disk_blocks(), &table.header);

    if (cause != NULL) {
        return fail(cause);
    }
    table.step = ENTRIES;
    return read_blocks(table.header.entries_block, gpt_entries_bytes(&table.header))
               ? false
               : fail("it cannot be read");
}

static bool got_entries(void)
{
    const char *cause = gpt_check_entries(&table.header, block_config.buffer);

    if (cause != NULL) {
        return fail(cause);
    }
    table.step = READ;
    return true;
}

bool partitions_continue(uint32_t status)
{
    if (table.step != HEADER && table.step != ENTRIES) {
        return true;
    }
    if (status != BLOCK_OK) {
        return fail("it cannot be read");
    }
    dma_invalidate(block_config.buffer, BLOCK_BUFFER_SIZE); /* the disk may be past the caches */
    if (table.done < table.wanted) {
        return read_more() ? false : fail("it cannot be read");
    }
    return table.step == HEADER ? got_header() : got_entries();
}

const char *partitions_find(const char *name, uint32_t number, uint64_t *first, uint64_t *sectors)
{
    uint32_t sectors_per_block = table.disk->block_size / BLOCK_SECTOR;
    struct gpt_partition partition;
    const char *cause;

    if (table.step != READ) {
        return table.cause;
    }
    cause = name != NULL ? gpt_find_name(&table.header, block_config.buffer, name, &partition)
                         : gpt_find_number(&table.header, block_config.buffer, number, &partition);
    if (cause == NULL) {
        *first = partition.first * sectors_per_block;
        *sectors = partition.count * sectors_per_block;
    }
    return cause;
}
