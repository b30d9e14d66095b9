/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include "array.h"
#include "sdk/kernel/system.h"
#include "tools/memory.h"

#define VCPU_SUFFIX ((unsigned)sizeof(":61") - 1) /* of its VM's name, at most */

/* Bytes of the image at a physical address. */
struct part {
    uint64_t address;
    const void *bytes;
    uint64_t size;
};

struct image {
    struct part *parts;
    size_t count;
};

static void add_part(struct image *image, uint64_t address, const void *bytes, uint64_t size)
{
    if (size) {
        *ARRAY_ADD(image->parts, image->count) = (struct part){address, bytes, size};
    }
}

static void set_schedule(struct system_thread *thread, const struct sdf_schedule *schedule)
{
    thread->priority = (uint8_t)schedule->priority;
    thread->budget_us = schedule->budget;
    thread->period_us = schedule->period;
}

static struct system_thread *init_thread(struct system_thread *thread, const char *name,
                                         uint8_t kind, unsigned core, unsigned space,
                                         const struct layout *layout)
{
    strcpy(thread->name, sdf_short_name(name, sizeof(thread->name) - 1));
    thread->kind = kind;
    thread->core = core;
    thread->parent = SYSTEM_NONE;
    thread->vmid = (uint16_t)(space + 1);
    thread->stage2_root = stage2_root(&layout->tables, space);
    memset(thread->child_pds, 0xff, sizeof(thread->child_pds));
    memset(thread->child_vcpus, 0xff, sizeof(thread->child_vcpus));
    return thread;
}

static void fill_pd(const struct layout *layout, const struct sdf_pd *pd,
                    struct system_thread *threads)
{
    struct system_thread *thread =
        init_thread(&threads[pd->index], pd->name, SYSTEM_THREAD_PD, pd->core, pd->index, layout);

    set_schedule(thread, &pd->schedule);
    thread->domain = pd->domain ? pd->domain->id : 0;
    thread->flags =
        (uint8_t)((pd->passive ? SYSTEM_THREAD_PASSIVE : 0) | (pd->smc ? SYSTEM_THREAD_SMC : 0) |
                  (pd->fpu ? 0 : SYSTEM_THREAD_NO_FPU));
    thread->entry = layout->programs[pd->index]->entry;
    thread->stack_top = SDF_STACK_TOP;
    thread->ipc_buffer = layout->ipc_pieces[pd->index]->address;
    thread->ipc_buffer_vaddr = layout->ipc_vaddrs[pd->index];
    for (size_t i = 0; i < pd->irq_count; i++) {
        const struct sdf_irq *irq = &pd->irqs[i];
        thread->channels[irq->id] = (struct system_channel){
            .kind = SYSTEM_CHANNEL_IRQ,
            .flags = irq->edge ? SYSTEM_IRQ_EDGE : 0,
            .peer = (uint16_t)irq->irq,
        };
    }
    for (size_t i = 0; i < pd->cap_count; i++) {
        static const uint8_t kinds[] = {[SDF_CAP_TCB] = SYSTEM_CAP_TCB,
                                        [SDF_CAP_SC] = SYSTEM_CAP_SC,
                                        [SDF_CAP_VSPACE] = SYSTEM_CAP_VSPACE};
        thread->user_caps[pd->caps[i].slot] = (struct system_cap){
            .kind = kinds[pd->caps[i].kind], .thread = (uint8_t)pd->caps[i].pd->index};
    }
    if (pd->parent) {
        /* A parent stands before its children, so its own entry has been filled. */
        thread->child_id = (uint8_t)pd->id;
        thread->parent = (uint16_t)pd->parent->index;
        threads[pd->parent->index].child_pds[pd->id] = (uint16_t)pd->index;
    }
}

static void fill_vcpus(const struct layout *layout, const struct sdf_pd *pd, unsigned space,
                       size_t first, struct system_thread *threads)
{
    const struct sdf_vm *vm = pd->vm;

    for (size_t i = 0; i < vm->vcpu_count; i++) {
        unsigned id = vm->vcpus[i].id;
        const char *name = vm->name;
        if (vm->vcpu_count > 1) {
            name = memory_format("%s:%u", sdf_short_name(name, SDF_SHORT_NAME - VCPU_SUFFIX), id);
        }
        struct system_thread *thread = init_thread(&threads[first + i], name, SYSTEM_THREAD_VCPU,
                                                   vm->vcpus[i].core, space, layout);
        set_schedule(thread, &vm->schedule);
        thread->domain = pd->domain ? pd->domain->id : 0;
        thread->child_id = (uint8_t)id;
        thread->parent = (uint16_t)pd->index;
        threads[pd->index].child_vcpus[id] = (uint16_t)(first + i);
    }
}

static void fill_channel(const struct sdf_channel *channel, struct system_thread *threads)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct sdf_end *end = &channel->ends[i], *peer = &channel->ends[1 - i];
        threads[end->pd->index].channels[end->id] = (struct system_channel){
            .kind = SYSTEM_CHANNEL_PD,
            .flags = (uint8_t)((end->notify ? SYSTEM_CHANNEL_MAY_NOTIFY : 0) |
                               (end->pp ? SYSTEM_CHANNEL_MAY_CALL : 0)),
            .peer_channel = (uint8_t)peer->id,
            .peer = (uint16_t)peer->pd->index,
        };
    }
}

