/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: block/gpt.c
 * EVA: -eva-use-spec=decode_name -eva-precision=0
 *
 * A partition table with any bytes, on disks of each block size: what is read lies in the block
 * and in the buffer. Tables have entries of each size, as many as fit or fewer.
 */

#include "prelude.h"

#include "block/gpt.h"

/* Assumption: gpt_name.c proves that it ends, and that it has room. */
/*@ assigns name[0 .. GPT_NAME_MAX - 1] \from entry[0 .. 127]; */
static void decode_name(const uint8_t *entry, char name[GPT_NAME_MAX]);

/* Assumption: both names end: gpt_name.c, and the configuration's is a literal. */
/*@ assigns \result \from a, b; */
int compare_names(const char *a, const char *b);

#define strcmp compare_names
#include "block/gpt.c"

#define BLOCK_SIZE_MAX 4096u

static uint8_t block[BLOCK_SIZE_MAX]; /* the disk's block ends where this does */
static uint8_t entries[GPT_ENTRIES_MAX];

static void read_header(uint32_t block_size)
{
    struct gpt_header header;

    gpt_read_header(block + (BLOCK_SIZE_MAX - block_size), block_size, any(), any(), &header);
}

static void find(uint32_t entry_size)
{
    struct gpt_header header = {any(), any(), any(), 0, entry_size, (uint32_t)any()};
    struct gpt_partition partition;

    header.entry_count = 1 + (uint32_t)any() % (GPT_ENTRIES_MAX / entry_size);
    gpt_check_entries(&header, entries);
    gpt_find_number(&header, entries, (uint32_t)any(), &partition);
    gpt_find_name(&header, entries, "data", &partition);
}

int main(void)
{
    make_any(block, sizeof(block));
    make_any(entries, sizeof(entries));
    /*@ loop unroll 4; */
    for (uint32_t size = 512; size <= BLOCK_SIZE_MAX; size *= 2) {
        read_header(size);
    }
    /*@ loop unroll 10; */
    for (uint32_t size = ENTRY_SIZE_MIN; size <= GPT_ENTRIES_MAX; size *= 2) {
        find(size);
    }
    return 0;
}
