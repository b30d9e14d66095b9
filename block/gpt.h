/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The GUID partition table (UEFI 2.10, 5.3), in memory that the caller has read. A machine that
 * could write the disk may have written anything. Checksums show damage, not malice, so every
 * number is checked against the disk before it is used. Causes are sentences without a full stop.
 */

#include <stdbool.h>
#include <stdint.h>

#define GPT_PRIMARY_BLOCK 1u
#define GPT_ENTRIES_MAX   (64u << 10)     /* bytes of entries; four times what disks have */
#define GPT_NAME_MAX      (36u * 3u + 1u) /* bytes of a name in UTF-8, and its NUL */

/* A checked header. Blocks are the disk's logical blocks. */
struct gpt_header {
    uint64_t entries_block; /* where the entries begin */
    uint64_t first_usable;
    uint64_t last_usable;
    uint32_t entry_count;
    uint32_t entry_size; /* bytes */
    uint32_t entries_checksum;
};

struct gpt_partition {
    uint64_t first; /* block */
    uint64_t count; /* blocks, above 0 */
};

/*
 * Check the header in `block`, `block_size` bytes (512 .. 4096) read from block number `number` of
 * a disk of `disk_blocks`. Returns NULL, or why it is none.
 */
const char *gpt_read_header(const void *block, uint32_t block_size, uint64_t number,
                            uint64_t disk_blocks, struct gpt_header *header);

/* The size of a checked header's entries in bytes, at most GPT_ENTRIES_MAX. */
uint32_t gpt_entries_bytes(const struct gpt_header *header);

/* Check the entries' checksum; they are gpt_entries_bytes long. Returns NULL, or the cause. */
const char *gpt_check_entries(const struct gpt_header *header, const void *entries);

/*
 * The partition of a name (UTF-8; exactly one must have it), or of a number from 1. It lies within
 * the usable blocks and shares none with another partition. Returns NULL, or why there is none.
 */
const char *gpt_find_name(const struct gpt_header *header, const void *entries, const char *name,
                          struct gpt_partition *partition);
const char *gpt_find_number(const struct gpt_header *header, const void *entries, uint32_t number,
                            struct gpt_partition *partition);

/* The CRC that the table uses (ISO 3309, as in Ethernet). */
uint32_t gpt_checksum(const void *bytes, uint32_t count);
