/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The kernel's own address space (EL2 stage 1): its program, the kernel window and its devices,
 * mapped one to one. The tables of stage 2 are in the boot image.
 */

/*
 * TCR_EL2: 39 bits of address from level 1, 40 bits of physical address, tables cached (Arm DDI
 * 0487, D17.2.123). MAIR_EL2: attribute 0 is write-back memory, 1 is device memory (nGnRE).
 * SCTLR_EL2: what is RES1, and M, C, SA, I, WXN (D17.2.119).
 */
#define TCR_EL2      0x80823519
#define MAIR_EL2     0x04ff
#define SCTLR_EL2_ON 0x30cd183d

#ifndef __ASSEMBLER__

#include "system.h"

/* Map the program and the page at `system_pa`, the boot image's header, and switch the MMU on. */
void mmu_init(uint64_t system_pa);

/* Map the whole kernel window: the IPC buffers read-write, the rest read-only. */
void mmu_map_window(const struct system_header *system);

/* Zero `size` bytes at `base`, both multiples of 4 KiB, outside of the kernel. It is not mapped
 * afterwards. */
void mmu_zero(uint64_t base, uint64_t size);

/*
 * Maintain the caches for the lines from `start` up to `end`, which are in one 4 KiB page of the
 * address space that `vttbr` names (VTTBR_EL2): clean, clean and invalidate, or have instructions
 * follow data (seL4_internal_vspace_operation; others clean). No effect where nothing is mapped.
 */
void mmu_maintain(uint64_t vttbr, uint64_t start, uint64_t end, uint64_t operation);

#endif
