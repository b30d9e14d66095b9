/* SPDX-License-Identifier: BSD-2-Clause */
#include "layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "array.h"
#include "patch.h"
#include "placement.h"
#include "sdk/kernel/system.h"
#include "tools/memory.h"

/*
 * The pieces, and who maps them.
 */

/* A piece large enough for 2 MiB blocks is placed so that it can be mapped by them at addresses
 * that are `residue` modulo 2 MiB. */
static struct piece *add_piece(struct layout *layout, enum piece_kind kind, uint64_t size,
                               uint64_t residue, const struct place *place, const char *what)
{
    struct piece *piece = memory_new(sizeof(*piece));

    piece->kind = kind;
    piece->number = layout->piece_count;
    piece->what = what;
    piece->place = place;
    piece->size = size;
    piece->align = size >= STAGE2_BLOCK ? STAGE2_BLOCK : STAGE2_PAGE;
    piece->offset = residue & (piece->align - 1);
    piece->address = piece->offset;
    *ARRAY_ADD(layout->pieces, layout->piece_count) = piece;
    return piece;
}

static void add_mapping(struct space *space, uint64_t vaddr, const struct piece *piece,
                        unsigned flags, const struct place *place, bool by_map)
{
    *ARRAY_ADD(space->mappings, space->mapping_count) =
        (struct mapping){vaddr, piece, flags, place, by_map};
}

/* A prefilled region with a fixed address can only lie where the image itself does. */
static void check_fixed_prefill(const struct layout *layout, const struct sdf_region *region)
{
    if (region->phys_addr >= layout->board->load_address &&
        region->phys_addr < board_ram_end(layout->board)) {
        return;
    }
    diag_at(
        &region->place, "phys_addr",
        "0x%" PRIx64
        " with prefill_path: the file is stored in place in the boot image, so the address must be "
        "0x%" PRIx64 "..0x%" PRIx64 ", or left out",
        region->phys_addr, layout->board->load_address, board_ram_end(layout->board));
}

static void add_region(struct layout *layout, const struct sdf_region *region)
{
    const char *what = memory_format("memory region '%s'", region->name);
    const struct file *prefill = region->prefill;
    enum piece_kind kind = prefill ? PIECE_IMAGE : PIECE_ZERO;
    struct piece *piece;
    uint64_t size = region->size;

    if (!region->mapped && !region->contiguous) {
        return;
    }
    if (prefill && !region->contiguous && !region->fixed) {
        size = layout_round_up(prefill->size, STAGE2_PAGE);
    }
    if (prefill && region->fixed) {
        check_fixed_prefill(layout, region);
    }
    if (region->fixed && (region->phys_addr < layout->board->ram_base ||
                          region->phys_addr >= board_ram_end(layout->board))) {
        kind = PIECE_DEVICE;
    }

    piece = add_piece(layout, kind, size, 0, &region->place, what);
    layout->regions[region->index].head = piece;
    if (region->fixed) {
        piece->fixed = true;
        piece->address = region->phys_addr;
    }
    if (prefill) {
        piece->bytes = prefill->bytes;
        piece->byte_count = prefill->size;
    }
    if (size < region->size) {
        layout->regions[region->index].rest =
            add_piece(layout, PIECE_ZERO, region->size - size, size, &region->place,
                      memory_format("rest of %s", what));
    }
}

static void add_maps(struct layout *layout, struct space *space, const struct sdf_map *maps,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sdf_map *map = &maps[i];
        const struct sdf_region *region = map->region;
        const struct region_pieces *pieces = &layout->regions[region->index];
        unsigned flags = (map->perms & SDF_READ ? STAGE2_READ : 0) |
                         (map->perms & SDF_WRITE ? STAGE2_WRITE : 0) |
                         (map->perms & SDF_EXECUTE ? STAGE2_EXECUTE : 0) |
                         (map->cached ? 0 : STAGE2_DEVICE) |
                         (region->page_size == SDF_PAGE ? STAGE2_PAGES : 0);
        add_mapping(space, map->vaddr, pieces->head, flags, &map->place, true);
        if (pieces->rest) {
            add_mapping(space, map->vaddr + pieces->head->size, pieces->rest, flags, &map->place,
                        true);
        }
    }
}

