/* SPDX-License-Identifier: BSD-2-Clause */

#include "spin_table.h"

#ifdef BOARD_RELEASE_ADDRESSES

#include "arch.h"
#include "mmu.h"

/* In start.S. */
void parked(void);

static const uint64_t addresses[] = {BOARD_RELEASE_ADDRESSES};

void spin_table_release(uint32_t core, void (*entry)(void))
{
    mmu_write64(addresses[core], (uint64_t)entry);
    __asm__ volatile("sev");
}

void spin_table_park(uint32_t first)
{
    for (uint32_t core = first; core < sizeof(addresses) / sizeof(addresses[0]); core++) {
        spin_table_release(core, parked);
    }
}

#endif
