/* SPDX-License-Identifier: BSD-2-Clause */
#include "stage2.h"

#include <string.h>
#include "array.h"

#define ENTRIES 512u

/* Descriptors: Arm ARM D8.3. */
#define VALID             (1ULL << 0)
#define TABLE_OR_PAGE     (1ULL << 1)
#define MEMATTR_DEVICE    (0x0ULL << 2) /* device-nGnRnE */
#define MEMATTR_NORMAL_WB (0xfULL << 2) /* normal, inner and outer write-back cacheable */
#define S2AP_READ         (1ULL << 6)
#define S2AP_WRITE        (1ULL << 7)
#define SH_INNER          (3ULL << 8)
#define AF                (1ULL << 10)
#define XN                (1ULL << 54)
#define ADDRESS_MASK      0x0000fffffffff000ULL

static size_t add_tables(struct stage2 *tables, size_t count)
{
    size_t first = tables->table_count;

    for (size_t i = 0; i < count; i++) {
        tables->entries = array_grow(tables->entries, tables->table_count, STAGE2_TABLE_SIZE);
        memset(tables->entries + tables->table_count * ENTRIES, 0, STAGE2_TABLE_SIZE);
        tables->table_count++;
    }
    return first;
}

void stage2_add_roots(struct stage2 *tables, unsigned count)
{
    add_tables(tables, (size_t)count * (STAGE2_ROOT_SIZE / STAGE2_TABLE_SIZE));
}

uint64_t stage2_root(const struct stage2 *tables, unsigned root)
{
    return tables->base + (uint64_t)root * STAGE2_ROOT_SIZE;
}

static uint64_t leaf_attributes(unsigned flags)
{
    /* Device memory is outer shareable whatever SH says. */
    uint64_t attributes = AF | SH_INNER;

    attributes |= flags & STAGE2_DEVICE ? MEMATTR_DEVICE : MEMATTR_NORMAL_WB;
    if (flags & STAGE2_READ) {
        attributes |= S2AP_READ;
    }
    if (flags & STAGE2_WRITE) {
        attributes |= S2AP_WRITE;
    }
    if (!(flags & STAGE2_EXECUTE)) {
        attributes |= XN;
    }
    return attributes;
}

/* The table below the descriptor `index` of the whole set, made if there is none; SIZE_MAX if a
 * block is there. */
static size_t next_table(struct stage2 *tables, size_t index)
{
    uint64_t entry = tables->entries[index];

    if (!(entry & VALID)) {
        size_t table = add_tables(tables, 1);
        tables->entries[index] = (tables->base + table * STAGE2_TABLE_SIZE) | TABLE_OR_PAGE | VALID;
        return table;
    }
    if (!(entry & TABLE_OR_PAGE)) {
        return SIZE_MAX;
    }
    return ((entry & ADDRESS_MASK) - tables->base) / STAGE2_TABLE_SIZE;
}

/* Maps one block or page and returns its size, or 0 if something is mapped there. */
static uint64_t map_one(struct stage2 *tables, unsigned root, uint64_t from, uint64_t to,
                        uint64_t size, unsigned flags)
{
    bool block =
        !(flags & STAGE2_PAGES) && !((from | to) & (STAGE2_BLOCK - 1)) && size >= STAGE2_BLOCK;
    size_t level1 = (size_t)root * (STAGE2_ROOT_SIZE / sizeof(uint64_t)) + (from >> 30);
    size_t table2 = next_table(tables, level1);
    if (table2 == SIZE_MAX) {
        return 0;
    }

    size_t leaf = table2 * ENTRIES + ((from >> 21) & (ENTRIES - 1));
    if (!block) {
        size_t table3 = next_table(tables, leaf);
        if (table3 == SIZE_MAX) {
            return 0;
        }
        leaf = table3 * ENTRIES + ((from >> 12) & (ENTRIES - 1));
    }
    if (tables->entries[leaf] & VALID) {
        return 0;
    }
    tables->entries[leaf] = to | leaf_attributes(flags) | VALID | (block ? 0 : TABLE_OR_PAGE);
    return block ? STAGE2_BLOCK : STAGE2_PAGE;
}

bool stage2_map(struct stage2 *tables, unsigned root, uint64_t from, uint64_t to, uint64_t size,
                unsigned flags)
{
    while (size) {
        uint64_t done = map_one(tables, root, from, to, size, flags);
        if (!done) {
            return false;
        }
        from += done;
        to += done;
        size -= done;
    }
    return true;
}
