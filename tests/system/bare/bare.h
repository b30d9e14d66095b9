/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the bare-metal guests have in common: their interrupts, a loop that waits for them, and what
 * they say.
 */

#include "tests/system/hostile/gic.h"
#include "tests/system/hostile/guest.h"

#define INTID_TIMER 27u

enum gic_registers {
    CTLR = 0x000,
    IGROUPR = 0x080,
    ISENABLER = 0x100,
    IPRIORITYR = 0x400,
    ITARGETSR = 0x800,
    WAKER = 0x14,
    SGI_FRAME = 0x10000,
};

#define ENABLE_GROUPS 3u
#define ARE           (1u << 4)

/* ---- Interrupts ---- */

/* Each is of the highest group that a guest has, of middling priority, and for this vCPU. */
static inline void enable(uint32_t intid)
{
    bool is_private = is_gicv3() && intid < 32;
    uintptr_t base = is_private ? GICR + SGI_FRAME : GICD;

    if (is_gicv3()) {
        write32(base + IGROUPR + intid / 32 * 4, ~0u);
    } else if (intid >= 32) {
        write8(GICD + ITARGETSR + intid, 1);
    }
    write8(base + IPRIORITYR + intid, 0xa0);
    write32(base + ISENABLER + intid / 32 * 4, 1u << (intid % 32));
}

/* Before the first one is enabled. */
static inline void open_distributor(void)
{
    if (is_gicv3()) {
        write32(GICR + WAKER, 0);
        while ((read32(GICR + WAKER) & 4) != 0) { /* ChildrenAsleep */
        }
        write32(GICD + CTLR, ARE);
    }
}

/* Behind the last one. */
static inline void let_interrupts_come(void)
{
    write32(GICD + CTLR, read32(GICD + CTLR) | ENABLE_GROUPS);
    open_interface();
}

/* Interrupts that come behind the look at what is to do end the WFI. */
static inline void sleep_unless(bool (*is_to_do)(void))
{
    __asm__ volatile("msr daifset, #2" ::: "memory");
    if (!is_to_do()) {
        __asm__ volatile("dsb sy; wfi" ::: "memory");
    }
    __asm__ volatile("msr daifclr, #2; isb" ::: "memory");
}

/* ---- What they say ---- */

static inline void say(const char *before, uint64_t value, const char *behind)
{
    print(before);
    print_number((unsigned)value);
    print(behind);
}

static inline unsigned nanoseconds(uint64_t ticks)
{
    return (unsigned)(ticks * 1000000 / milliseconds(1));
}
