/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Memory that a fake device reaches past the caches. The processor's view is the test's own buffer.
 * The device's is another, and lines pass between them only by lib/dma.h: cleaning copies to the
 * device's view. Invalidating copies lines that the processor has written to the device's view, as
 * the hardware does, and then the device's view to the processor's.
 */

#include <stddef.h>
#include <stdint.h>

/*
 * From now on the `size` bytes at `start`, which the device knows as `paddr`, are seen by it as
 * they are now. Both are aligned to 64 bytes. Up to FAKE_DMA_REGIONS_MAX; lib/dma.h does nothing
 * for other memory.
 */
#define FAKE_DMA_REGIONS_MAX 8u
void fake_dma_add(void *start, uint64_t paddr, size_t size);

/* Forget all regions. */
void fake_dma_reset(void);

/* The device's view of `size` bytes at `paddr`, or NULL if they are not all in one region. */
void *fake_dma_at(uint64_t paddr, size_t size);
