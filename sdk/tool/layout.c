/* SPDX-License-Identifier: BSD-2-Clause */
#include "layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../kernel/system.h"
#include "patch.h"
#include "xalloc.h"

#define MIB(bytes) (((bytes) + 0xfffff) >> 20)

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

static uint64_t ram_end(const struct layout *layout)
{
    return layout->board->ram_base + layout->board->ram_size;
}

/*
 * What there is: pieces and who maps them.
 */

/* A piece large enough for 2 MiB blocks is placed so that it can be mapped by them at addresses
 * that are `residue` modulo 2 MiB. */
static struct piece *add_piece(struct layout *layout, enum piece_kind kind, uint64_t size,
                               uint64_t residue, const struct place *place, const char *what)
{
    struct piece *piece = xalloc(sizeof(*piece));

    piece->kind = kind;
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
    if (region->phys_addr >= SYSTEM_LOAD_ADDRESS && region->phys_addr < ram_end(layout))
        return;
    diag_at(
        &region->place, "phys_addr",
        "0x%" PRIx64
        " with prefill_path: the file is stored in place in the boot image, so the address must be "
        "0x%" PRIx64 "..0x%" PRIx64 ", or left out",
        region->phys_addr, (uint64_t)SYSTEM_LOAD_ADDRESS, ram_end(layout));
}

static void add_region(struct layout *layout, size_t index)
{
    const struct sdf_region *region = layout->system->regions[index];
    const char *what = xprintf("memory region '%s'", region->name);
    const struct file *prefill = region->prefill;
    enum piece_kind kind = prefill ? PIECE_IMAGE : PIECE_ZERO;
    struct piece *piece;
    uint64_t size = region->size;

    if (!region->mapped && !region->contiguous)
        return;
    if (prefill && !region->contiguous && !region->fixed)
        size = round_up(prefill->size, STAGE2_PAGE);
    if (prefill && region->fixed)
        check_fixed_prefill(layout, region);
    if (region->fixed &&
        (region->phys_addr < layout->board->ram_base || region->phys_addr >= ram_end(layout)))
        kind = PIECE_DEVICE;

    piece = add_piece(layout, kind, size, 0, &region->place, what);
    layout->region_pieces[index] = piece;
    if (region->fixed) {
        piece->fixed = true;
        piece->address = region->phys_addr;
    }
    if (prefill) {
        piece->bytes = prefill->bytes;
        piece->byte_count = prefill->size;
    }
    if (size < region->size)
        add_piece(layout, PIECE_ZERO, region->size - size, size, &region->place, what);
}

static void add_maps(struct layout *layout, struct space *space, const struct sdf_map *maps,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sdf_map *map = &maps[i];
        const struct sdf_region *region = map->region;
        size_t index = 0;
        while (layout->system->regions[index] != region)
            index++;

        unsigned flags = (map->perms & SDF_READ ? STAGE2_READ : 0) |
                         (map->perms & SDF_WRITE ? STAGE2_WRITE : 0) |
                         (map->perms & SDF_EXECUTE ? STAGE2_EXECUTE : 0) |
                         (map->cached ? 0 : STAGE2_DEVICE) |
                         (region->page_size == SDF_PAGE ? STAGE2_PAGES : 0);
        const struct piece *piece = layout->region_pieces[index];
        add_mapping(space, map->vaddr, piece, flags, &map->place, true);
        /* A region's second piece stands behind its first. */
        if (piece->size < region->size) {
            size_t at = 0;
            while (layout->pieces[at] != piece)
                at++;
            add_mapping(space, map->vaddr + piece->size, layout->pieces[at + 1], flags, &map->place,
                        true);
        }
    }
}

