/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include <inttypes.h>
#include <string.h>
#include "sdk/kernel/system.h"

#define KERNEL_SIZE_MAX UINT64_C(0x1000000) /* 16 MiB */

struct program *kernel_read(const char *path)
{
    struct program *kernel = program_read(path, NULL, NULL);
    struct program_symbol symbol;
    const struct program_segment *first = &kernel->segments[0];

    for (size_t i = 0; i < kernel->segment_count; i++) {
        const struct program_segment *segment = &kernel->segments[i];
        if (segment->paddr != segment->vaddr ||
            segment->vaddr + segment->size > first->vaddr + KERNEL_SIZE_MAX) {
            diag_fatal("'%s' is no kernel for this tool: segment at 0x%" PRIx64
                       " (physical 0x%" PRIx64 ")",
                       path, segment->vaddr, segment->paddr);
        }
    }
    if (first->vaddr != kernel->entry) {
        diag_fatal("'%s' is no kernel for this tool: it begins at 0x%" PRIx64
                   " and is entered at 0x%" PRIx64 ", which must be the same",
                   path, first->vaddr, kernel->entry);
    }
    if (!program_symbol(kernel, "system_header_pa", &symbol) || symbol.size != sizeof(uint64_t)) {
        diag_fatal("'%s' is no kernel for this tool: it has no 8-byte variable system_header_pa",
                   path);
    }
    return kernel;
}

/* The bytes at an address of the kernel's, or NULL if not all of them are in one segment. */
static const void *kernel_bytes(const struct program *kernel, uint64_t address, uint64_t size)
{
    for (size_t i = 0; i < kernel->segment_count; i++) {
        const struct program_segment *segment = &kernel->segments[i];
        if (address >= segment->vaddr && address - segment->vaddr <= segment->size &&
            size <= segment->size - (address - segment->vaddr)) {
            return segment->bytes + (address - segment->vaddr);
        }
    }
    return NULL;
}

const struct board *kernel_board(const struct program *kernel)
{
    struct system_board description;
    struct program_symbol symbol;
    const void *bytes = NULL;

    if (program_symbol(kernel, "system_board", &symbol) && symbol.size == sizeof(description)) {
        bytes = kernel_bytes(kernel, symbol.value, symbol.size);
    }
    if (bytes == NULL) {
        diag_fatal("'%s' is no kernel for this tool: it has no description of its board, the "
                   "constant system_board of %zu bytes",
                   kernel->path, sizeof(description));
    }
    memcpy(&description, bytes, sizeof(description));
    uint64_t base = description.memory_base, size = description.memory_size;
    if ((base | size) % 4096 != 0 || size == 0 || base + size < base || kernel->entry < base ||
        kernel->entry >= base + size) {
        diag_fatal("'%s' is no kernel for this tool: it is entered at 0x%" PRIx64
                   ", outside of its board's memory, 0x%" PRIx64 " bytes at 0x%" PRIx64,
                   kernel->path, kernel->entry, size, base);
    }
    return board_of(&description, kernel->entry);
}

void kernel_set_header(struct program *kernel, uint64_t address)
{
    struct program_symbol symbol;

    if (!program_symbol(kernel, "system_header_pa", &symbol) ||
        !program_write(kernel, symbol.value, &address, sizeof(address))) {
        diag_fatal("'%s' is no kernel for this tool: system_header_pa lies in no segment",
                   kernel->path);
    }
    program_measure(kernel);
}
