/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The interrupt controller: what gic.c and gic_v2.c or gic_v3.c do, and what gic_v2.h or
 * gic_v3.h has inline. An interrupt ends in two steps. The kernel drops its priority at once. Its
 * handler deactivates it: until then it cannot come again.
 *
 * Inline are, of this core's interface:
 *
 *   uint32_t gic_acknowledge(void)          Acknowledge the highest priority pending interrupt and
 *                                           drop its priority. It is active then. The answer is for
 *                                           gic_intid and gic_deactivate.
 *   uint32_t gic_intid(uint32_t answer)     Its INTID, or GIC_MAX_INTID or more if there is none.
 *   void gic_deactivate(uint32_t answer)    Let an interrupt come again. An INTID will do, but for
 *                                           SGIs. Harmless if it is not active.
 *   void gic_send_sgi(uint32_t intid, uint32_t core)   Raise an SGI on another core.
 *   uint64_t gic_registers_of(uint32_t intid)   Where its bits are, by bit_word.
 *
 * and of the virtual interface that a guest has, with GICH_LIST_REGISTERS of type gich_lr, and
 * active priorities of type gich_apr:
 *
 *   gich_read_lr(index), gich_write_lr(index, lr), gich_read_apr(), gich_write_apr(value)
 *   gich_read(name), gich_write(name, value)   of GICH_HCR, GICH_VTR, GICH_VMCR, or GICH_EISR:
 *                                           which list registers' interrupts have been ended
 *   GICH_LR_INTID, GICH_LR_STATE, GICH_LR_ACTIVE   masks and a value of a list register
 */

#include <stdbool.h>
#include <stdint.h>
#include "arch.h"
#include "board.h"
#include "lib/device_registers.h"
#include "lib/gicv2.h"

#define GICH_LIST_REGISTERS 4u /* GIC-400 and the Cortex-A53 have four */

#if BOARD_GIC_VERSION == 2
#include "gic_v2.h"
#elif BOARD_GIC_VERSION == 3
#include "gic_v3.h"
#else
#error "the kernel does not know the board's interrupt controller"
#endif

static inline void gich_enable(bool on)
{
    gich_write(GICH_HCR, on ? GICH_HCR_EN : 0);
#if BOARD_GIC_VERSION == 3
    isb();
#endif
}

/* A pending interrupt whose end raises the maintenance interrupt; the priority is 0 to 31. */
static inline gich_lr gich_pending(uint32_t intid, uint32_t priority, uint32_t group)
{
    return GICH_LR_PENDING | GICH_LR_EOI | GICH_LR_PRIORITY(priority) |
           (group ? GICH_LR_GROUP1 : 0) | intid;
}

/* The word of a register with one bit per interrupt. */
static inline uint32_t bit_word(uint32_t base, uint32_t intid)
{
    return base + intid / 32 * 4;
}

/* The distributor: all interrupts off. On the boot core, before gic_init_cpu. */
void gic_init(void);

/* This core's part: private interrupts, CPU interface, virtual interface. The kernel's own
 * interrupts are on. */
void gic_init_cpu(uint32_t core);

/* Enable an interrupt for a PD, edge-triggered or level-sensitive. */
void gic_enable(uint32_t intid, bool edge);

/* Have an interrupt come to this core. Private ones do anyway. */
void gic_set_target(uint32_t intid, uint32_t core);

/* How many INTIDs the distributor has. */
static inline uint32_t gic_intid_count(void)
{
    uint32_t count = 32 * (GICD_TYPER_LINES(device_read32(BOARD_GICD, GICD_TYPER)) + 1);

    return count < GIC_MAX_INTID ? count : GIC_MAX_INTID;
}

/* Make an interrupt active although it is not pending: it cannot come until it is deactivated. */
void gic_set_active(uint32_t intid);

/* The rest of gic_init_cpu: the virtual interface, and the kernel's own interrupts. */
void gic_init_virtual(void);

/*
 * All interrupts from `first` up to `end`, which is none of them, off, neither pending nor active,
 * and of one priority. `registers` are those that gic_registers_of names.
 */
void gic_reset(uint64_t registers, uint32_t first, uint32_t end);
