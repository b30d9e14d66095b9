/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The memory layout: which physical memory holds what, and at which addresses it is mapped.
 *
 * All memory is made of pieces, each contiguous. A piece with contents lies in the boot image; one
 * without lies in free RAM, or at the fixed address that its region asks for. A memory region or
 * program segment is a piece with its contents, a piece of zeros behind it, or both.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "allocator.h"
#include "board.h"
#include "program.h"
#include "sdf.h"
#include "stage2.h"

enum piece_kind {
    PIECE_IMAGE,  /* has contents, and lies in the boot image */
    PIECE_ZERO,   /* RAM that is zeroed at boot */
    PIECE_DEVICE, /* a fixed range outside RAM */
};

struct piece {
    enum piece_kind kind;
    size_t number;             /* in the order of making */
    const char *what;          /* for messages and the report */
    const struct place *place; /* that asked for it, or NULL */
    uint64_t size;             /* a multiple of 4 KiB */
    uint64_t align, offset;    /* its address is `offset` modulo `align` */
    bool fixed;                /* `address` was given */
    uint64_t address;          /* physical */
    const uint8_t *bytes;      /* contents of PIECE_IMAGE */
    uint64_t lead;             /* zero bytes before them */
    uint64_t byte_count;       /* behind them the piece is zero */
};

/* A piece in an address space. */
struct mapping {
    uint64_t vaddr;
    const struct piece *piece;
    unsigned flags;            /* STAGE2_READ ... */
    const struct place *place; /* the map element, or the PD's */
    bool by_map;               /* a map element made it */
};

/* A PD's or VM's address space; its number is also its root's. */
struct space {
    const char *name;
    struct mapping *mappings;
    size_t mapping_count;
};

/* A region's pieces, one behind the other. */
struct region_pieces {
    struct piece *head; /* NULL if nothing uses the region */
    struct piece *rest; /* what the prefill file leaves free, or NULL */
};

struct layout {
    const struct sdf_system *system;
    const struct board *board;
    const struct program *kernel;
    struct program **programs; /* one per PD */
    struct program **symbols;  /* where each program's symbols are; often the program itself */

    struct piece **pieces;
    size_t piece_count;
    struct region_pieces *regions; /* per region */
    struct piece **ipc_pieces;     /* per PD; they lie in the kernel window */
    struct space *spaces;          /* PDs in order, then VMs */
    size_t space_count;
    uint64_t *ipc_vaddrs; /* per PD */

    size_t thread_count;
    uint64_t window, window_end; /* physical: header, tables, IPC buffers */
    uint64_t image_end;          /* physical, 4 KiB aligned */
    uint64_t ram_needed;         /* bytes of RAM from the board's first on */
    struct free_range *zeros;    /* what the kernel zeroes; ascending */
    size_t zero_count;
    struct stage2 tables;
};

/* Lays the system out. The programs have been patched but for physical addresses, which this
 * patches. Ends the tool with a message if something overlaps or does not fit. */
struct layout *layout_build(const struct sdf_system *system, const struct board *board,
                            const struct program *kernel, struct program **programs,
                            struct program **symbols);

/* Maps all there is, with the addresses that the pieces have by now, into empty tables. */
void layout_map(const struct layout *layout, struct stage2 *tables);

/* Bytes that the header and the tables of the kernel window take, before the IPC buffers. */
uint64_t layout_header_size(const struct layout *layout);

/* `value`, rounded up to a multiple of `unit`, a power of two. */
static inline uint64_t layout_round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}
