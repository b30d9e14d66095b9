/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "sdk/kernel/system.h"
#include "tools/memory.h"

static void put_range(FILE *stream, uint64_t base, uint64_t size, const char *text)
{
    fprintf(stream, "  0x%010" PRIx64 "..0x%010" PRIx64 "  %11s  %s\n", base, base + size,
            diag_size(size), text);
}

static int compare_addresses(const void *a, const void *b)
{
    const struct piece *x = *(const struct piece *const *)a, *y = *(const struct piece *const *)b;

    return (x->address > y->address) - (x->address < y->address);
}

static void write_memory(const struct layout *layout, FILE *stream)
{
    static const char *const kinds[] = {"in the image", "zeroed at boot", "device"};
    struct piece **sorted = memory_new(layout->piece_count * sizeof(*sorted));

    fprintf(stream, "\n# Physical memory\n\n");
    if (layout->piece_count) {
        memcpy(sorted, layout->pieces, layout->piece_count * sizeof(*sorted));
        qsort(sorted, layout->piece_count, sizeof(*sorted), compare_addresses);
    }
    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = sorted[i];
        put_range(stream, piece->address, piece->size,
                  memory_format("%s (%s%s)", piece->what, kinds[piece->kind],
                                piece->fixed ? ", fixed" : ""));
    }
}

static void write_image(const struct layout *layout, FILE *stream)
{
    const uint64_t load = layout->board->load_address;
    uint64_t tables = (uint64_t)layout->tables.table_count * STAGE2_TABLE_SIZE;
    uint64_t tables_end = layout->tables.base + tables;

    fprintf(stream, "\n# Boot image\n\n");
    put_range(stream, load, layout->window - load, "kernel");
    put_range(
        stream, layout->window, layout->window_end - layout->window,
        memory_format("kernel window: header, %zu threads, %zu ranges to zero, %zu IPC buffers",
                      layout->thread_count, layout->zero_count, layout->system->pd_count));
    put_range(stream, layout->tables.base, tables,
              memory_format("stage-2 tables of %zu address spaces", layout->space_count));
    put_range(stream, tables_end, layout->image_end - tables_end, "programs and prefilled regions");
    fprintf(stream, "\n  image size: %s, loaded and entered at 0x%" PRIx64 "\n",
            diag_size(layout->image_end - load), load);
}

static void write_mappings(const struct space *space, FILE *stream)
{
    for (size_t i = 0; i < space->mapping_count; i++) {
        const struct mapping *mapping = &space->mappings[i];
        const char *perms = memory_format("%c%c%c", mapping->flags & STAGE2_READ ? 'r' : '-',
                                          mapping->flags & STAGE2_WRITE ? 'w' : '-',
                                          mapping->flags & STAGE2_EXECUTE ? 'x' : '-');
        put_range(stream, mapping->vaddr, mapping->piece->size,
                  memory_format("%s %s -> 0x%010" PRIx64 "  %s", perms,
                                mapping->flags & STAGE2_DEVICE ? "uncached" : "cached  ",
                                mapping->piece->address, mapping->piece->what));
    }
}

static void write_channels(const struct layout *layout, const struct sdf_pd *pd, FILE *stream)
{
    for (size_t i = 0; i < layout->system->channel_count; i++) {
        for (unsigned j = 0; j < 2; j++) {
            const struct sdf_end *end = &layout->system->channels[i].ends[j];
            const struct sdf_end *peer = &layout->system->channels[i].ends[1 - j];
            if (end->pd == pd) {
                fprintf(stream, "  channel %2u: to '%s' (its channel %u)%s%s\n", end->id,
                        peer->pd->name, peer->id, end->notify ? ", may notify" : "",
                        end->pp ? ", may call" : "");
            }
        }
    }
    for (size_t i = 0; i < pd->irq_count; i++) {
        fprintf(stream, "  channel %2u: interrupt %u, %s\n", pd->irqs[i].id, pd->irqs[i].irq,
                pd->irqs[i].edge ? "edge" : "level");
    }
}

static void write_caps(const struct sdf_pd *pd, FILE *stream)
{
    static const char *const kinds[] = {[SDF_CAP_TCB] = "thread",
                                        [SDF_CAP_SC] = "scheduling context",
                                        [SDF_CAP_VSPACE] = "address space"};

    for (size_t i = 0; i < pd->cap_count; i++) {
        const struct sdf_cap *cap = &pd->caps[i];
        fprintf(stream, "  slot %2u: the %s of '%s'\n", cap->slot, kinds[cap->kind], cap->pd->name);
    }
}

