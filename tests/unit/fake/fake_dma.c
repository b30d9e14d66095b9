/* SPDX-License-Identifier: BSD-2-Clause */

#include "fake_dma.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "lib/dma.h"

#define LINE 64u

struct region {
    uint8_t *cached; /* what the processor sees */
    uint8_t *known;  /* what caches and memory agreed on last: what differs is dirty */
    uint8_t *memory; /* what the device sees */
    uint64_t paddr;
    size_t size;
};

static struct region regions[FAKE_DMA_REGIONS_MAX];
static size_t region_count;

static uint8_t *copy_of(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size);

    assert(copy != NULL);
    return memcpy(copy, bytes, size);
}

void fake_dma_add(void *start, uint64_t paddr, size_t size)
{
    assert(region_count < FAKE_DMA_REGIONS_MAX);
    assert(((uintptr_t)start | paddr | size) % LINE == 0);
    regions[region_count++] = (struct region){.cached = start,
                                              .known = copy_of(start, size),
                                              .memory = copy_of(start, size),
                                              .paddr = paddr,
                                              .size = size};
}

void fake_dma_reset(void)
{
    for (size_t i = 0; i < region_count; i++) {
        free(regions[i].known);
        free(regions[i].memory);
    }
    region_count = 0;
}

void *fake_dma_at(uint64_t paddr, size_t size)
{
    for (size_t i = 0; i < region_count; i++) {
        uint64_t offset = paddr - regions[i].paddr;

        if (offset < regions[i].size && size <= regions[i].size - offset) {
            return regions[i].memory + offset;
        }
    }
    return NULL;
}

/* Write a dirty line to memory. Another's bytes in it go with it, as on the hardware. */
static void clean_line(const struct region *region, size_t offset)
{
    if (memcmp(region->cached + offset, region->known + offset, LINE) != 0) {
        memcpy(region->memory + offset, region->cached + offset, LINE);
        memcpy(region->known + offset, region->cached + offset, LINE);
    }
}

static void invalidate_line(const struct region *region, size_t offset)
{
    clean_line(region, offset);
    memcpy(region->cached + offset, region->memory + offset, LINE);
    memcpy(region->known + offset, region->memory + offset, LINE);
}

static void for_lines(const void *start, size_t size,
                      void (*operation)(const struct region *region, size_t offset))
{
    uintptr_t first = (uintptr_t)start & ~(uintptr_t)(LINE - 1);
    uintptr_t end = (uintptr_t)start + size;

    for (size_t i = 0; i < region_count; i++) {
        uintptr_t base = (uintptr_t)regions[i].cached;

        for (uintptr_t line = first; size > 0 && line < end; line += LINE) {
            if (line >= base && line < base + regions[i].size) {
                operation(&regions[i], line - base);
            }
        }
    }
}

void dma_clean(const void *start, size_t size)
{
    for_lines(start, size, clean_line);
}

void dma_invalidate(void *start, size_t size)
{
    for_lines(start, size, invalidate_line);
}