static void add_segment(struct layout *layout, struct space *space, const struct sdf_pd *pd,
                        const struct program_segment *segment)
{
    uint64_t start = segment->vaddr & ~(STAGE2_PAGE - 1);
    uint64_t lead = segment->vaddr - start;
    uint64_t size = round_up(lead + segment->size, STAGE2_PAGE);
    uint64_t stored = segment->stored ? round_up(lead + segment->stored, STAGE2_PAGE) : 0;
    unsigned flags = (segment->flags & PROGRAM_READ ? STAGE2_READ : 0) |
                     (segment->flags & PROGRAM_WRITE ? STAGE2_WRITE | STAGE2_READ : 0) |
                     (segment->flags & PROGRAM_EXECUTE ? STAGE2_EXECUTE : 0);

    if (stored) {
        struct piece *piece = add_piece(layout, PIECE_IMAGE, stored, start, &pd->program_place,
                                        xprintf("program of '%s'", pd->name));
        piece->bytes = segment->bytes;
        piece->lead = lead;
        piece->byte_count = segment->stored;
        add_mapping(space, start, piece, flags, &pd->program_place, false);
    }
    if (stored < size) {
        struct piece *piece =
            add_piece(layout, PIECE_ZERO, size - stored, start + stored, &pd->program_place,
                      xprintf("zeros of program of '%s'", pd->name));
        add_mapping(space, start + stored, piece, flags, &pd->program_place, false);
    }
}

