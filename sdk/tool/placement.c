/* SPDX-License-Identifier: BSD-2-Clause */
#include "placement.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "allocator.h"
#include "array.h"
#include "sdk/kernel/system.h"
#include "tools/memory.h"

#define MIB(bytes) (((bytes) + 0xfffff) >> 20)

/* Places kernel, window and tables, in this order. Returns the first address behind them. */
static uint64_t place_kernel(struct layout *layout)
{
    const struct program *kernel = layout->kernel;
    const struct program_segment *last = &kernel->segments[kernel->segment_count - 1];
    /* How many tables there are depends on addresses modulo 2 MiB only, and those are known. */
    struct stage2 trial = {.base = 0};

    layout_map(layout, &trial);
    layout->window = layout_round_up(last->paddr + last->size, STAGE2_PAGE);
    uint64_t end = layout->window + layout_round_up(layout_header_size(layout), STAGE2_PAGE);
    for (size_t i = 0; i < layout->system->pd_count; i++) {
        layout->ipc_pieces[i]->address = end;
        end += STAGE2_PAGE;
    }
    layout->window_end = end;
    layout->tables.base = layout_round_up(end, STAGE2_ROOT_SIZE);
    return layout->tables.base + trial.table_count * STAGE2_TABLE_SIZE;
}

static int compare_pieces(const void *a, const void *b)
{
    const struct piece *x = *(const struct piece *const *)a, *y = *(const struct piece *const *)b;

    if (x->align != y->align) {
        return x->align < y->align ? 1 : -1;
    }
    if (x->size != y->size) {
        return x->size < y->size ? 1 : -1;
    }
    return (x->number > y->number) - (x->number < y->number);
}

static __attribute__((noreturn)) void exhausted(const struct layout *layout,
                                                const struct piece *piece,
                                                const struct allocator *free_memory)
{
    uint64_t wanted = 0;

    for (size_t i = 0; i < layout->piece_count; i++) {
        if (layout->pieces[i]->kind != PIECE_DEVICE) {
            wanted += layout->pieces[i]->size;
        }
    }
    diag_at(piece->place, NULL,
            "memory exhausted: no room for the %s of %s: the system asks for %" PRIu64
            " MiB, the board has %s, %" PRIu64 " MiB are still free, at most %" PRIu64
            " MiB of them in one piece",
            diag_size(piece->size), piece->what, MIB(wanted), diag_size(layout->board->ram_size),
            allocator_free(free_memory) >> 20, allocator_largest(free_memory) >> 20);
}

/* Places the pieces of one kind at or above `lowest`. */
static void place_kind(struct layout *layout, enum piece_kind kind, struct piece **sorted,
                       uint64_t lowest, struct allocator *ram)
{
    for (size_t i = 0; i < layout->piece_count; i++) {
        struct piece *piece = sorted[i];
        if (piece->kind != kind || piece->fixed) {
            continue;
        }
        if (allocator_take(ram, lowest, piece->size, piece->align, piece->offset,
                           &piece->address)) {
            continue;
        }
        if (kind == PIECE_IMAGE) {
            diag_at(piece->place, NULL,
                    "image too large: no room for the %s of %s in RAM from 0x%" PRIx64 " on",
                    diag_size(piece->size), piece->what, lowest);
        }
        exhausted(layout, piece, ram);
    }
}

static void place_fixed(struct layout *layout, uint64_t kernel_end, struct allocator *ram)
{
    for (size_t i = 0; i < layout->piece_count; i++) {
        struct piece *piece = layout->pieces[i];
        if (piece->kind == PIECE_DEVICE || !piece->fixed) {
            continue;
        }
        if (!allocator_take_at(ram, piece->address, piece->size)) {
            diag_at(piece->place, "phys_addr",
                    "0x%" PRIx64 "..0x%" PRIx64 " overlaps the kernel and its tables, 0x%" PRIx64
                    "..0x%" PRIx64 ": choose a range outside them",
                    piece->address, piece->address + piece->size, layout->board->load_address,
                    kernel_end);
        }
    }
}

static void find_image_end(struct layout *layout, uint64_t kernel_end)
{
    uint64_t end = kernel_end;

    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = layout->pieces[i];
        if (piece->kind == PIECE_IMAGE && piece->address + piece->lead + piece->byte_count > end) {
            end = piece->address + piece->lead + piece->byte_count;
        }
    }
    layout->image_end = layout_round_up(end, STAGE2_PAGE);
}

static int compare_ranges(const void *a, const void *b)
{
    const struct free_range *x = a, *y = b;

    return (x->base > y->base) - (x->base < y->base);
}

/* Lists what the kernel must zero: every piece without contents. Inside the image there is nothing
 * to zero, because its file has zeros there. */
static void collect_zeros(struct layout *layout)
{
    struct free_range *ranges = NULL;
    size_t count = 0, merged = 0;

    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = layout->pieces[i];
        uint64_t base = piece->address, end = base + piece->size;
        if (piece->kind == PIECE_DEVICE) {
            continue;
        }
        if (base >= layout->board->load_address && base < layout->image_end) {
            base = layout->image_end;
        }
        if (base < end) {
            *ARRAY_ADD(ranges, count) = (struct free_range){base, end - base};
        }
    }
    if (!count) {
        return;
    }
    qsort(ranges, count, sizeof(*ranges), compare_ranges);
    for (size_t i = 1; i < count; i++) {
        if (ranges[merged].base + ranges[merged].size == ranges[i].base) {
            ranges[merged].size += ranges[i].size;
        } else {
            ranges[++merged] = ranges[i];
        }
    }
    layout->zeros = ranges;
    layout->zero_count = merged + 1;
}

static void measure_ram(struct layout *layout)
{
    uint64_t end = layout->image_end;

    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = layout->pieces[i];
        if (piece->kind != PIECE_DEVICE && piece->address + piece->size > end) {
            end = piece->address + piece->size;
        }
    }
    layout->ram_needed = end - layout->board->ram_base;
}

void place_pieces(struct layout *layout)
{
    struct piece **sorted = memory_new(layout->piece_count * sizeof(*sorted));
    struct allocator ram;

    if (layout->piece_count) {
        memcpy(sorted, layout->pieces, layout->piece_count * sizeof(*sorted));
        qsort(sorted, layout->piece_count, sizeof(*sorted), compare_pieces);
    }
    uint64_t load_address = layout->board->load_address;
    uint64_t kernel_end = place_kernel(layout);
    allocator_init(&ram, layout->board->ram_base, layout->board->ram_size);
    if (!allocator_take_at(&ram, load_address, kernel_end - load_address)) {
        diag_fatal("image too large: kernel and tables alone end at 0x%" PRIx64
                   ": RAM ends at 0x%" PRIx64,
                   kernel_end, board_ram_end(layout->board));
    }
    place_fixed(layout, kernel_end, &ram);
    place_kind(layout, PIECE_IMAGE, sorted, load_address, &ram);
    find_image_end(layout, kernel_end);
    place_kind(layout, PIECE_ZERO, sorted, layout->board->ram_base, &ram);
    collect_zeros(layout);
    measure_ram(layout);
}
