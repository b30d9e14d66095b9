/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: block/gpt.c
 *
 * A partition table that somebody has made up, its checksums right or wrong. A partition that is
 * found lies within the usable blocks of the disk and upon no block of the table.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "block/gpt.h"
#include "input.h"

#define BLOCK 512u

static void put32(uint8_t *to, uint32_t value)
{
    memcpy(to, &value, sizeof(value));
}

static void check(const struct gpt_header *header, const struct gpt_partition *partition,
                  uint64_t disk_blocks)
{
    uint64_t last = partition->first + partition->count - 1;
    uint64_t entries_last =
        header->entries_block + (gpt_entries_bytes(header) + BLOCK - 1) / BLOCK - 1;

    if (partition->count == 0 || last < partition->first || last >= disk_blocks - 1 ||
        partition->first <= GPT_PRIMARY_BLOCK || entries_last >= disk_blocks ||
        (partition->first <= entries_last && header->entries_block <= last)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint64_t disk_blocks = take(&input, 2) + 1;
    uint64_t number = take(&input, 1) % 2 == 0 ? GPT_PRIMARY_BLOCK : disk_blocks - 1;
    bool mended = take(&input, 1) % 4 != 0;
    uint8_t block[BLOCK] = "EFI PART";
    struct gpt_header header;
    struct gpt_partition partition;
    uint8_t *entries;

    for (unsigned i = 8; i < 92; i++) {
        block[i] = (uint8_t)take(&input, 1);
    }
    if (mended) {
        put32(block + 8, 0x10000);
        put32(block + 12, 92);
        put32(block + 16, 0);
        put32(block + 84, 128u << block[84] % 4);
        memcpy(block + 24, &number, sizeof(number));
        put32(block + 16, gpt_checksum(block, 92));
    }
    if (gpt_read_header(block, BLOCK, number, disk_blocks, &header) != NULL) {
        return 0;
    }
    entries = calloc(1, gpt_entries_bytes(&header)); /* the sanitizer sees each byte beyond */
    memcpy(entries, input.bytes,
           input.left < gpt_entries_bytes(&header) ? input.left : gpt_entries_bytes(&header));
    gpt_check_entries(&header, entries);
    for (uint32_t i = 0; i < 8; i++) {
        if (gpt_find_number(&header, entries, i, &partition) == NULL) {
            check(&header, &partition, disk_blocks);
        }
    }
    if (gpt_find_name(&header, entries, "a", &partition) == NULL) {
        check(&header, &partition, disk_blocks);
    }
    free(entries);
    return 0;
}
