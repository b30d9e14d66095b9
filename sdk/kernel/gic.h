/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The GICv2 (Arm IHI 0048B). With GICC_CTLR.EOImode set an interrupt ends in two steps. The kernel
 * drops its priority at once (GICC_EOIR). Its handler deactivates it (GICC_DIR): until then it
 * cannot come again.
 */

#include <stdbool.h>
#include <stdint.h>
#include "arch.h"
#include "board.h"
#include "lib/gicv2.h"

#define GICH_LIST_REGISTERS 4u /* GIC-400 has four */

/* The virtual interface control registers (table 5-1). */
#define GICH_HCR   0x000u
#define GICH_VTR   0x004u
#define GICH_VMCR  0x008u
#define GICH_MISR  0x010u
#define GICH_EISR0 0x020u
#define GICH_APR   0x0f0u
#define GICH_LR(n) (0x100u + 4u * (n))

#define GICH_HCR_EN   (1u << 0)
#define GICH_MISR_EOI (1u << 0)

/* GICH_LR (5.3.10) */
#define GICH_LR_INTID       0x3ffu
#define GICH_LR_PENDING     (1u << 28)
#define GICH_LR_ACTIVE      (2u << 28)
#define GICH_LR_STATE       (3u << 28)
#define GICH_LR_GROUP1      (1u << 30)
#define GICH_LR_EOI         (1u << 19) /* its end raises the maintenance interrupt */
#define GICH_LR_PRIORITY(p) ((uint32_t)(p) << 23)

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
uint32_t gic_intid_count(void);

/* Make an interrupt active although it is not pending: it cannot come until it is deactivated. */
void gic_set_active(uint32_t intid);

/* Acknowledge the highest priority pending interrupt and drop its priority. It is active then.
 * Returns GICC_IAR: its INTID, or GIC_MAX_INTID or more if there is none, and an SGI's sender. */
static inline uint32_t gic_acknowledge(void)
{
    uint32_t iar = mmio_read32(BOARD_GICC + GICC_IAR);

    if (GICC_IAR_INTID(iar) < GIC_MAX_INTID) {
        mmio_write32(BOARD_GICC + GICC_EOIR, iar);
    }
    return iar;
}

/* Deactivate an interrupt, so that it can come again. Harmless if it is not active. An SGI's sender
 * is part of its number here, as in GICC_IAR. */
static inline void gic_deactivate(uint32_t intid)
{
    mmio_write32(BOARD_GICC + GICC_DIR, intid);
}

/* Raise an SGI on another core. */
static inline void gic_send_sgi(uint32_t intid, uint32_t core)
{
    mmio_write32(BOARD_GICD + GICD_SGIR, 1u << (16 + core) | intid);
}

static inline uint32_t gich_read(uint32_t offset)
{
    return mmio_read32(BOARD_GICH + offset);
}

static inline void gich_write(uint32_t offset, uint32_t value)
{
    mmio_write32(BOARD_GICH + offset, value);
}
