/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Memory shared with a device that reads and writes past the caches. A buffer belongs to the device
 * or to the processor, and changes hands by these calls:
 *
 *   dma_clean        before the device reads it: what was written to it is in memory.
 *   dma_invalidate   before the device writes to it: nothing in a cache may overwrite that later.
 *                    And once more when the device has written: what caches have fetched meanwhile
 *                    is forgotten.
 *
 * Both work on whole lines, CPU_CACHE_LINE bytes. A line must not hold two buffers that belong to
 * different sides. What both sides write at any time, such as rings of descriptors, is mapped
 * uncached instead. User level has no instruction that invalidates only, so that dma_invalidate
 * cleans, too: it may be called for what a hostile party wrote, but then it writes that to memory.
 *
 * On the host the unit tests' fake supplies them (tests/unit/fake/fake_dma.h): its device sees only
 * what has been cleaned.
 */

#include <stddef.h>
#include "lib/cpu.h"

#if defined(__aarch64__)

static inline void dma_clean(const void *start, size_t size)
{
    CPU_FOR_LINES("dc cvac", start, size);
    __asm__ volatile("dsb sy" ::: "memory");
}

static inline void dma_invalidate(void *start, size_t size)
{
    cpu_clean_and_invalidate_dcache(start, size);
}

#else

void dma_clean(const void *start, size_t size);
void dma_invalidate(void *start, size_t size);

#endif
