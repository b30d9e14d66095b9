/* SPDX-License-Identifier: BSD-2-Clause */

/* A GICv2, its distributor and interfaces (Arm IHI 0048B). */

#include "gic.h"

#if BOARD_GIC_VERSION == 2

#include "uart.h"

void gic_init(void)
{
    uint32_t count = gic_intid_count();

    device_write32(BOARD_GICD, GICD_CTLR, 0);
    gic_reset(BOARD_GICD, GIC_SPI_BASE, count);
    for (uint32_t intid = GIC_SPI_BASE; intid < count; intid += 4) {
        device_write32(BOARD_GICD, GICD_ITARGETSR + intid, 0x01010101u); /* to core 0 */
    }
    device_write32(BOARD_GICD, GICD_CTLR, GICD_CTLR_GROUP0);
}

void gic_init_cpu(uint32_t core)
{
    gic_reset(BOARD_GICD, 0, GIC_SPI_BASE);
    /* Its bit in ITARGETSR, which a GIC for a single core reads as 0. */
    if ((device_read32(BOARD_GICD, GICD_ITARGETSR) & 0xff & ~(1u << core)) != 0) {
        panic("core %u is not the GIC's CPU interface %u", (uint64_t)core, (uint64_t)core);
    }

    device_write32(BOARD_GICC, GICC_PMR, 0xf0);
    device_write32(BOARD_GICC, GICC_BPR, 0);
    device_write32(BOARD_GICC, GICC_CTLR, GICC_CTLR_ENABLE | GICC_CTLR_EOI_MODE);

    gic_init_virtual();
}

void gic_set_target(uint32_t intid, uint32_t core)
{
    if (intid >= GIC_SPI_BASE) {
        uint32_t shift = intid % 4 * 8;
        uint32_t targets = device_read32(BOARD_GICD, GICD_ITARGETSR + (intid & ~3u));

        targets = (targets & ~(0xffu << shift)) | 1u << (shift + core);
        device_write32(BOARD_GICD, GICD_ITARGETSR + (intid & ~3u), targets);
    }
}

#endif