static void add_pd(struct layout *layout, const struct sdf_pd *pd)
{
    struct space *space = &layout->spaces[pd->index];
    const struct program *program = layout->programs[pd->index];
    struct program_symbol symbol;

    space->name = pd->name;
    for (size_t i = 0; i < program->segment_count; i++)
        add_segment(layout, space, pd, &program->segments[i]);

    struct piece *stack =
        add_piece(layout, PIECE_ZERO, pd->stack_size, SDF_STACK_TOP - pd->stack_size, &pd->place,
                  xprintf("stack of '%s'", pd->name));
    add_mapping(space, SDF_STACK_TOP - pd->stack_size, stack, STAGE2_READ | STAGE2_WRITE,
                &pd->place, false);

    uint64_t ipc = SDF_IPC_VADDR;
    if (program_symbol(layout->symbols[pd->index], "__sel4_ipc_buffer_obj", &symbol))
        ipc = symbol.value;
    if (ipc % STAGE2_PAGE || ipc > SDF_IPC_VADDR)
        diag_at(&pd->program_place, "path",
                "'%s': its symbol '__sel4_ipc_buffer_obj' is at 0x%" PRIx64
                ", which is no page: link it with the SDK's microkit.ld",
                program->path, ipc);
    layout->ipc_vaddrs[pd->index] = ipc;
    struct piece *buffer = xalloc(sizeof(*buffer));
    *buffer = (struct piece){.kind = PIECE_IMAGE,
                             .what = xprintf("IPC buffer of '%s'", pd->name),
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
    layout->spaces = xalloc(layout->space_count * sizeof(*layout->spaces));
    layout->region_pieces = xalloc(system->region_count * sizeof(*layout->region_pieces));
    layout->ipc_pieces = xalloc(system->pd_count * sizeof(*layout->ipc_pieces));
    layout->ipc_vaddrs = xalloc(system->pd_count * sizeof(*layout->ipc_vaddrs));
    for (size_t i = 0; i < system->region_count; i++)
        add_region(layout, i);
    for (size_t i = 0; i < system->pd_count; i++) {
        const struct sdf_pd *pd = system->pds[i];
        add_pd(layout, pd);
        if (!pd->vm)
            continue;
        layout->spaces[vm].name = pd->vm->name;
        add_maps(layout, &layout->spaces[vm++], pd->vm->maps, pd->vm->map_count);
        layout->thread_count += pd->vm->vcpu_count;
        if (layout->thread_count > SYSTEM_MAX_THREADS)
            diag_at(&pd->vm->place, NULL,
                    "too many threads: protection domains and vCPUs together may be at most %d",
                    SYSTEM_MAX_THREADS);
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
        if (!space->mapping_count)
            continue;
        qsort(space->mappings, space->mapping_count, sizeof(*space->mappings), compare_mappings);
        for (size_t j = 1; j < space->mapping_count; j++) {
            const struct mapping *a = &space->mappings[j - 1], *b = &space->mappings[j];
            if (a->vaddr + a->piece->size <= b->vaddr)
                continue;
            const struct mapping *bad = a->by_map ? a : b, *other = a->by_map ? b : a;
            diag_at(bad->place, bad->by_map ? "vaddr" : "path",
                    "%s at 0x%" PRIx64 "..0x%" PRIx64 " overlaps the %s at 0x%" PRIx64
                    "..0x%" PRIx64 " in '%s'",
                    bad->piece->what, bad->vaddr, bad->vaddr + bad->piece->size, other->piece->what,
                    other->vaddr, other->vaddr + other->piece->size, space->name);
        }
    }
}

/*
 * Where it goes in physical memory.
 */

static void map_everything(const struct layout *layout, struct stage2 *tables)
{
    stage2_add_roots(tables, (unsigned)layout->space_count);
    for (size_t i = 0; i < layout->space_count; i++) {
        for (size_t j = 0; j < layout->spaces[i].mapping_count; j++) {
            const struct mapping *mapping = &layout->spaces[i].mappings[j];
            if (!stage2_map(tables, (unsigned)i, mapping->vaddr, mapping->piece->address,
                            mapping->piece->size, mapping->flags))
                diag_at(mapping->place, NULL, "%s cannot be mapped: its addresses are taken",
                        mapping->piece->what);
        }
    }
}

uint64_t layout_header_size(const struct layout *layout)
{
    return sizeof(struct system_header) + layout->thread_count * sizeof(struct system_thread) +
           (layout->piece_count + 1) * sizeof(struct system_range);
}

/* Kernel, window and tables, in this order; returns the first address behind them. */
static uint64_t place_kernel(struct layout *layout)
{
    const struct program *kernel = layout->kernel;
    const struct program_segment *last = &kernel->segments[kernel->segment_count - 1];
    /* How many tables there are depends on addresses modulo 2 MiB only, and those are known. */
    struct stage2 trial = {.base = 0};

    map_everything(layout, &trial);
    layout->window = round_up(last->paddr + last->size, STAGE2_PAGE);
    uint64_t end = layout->window + round_up(layout_header_size(layout), STAGE2_PAGE);
    for (size_t i = 0; i < layout->system->pd_count; i++) {
        layout->ipc_pieces[i]->address = end;
        end += STAGE2_PAGE;
    }
    layout->window_end = end;
    layout->tables.base = round_up(end, STAGE2_ROOT_SIZE);
    return layout->tables.base + trial.table_count * STAGE2_TABLE_SIZE;
}

static int compare_pieces(const void *a, const void *b)
{
    const struct piece *x = *(const struct piece *const *)a, *y = *(const struct piece *const *)b;

    if (x->align != y->align)
        return x->align < y->align ? 1 : -1;
    return (x->size < y->size) - (x->size > y->size);
}

static _Noreturn void exhausted(const struct layout *layout, const struct piece *piece,
                                const struct allocator *free_memory)
{
    uint64_t wanted = 0;

    for (size_t i = 0; i < layout->piece_count; i++) {
        if (layout->pieces[i]->kind != PIECE_DEVICE)
            wanted += layout->pieces[i]->size;
    }
    diag_at(piece->place, NULL,
            "memory exhausted: no room for the %s of %s: the system asks for %" PRIu64
            " MiB, the board has %s, %" PRIu64 " MiB are still free, at most %" PRIu64
            " MiB of them in one piece",
            xsize(piece->size), piece->what, MIB(wanted), xsize(layout->board->ram_size),
            allocator_free(free_memory) >> 20, allocator_largest(free_memory) >> 20);
}

/* Places the pieces of one kind at or above `lowest`. */
static void place_kind(struct layout *layout, enum piece_kind kind, struct piece **sorted,
                       uint64_t lowest, struct allocator *ram)
{
    for (size_t i = 0; i < layout->piece_count; i++) {
        struct piece *piece = sorted[i];
        if (piece->kind != kind || piece->fixed)
            continue;
        if (!allocator_take(ram, lowest, piece->size, piece->align, piece->offset, &piece->address))
            exhausted(layout, piece, ram);
    }
}

static void place_fixed(struct layout *layout, uint64_t kernel_end, struct allocator *ram)
{
    for (size_t i = 0; i < layout->piece_count; i++) {
        struct piece *piece = layout->pieces[i];
        if (piece->kind == PIECE_DEVICE || !piece->fixed)
            continue;
        if (!allocator_take_at(ram, piece->address, piece->size))
            diag_at(piece->place, "phys_addr",
                    "0x%" PRIx64 "..0x%" PRIx64 " overlaps the kernel and its tables, 0x%" PRIx64
                    "..0x%" PRIx64 ": choose a range outside them",
                    piece->address, piece->address + piece->size, (uint64_t)SYSTEM_LOAD_ADDRESS,
                    kernel_end);
    }
}

static void find_image_end(struct layout *layout, uint64_t kernel_end)
{
    uint64_t end = kernel_end;

    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = layout->pieces[i];
        if (piece->kind == PIECE_IMAGE && piece->address + piece->lead + piece->byte_count > end)
            end = piece->address + piece->lead + piece->byte_count;
    }
    layout->image_end = round_up(end, STAGE2_PAGE);
}

