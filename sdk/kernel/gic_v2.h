/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The inline part of gic.h for a GICv2 (Arm IHI 0048B). With GICC_CTLR.EOImode set, GICC_EOIR drops
 * the priority and GICC_DIR deactivates. */

/* The virtual interface control registers (table 5-1). */
#define GICH_HCR   0x000u
#define GICH_VTR   0x004u
#define GICH_VMCR  0x008u
#define GICH_EISR  0x020u /* GICH_EISR0 */
#define GICH_APR   0x0f0u
#define GICH_LR(n) (0x100u + 4u * (n))

#define GICH_HCR_EN   (1u << 0)
#define GICH_VTR_LAST 0x3fu

/* GICH_LR (5.3.10) */
typedef uint32_t gich_lr;
typedef uint32_t gich_apr;
#define GICH_LR_INTID       0x3ffu
#define GICH_LR_PENDING     (1u << 28)
#define GICH_LR_ACTIVE      (2u << 28)
#define GICH_LR_STATE       (3u << 28)
#define GICH_LR_GROUP1      (1u << 30)
#define GICH_LR_EOI         (1u << 19) /* its end raises the maintenance interrupt */
#define GICH_LR_PRIORITY(p) ((uint32_t)(p) << 23)

static inline uint32_t gic_acknowledge(void)
{
    uint32_t iar = device_read32(BOARD_GICC, GICC_IAR);

    if (GICC_IAR_INTID(iar) < GIC_MAX_INTID) {
        device_write32(BOARD_GICC, GICC_EOIR, iar);
    }
    return iar;
}

#define gic_intid(iar) GICC_IAR_INTID(iar)

/* An SGI's sender is part of its number here, as in GICC_IAR. */
static inline void gic_deactivate(uint32_t iar)
{
    device_write32(BOARD_GICC, GICC_DIR, iar);
}

static inline void gic_send_sgi(uint32_t intid, uint32_t core)
{
    device_write32(BOARD_GICD, GICD_SGIR, 1u << (16 + core) | intid);
}

/* The distributor has a bank of the private ones for each core. */
#define gic_registers_of(intid) BOARD_GICD

static inline uint32_t gich_read(uint32_t offset)
{
    return device_read32(BOARD_GICH, offset);
}

static inline void gich_write(uint32_t offset, uint32_t value)
{
    device_write32(BOARD_GICH, offset, value);
}

static inline gich_lr gich_read_lr(uint64_t index)
{
    return gich_read(GICH_LR(index));
}

static inline void gich_write_lr(uint64_t index, gich_lr lr)
{
    gich_write(GICH_LR(index), lr);
}

#define gich_read_apr()     gich_read(GICH_APR)
#define gich_write_apr(apr) gich_write(GICH_APR, apr)
