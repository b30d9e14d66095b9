/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The kernel's own address space (EL2 stage 1): its program, the kernel window and its devices,
 * each at its physical address. Stage 2 is the boot image's.
 */

#include "system.h"

/* Map the program and the page at `system_pa`, which holds the boot image's header; MMU on. */
void mmu_init(uint64_t system_pa);

/* Map the whole kernel window, of which only the IPC buffers can be written. */
void mmu_map_window(const struct system_header *system);

/* Zero memory that is not the kernel's. Leaves no mapping of it. */
void mmu_zero(uint64_t base, uint64_t size);