static void add_segment(struct layout *layout, struct space *space, const struct sdf_pd *pd,
                        const struct program_segment *segment)
{
    uint64_t start = segment->vaddr & ~(STAGE2_PAGE - 1);
    uint64_t lead = segment->vaddr - start;
    uint64_t size = layout_round_up(lead + segment->size, STAGE2_PAGE);
    uint64_t stored = segment->stored ? layout_round_up(lead + segment->stored, STAGE2_PAGE) : 0;
    unsigned flags = (segment->flags & PROGRAM_READ ? STAGE2_READ : 0) |
                     (segment->flags & PROGRAM_WRITE ? STAGE2_WRITE | STAGE2_READ : 0) |
                     (segment->flags & PROGRAM_EXECUTE ? STAGE2_EXECUTE : 0);

    if (stored) {
        struct piece *piece = add_piece(layout, PIECE_IMAGE, stored, start, &pd->program_place,
                                        memory_format("program of '%s'", pd->name));
        piece->bytes = segment->bytes;
        piece->lead = lead;
        piece->byte_count = segment->stored;
        add_mapping(space, start, piece, flags, &pd->program_place, false);
    }
    if (stored < size) {
        struct piece *piece =
            add_piece(layout, PIECE_ZERO, size - stored, start + stored, &pd->program_place,
                      memory_format("zeros of program of '%s'", pd->name));
        add_mapping(space, start + stored, piece, flags, &pd->program_place, false);
    }
}

static void add_pd(struct layout *layout, const struct sdf_pd *pd)
{
    struct space *space = &layout->spaces[pd->index];
    const struct program *program = layout->programs[pd->index];
    struct program_symbol symbol;

    space->name = pd->name;
    for (size_t i = 0; i < program->segment_count; i++) {
        add_segment(layout, space, pd, &program->segments[i]);
    }

    struct piece *stack =
        add_piece(layout, PIECE_ZERO, pd->stack_size, SDF_STACK_TOP - pd->stack_size, &pd->place,
                  memory_format("stack of '%s'", pd->name));
    add_mapping(space, SDF_STACK_TOP - pd->stack_size, stack, STAGE2_READ | STAGE2_WRITE,
                &pd->place, false);

    uint64_t ipc = SDF_IPC_VADDR;
    if (program_symbol(layout->symbols[pd->index], "__sel4_ipc_buffer_obj", &symbol)) {
        ipc = symbol.value;
    }
    if (ipc % STAGE2_PAGE || ipc > SDF_IPC_VADDR) {
        diag_at(&pd->program_place, "path",
                "'%s': its symbol '__sel4_ipc_buffer_obj' is at 0x%" PRIx64
                ", which is no page: link it with the SDK's microkit.ld",
                program->path, ipc);
    }
    layout->ipc_vaddrs[pd->index] = ipc;
    struct piece *buffer = memory_new(sizeof(*buffer));
    *buffer = (struct piece){.kind = PIECE_IMAGE,
                             .what = memory_format("IPC buffer of '%s'", pd->name),
                             .place = &pd->place,
                             .size = STAGE2_PAGE,
                             .align = STAGE2_PAGE};
    layout->ipc_pieces[pd->index] = buffer;
    add_mapping(space, ipc, buffer, STAGE2_READ | STAGE2_WRITE, &pd->place, false);
    add_maps(layout, space, pd->maps, pd->map_count);
}