static void write_schedule(const struct sdf_schedule *schedule, FILE *stream)
{
    fprintf(stream, "  priority %u, budget %" PRIu64 " us of every %" PRIu64 " us\n",
            schedule->priority, schedule->budget, schedule->period);
}

static void write_turns(const struct sdf_system *system, FILE *stream)
{
    if (system->turn_count) {
        fprintf(stream, "\n# Turns of domains\n\n");
    }
    for (size_t i = 0; i < system->turn_count; i++) {
        const struct sdf_turn *turn = &system->turns[i];
        fprintf(stream, "  %" PRIu64 " %s of domain %u '%s'\n", turn->duration,
                turn->in_ticks ? "ticks" : "us", turn->domain->id, turn->domain->name);
    }
}

static void write_pd(const struct layout *layout, const struct sdf_pd *pd, FILE *stream)
{
    const struct program *program = layout->programs[pd->index];

    fprintf(stream, "\n# Protection domain '%s'\n\n", pd->name);
    write_schedule(&pd->schedule, stream);
    if (layout->system->cores > 1) {
        fprintf(stream, "  core %u\n", pd->core);
    }
    if (pd->domain) {
        fprintf(stream, "  domain '%s'\n", pd->domain->name);
    }
    if (pd->passive || pd->smc || !pd->fpu) {
        fprintf(stream, "  %s%s%s\n", pd->passive ? "passive " : "",
                pd->smc ? "may make SMC calls " : "", pd->fpu ? "" : "no FPU");
    }
    if (pd->parent) {
        fprintf(stream, "  child %u of '%s'\n", pd->id, pd->parent->name);
    }
    fprintf(stream,
            "  program %s, entered at 0x%" PRIx64 ", stack top 0x%" PRIx64 ", IPC buffer 0x%" PRIx64
            "\n",
            program->path, program->entry, (uint64_t)SDF_STACK_TOP, layout->ipc_vaddrs[pd->index]);
    write_mappings(&layout->spaces[pd->index], stream);
    write_channels(layout, pd, stream);
    write_caps(pd, stream);
}

static void write_vm(const struct layout *layout, const struct sdf_pd *pd,
                     const struct space *space, FILE *stream)
{
    fprintf(stream, "\n# Virtual machine '%s' of '%s'\n\n", pd->vm->name, pd->name);
    write_schedule(&pd->vm->schedule, stream);
    for (size_t i = 0; i < pd->vm->vcpu_count; i++) {
        const struct sdf_vcpu *vcpu = &pd->vm->vcpus[i];
        fprintf(stream, "  vCPU %u", vcpu->id);
        fprintf(stream, layout->system->cores > 1 ? ", core %u\n" : "\n", vcpu->core);
    }
    write_mappings(space, stream);
}

void report_write(const struct layout *layout, const char *board, const char *config,
                  struct output *output)
{
    const struct sdf_system *system = layout->system;
    const struct space *space = &layout->spaces[system->pd_count];
    FILE *stream = file_open(output);
    uint64_t mib = (layout->ram_needed + 0xfffff) >> 20;
    unsigned cores = sdf_cores_used(system);

    fprintf(stream, "# %s on %s, %s\n\n", system->path, board, config);
    fprintf(stream, "  memory needed: %" PRIu64 " MiB of RAM from 0x%" PRIx64 " on", mib,
            layout->board->ram_base);
    fprintf(stream, layout->board->in_qemu ? " (QEMU: -m %" PRIu64 "M or more)\n" : "\n", mib);
    if (system->cores > 1) {
        fprintf(stream, "  cores needed: %u of %u", cores, system->cores);
        fprintf(stream, layout->board->in_qemu ? " (QEMU: -smp %u or more)\n" : "\n", cores);
    }
    write_image(layout, stream);
    write_memory(layout, stream);
    write_turns(system, stream);
    for (size_t i = 0; i < system->pd_count; i++) {
        write_pd(layout, system->pds[i], stream);
    }
    for (size_t i = 0; i < system->pd_count; i++) {
        if (system->pds[i]->vm) {
            write_vm(layout, system->pds[i], space++, stream);
        }
    }
    file_commit(output);
}