static void fill_threads(const struct layout *layout, struct system_thread *threads)
{
    const struct sdf_system *system = layout->system;
    size_t next = system->pd_count;
    unsigned space = (unsigned)system->pd_count;

    for (size_t i = 0; i < system->pd_count; i++) {
        fill_pd(layout, system->pds[i], threads);
    }
    for (size_t i = 0; i < system->pd_count; i++) {
        if (!system->pds[i]->vm) {
            continue;
        }
        fill_vcpus(layout, system->pds[i], space++, next, threads);
        next += system->pds[i]->vm->vcpu_count;
    }
    for (size_t i = 0; i < system->channel_count; i++) {
        fill_channel(&system->channels[i], threads);
    }
}

/* The header and its tables, as they lie from layout->window on. */
static void add_header(const struct layout *layout, struct image *image)
{
    uint8_t *window = memory_new(layout_header_size(layout));
    struct system_header *header = (struct system_header *)window;
    struct system_thread *threads = (struct system_thread *)(header + 1);
    struct system_range *zeros = (struct system_range *)(threads + layout->thread_count);
    struct system_turn *turns = (struct system_turn *)(zeros + layout->zero_count);
    const struct sdf_system *system = layout->system;

    *header = (struct system_header){
        .magic = SYSTEM_MAGIC,
        .version = SYSTEM_VERSION,
        .thread_count = (uint32_t)layout->thread_count,
        .zero_count = (uint32_t)layout->zero_count,
        .core_count = sdf_cores_used(system),
        .window_end = layout->window_end,
        .image_end = layout->image_end,
        .threads = layout->window + (uint64_t)((uint8_t *)threads - window),
        .zero = layout->window + (uint64_t)((uint8_t *)zeros - window),
        .turns = layout->window + (uint64_t)((uint8_t *)turns - window),
        .turn_count = (uint32_t)system->turn_count,
    };
    fill_threads(layout, threads);
    for (size_t i = 0; i < layout->zero_count; i++) {
        zeros[i] = (struct system_range){layout->zeros[i].base, layout->zeros[i].size};
    }
    for (size_t i = 0; i < system->turn_count; i++) {
        turns[i] = (struct system_turn){system->turns[i].duration, system->turns[i].in_ticks,
                                        system->turns[i].domain->id};
    }
    add_part(image, layout->window, window, layout_header_size(layout));
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *x = a, *y = b;

    return (x->address > y->address) - (x->address < y->address);
}

static void collect_parts(const struct layout *layout, struct image *image)
{
    for (size_t i = 0; i < layout->kernel->segment_count; i++) {
        const struct program_segment *segment = &layout->kernel->segments[i];
        add_part(image, segment->paddr, segment->bytes, segment->stored);
    }
    add_header(layout, image);
    add_part(image, layout->tables.base, layout->tables.entries,
             (uint64_t)layout->tables.table_count * STAGE2_TABLE_SIZE);
    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = layout->pieces[i];
        if (piece->kind == PIECE_IMAGE) {
            add_part(image, piece->address + piece->lead, piece->bytes, piece->byte_count);
        }
    }
    qsort(image->parts, image->count, sizeof(*image->parts), compare_parts);
}

static void write_zeros(FILE *stream, uint64_t size)
{
    static const char zeros[0x10000];

    while (size) {
        size_t chunk = size < sizeof(zeros) ? (size_t)size : sizeof(zeros);
        if (fwrite(zeros, 1, chunk, stream) != chunk) {
            return; /* file_commit reports it */
        }
        size -= chunk;
    }
}

#define ELF_DATA_OFFSET 0x1000u

static void write_elf_header(FILE *stream, uint64_t load_address, uint64_t size)
{
    const Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_AARCH64,
        .e_version = EV_CURRENT,
        .e_entry = load_address,
        .e_phoff = sizeof(header),
        .e_ehsize = sizeof(header),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1,
    };
    const Elf64_Phdr segment = {
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_W | PF_X,
        .p_offset = ELF_DATA_OFFSET,
        .p_vaddr = load_address,
        .p_paddr = load_address,
        .p_filesz = size,
        .p_memsz = size,
        .p_align = ELF_DATA_OFFSET,
    };

    fwrite(&header, sizeof(header), 1, stream);
    fwrite(&segment, sizeof(segment), 1, stream);
    write_zeros(stream, ELF_DATA_OFFSET - sizeof(header) - sizeof(segment));
}

void image_write(const struct layout *layout, enum image_type type, struct output *output)
{
    struct image image = {.parts = NULL};
    uint64_t load_address = layout->board->load_address;
    uint64_t at = load_address;

    collect_parts(layout, &image);
    FILE *stream = file_open(output);
    if (type == IMAGE_ELF) {
        write_elf_header(stream, load_address, layout->image_end - load_address);
    }
    for (size_t i = 0; i < image.count; i++) {
        const struct part *part = &image.parts[i];
        write_zeros(stream, part->address - at);
        fwrite(part->bytes, 1, part->size, stream);
        at = part->address + part->size;
    }
    write_zeros(stream, layout->image_end - at);
    file_commit(output);
}