static void add_everything(struct layout *layout)
{
    const struct sdf_system *system = layout->system;
    size_t vm = system->pd_count;

    layout->thread_count = system->pd_count;
    layout->space_count = system->pd_count + system->vm_count;
    layout->spaces = memory_new(layout->space_count * sizeof(*layout->spaces));
    layout->regions = memory_new(system->region_count * sizeof(*layout->regions));
    layout->ipc_pieces = memory_new(system->pd_count * sizeof(*layout->ipc_pieces));
    layout->ipc_vaddrs = memory_new(system->pd_count * sizeof(*layout->ipc_vaddrs));
    for (size_t i = 0; i < system->region_count; i++) {
        add_region(layout, system->regions[i]);
    }
    for (size_t i = 0; i < system->pd_count; i++) {
        const struct sdf_pd *pd = system->pds[i];
        add_pd(layout, pd);
        if (!pd->vm) {
            continue;
        }
        layout->spaces[vm].name = pd->vm->name;
        add_maps(layout, &layout->spaces[vm++], pd->vm->maps, pd->vm->map_count);
        layout->thread_count += pd->vm->vcpu_count;
        if (layout->thread_count > SYSTEM_MAX_THREADS) {
            diag_at(&pd->vm->place, NULL,
                    "too many threads: protection domains and vCPUs together may be at most %d",
                    SYSTEM_MAX_THREADS);
        }
    }
}

/*
 * No two things at one virtual address.
 */

static int compare_mappings(const void *a, const void *b)
{
    const struct mapping *x = a, *y = b;

    return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static void check_overlaps(struct layout *layout)
{
    for (size_t i = 0; i < layout->space_count; i++) {
        struct space *space = &layout->spaces[i];
        if (!space->mapping_count) {
            continue;
        }
        qsort(space->mappings, space->mapping_count, sizeof(*space->mappings), compare_mappings);
        for (size_t j = 1; j < space->mapping_count; j++) {
            const struct mapping *a = &space->mappings[j - 1], *b = &space->mappings[j];
            if (a->vaddr + a->piece->size <= b->vaddr) {
                continue;
            }
            const struct mapping *bad = a->by_map ? a : b, *other = a->by_map ? b : a;
            diag_at(bad->place, bad->by_map ? "vaddr" : "path",
                    "%s at 0x%" PRIx64 "..0x%" PRIx64 " overlaps the %s at 0x%" PRIx64
                    "..0x%" PRIx64 " in '%s'",
                    bad->piece->what, bad->vaddr, bad->vaddr + bad->piece->size, other->piece->what,
                    other->vaddr, other->vaddr + other->piece->size, space->name);
        }
    }
}

void layout_map(const struct layout *layout, struct stage2 *tables)
{
    stage2_add_roots(tables, (unsigned)layout->space_count);
    for (size_t i = 0; i < layout->space_count; i++) {
        for (size_t j = 0; j < layout->spaces[i].mapping_count; j++) {
            const struct mapping *mapping = &layout->spaces[i].mappings[j];
            if (!stage2_map(tables, (unsigned)i, mapping->vaddr, mapping->piece->address,
                            mapping->piece->size, mapping->flags)) {
                diag_at(mapping->place, NULL, "%s cannot be mapped: its addresses are taken",
                        mapping->piece->what);
            }
        }
    }
}

uint64_t layout_header_size(const struct layout *layout)
{
    return sizeof(struct system_header) + layout->thread_count * sizeof(struct system_thread) +
           (layout->piece_count + 1) * sizeof(struct system_range) +
           layout->system->turn_count * sizeof(struct system_turn);
}

static void write_addresses(struct layout *layout)
{
    const struct sdf_system *system = layout->system;

    for (size_t i = 0; i < system->pd_count; i++) {
        for (size_t j = 0; j < system->region_count; j++) {
            if (system->regions[j]->contiguous) {
                patch_addresses(system->pds[i], layout->programs[i], layout->symbols[i],
                                system->regions[j], layout->regions[j].head->address);
            }
        }
    }
}

struct layout *layout_build(const struct sdf_system *system, const struct board *board,
                            const struct program *kernel, struct program **programs,
                            struct program **symbols)
{
    struct layout *layout = memory_new(sizeof(*layout));

    layout->system = system;
    layout->board = board;
    layout->kernel = kernel;
    layout->programs = programs;
    layout->symbols = symbols;
    add_everything(layout);
    check_overlaps(layout);
    place_pieces(layout);
    write_addresses(layout);
    layout_map(layout, &layout->tables);
    return layout;
}
