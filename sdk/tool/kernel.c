/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include <inttypes.h>
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
            segment->vaddr + segment->size > SYSTEM_LOAD_ADDRESS + KERNEL_SIZE_MAX) {
            diag_fatal("'%s' is no kernel for this tool: segment at 0x%" PRIx64
                       " (physical 0x%" PRIx64 ")",
                       path, segment->vaddr, segment->paddr);
        }
    }
    if (first->vaddr != SYSTEM_LOAD_ADDRESS || kernel->entry != SYSTEM_LOAD_ADDRESS) {
        diag_fatal("'%s' is no kernel for this tool: it begins at 0x%" PRIx64
                   " and is entered at 0x%" PRIx64 ", both must be 0x%" PRIx64,
                   path, first->vaddr, kernel->entry, (uint64_t)SYSTEM_LOAD_ADDRESS);
    }
    if (!program_symbol(kernel, "system_header_pa", &symbol) || symbol.size != sizeof(uint64_t)) {
        diag_fatal("'%s' is no kernel for this tool: it has no 8-byte variable system_header_pa",
                   path);
    }
    return kernel;
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
