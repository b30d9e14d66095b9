/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Stage-2 translation tables (Arm ARM D8, VMSAv8-64): 4 KiB granule, 40-bit input addresses, lookup
 * from level 1 with two concatenated tables. They are built on the host and never change.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAGE2_TABLE_SIZE 0x1000u
#define STAGE2_ROOT_SIZE  0x2000u
#define STAGE2_PAGE       UINT64_C(0x1000)
#define STAGE2_BLOCK      UINT64_C(0x200000)

/* What a mapping allows. */
#define STAGE2_READ    1u
#define STAGE2_WRITE   2u
#define STAGE2_EXECUTE 4u
#define STAGE2_DEVICE                                                                              \
    8u /* device-nGnRnE memory; normal, write-back and inner shareable otherwise */
#define STAGE2_PAGES 16u /* use no 2 MiB blocks */

/* A set of tables that lie one behind the other in physical memory. */
struct stage2 {
    uint64_t base;      /* physical address of the first, 8 KiB aligned */
    uint64_t *entries;  /* table_count * 512 descriptors */
    size_t table_count; /* of 4 KiB each */
};

/* Adds `count` empty roots. It must be called once, before anything is mapped. */
void stage2_add_roots(struct stage2 *tables, unsigned count);

/* The physical address of a root. */
uint64_t stage2_root(const struct stage2 *tables, unsigned root);

/* Maps `size` bytes at input address `from` to `to`; all three are multiples of 4 KiB, and the
 * range ends below 2^40. False if some of the range is already mapped in this root. */
bool stage2_map(struct stage2 *tables, unsigned root, uint64_t from, uint64_t to, uint64_t size,
                unsigned flags);