static int compare_ranges(const void *a, const void *b)
{
    const struct free_range *x = a, *y = b;

    return (x->base > y->base) - (x->base < y->base);
}

/* What the kernel must zero: everything without contents, except in the image, whose file has zeros
 * there. */
static void collect_zeros(struct layout *layout)
{
    struct free_range *ranges = NULL;
    size_t count = 0, merged = 0;

    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = layout->pieces[i];
        uint64_t base = piece->address, end = base + piece->size;
        if (piece->kind == PIECE_DEVICE)
            continue;
        if (base >= SYSTEM_LOAD_ADDRESS && base < layout->image_end)
            base = layout->image_end;
        if (base < end)
            *ARRAY_ADD(ranges, count) = (struct free_range){base, end - base};
    }
    if (!count)
        return;
    qsort(ranges, count, sizeof(*ranges), compare_ranges);
    for (size_t i = 1; i < count; i++) {
        if (ranges[merged].base + ranges[merged].size == ranges[i].base)
            ranges[merged].size += ranges[i].size;
        else
            ranges[++merged] = ranges[i];
    }
    layout->zeros = ranges;
    layout->zero_count = merged + 1;
}

static void measure_ram(struct layout *layout)
{
    uint64_t end = layout->image_end;

    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = layout->pieces[i];
        if (piece->kind != PIECE_DEVICE && piece->address + piece->size > end)
            end = piece->address + piece->size;
    }
    layout->ram_needed = end - layout->board->ram_base;
}

static void place_everything(struct layout *layout)
{
    struct piece **sorted = xalloc(layout->piece_count * sizeof(*sorted));
    struct allocator ram;

    if (layout->piece_count) {
        memcpy(sorted, layout->pieces, layout->piece_count * sizeof(*sorted));
        qsort(sorted, layout->piece_count, sizeof(*sorted), compare_pieces);
    }
    uint64_t kernel_end = place_kernel(layout);
    allocator_init(&ram, layout->board->ram_base, layout->board->ram_size);
    if (!allocator_take_at(&ram, SYSTEM_LOAD_ADDRESS, kernel_end - SYSTEM_LOAD_ADDRESS))
        diag_fatal("image too large: kernel and tables alone end at 0x%" PRIx64
                   ": RAM ends at 0x%" PRIx64,
                   kernel_end, ram_end(layout));
    place_fixed(layout, kernel_end, &ram);
    place_kind(layout, PIECE_IMAGE, sorted, SYSTEM_LOAD_ADDRESS, &ram);
    find_image_end(layout, kernel_end);
    place_kind(layout, PIECE_ZERO, sorted, layout->board->ram_base, &ram);
    collect_zeros(layout);
    measure_ram(layout);
}

static void write_addresses(struct layout *layout)
{
    const struct sdf_system *system = layout->system;

    for (size_t i = 0; i < system->pd_count; i++) {
        for (size_t j = 0; j < system->region_count; j++) {
            if (system->regions[j]->contiguous)
                patch_addresses(system->pds[i], layout->programs[i], layout->symbols[i],
                                system->regions[j], layout->region_pieces[j]->address);
        }
    }
}

struct layout *layout_build(const struct sdf_system *system, const struct board *board,
                            const struct program *kernel, struct program **programs,
                            struct program **symbols)
{
    struct layout *layout = xalloc(sizeof(*layout));

    layout->system = system;
    layout->board = board;
    layout->kernel = kernel;
    layout->programs = programs;
    layout->symbols = symbols;
    add_everything(layout);
    check_overlaps(layout);
    place_everything(layout);
    write_addresses(layout);
    map_everything(layout, &layout->tables);
    return layout;
}
