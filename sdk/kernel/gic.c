/* SPDX-License-Identifier: BSD-2-Clause */

/* What the versions of the interrupt controller have in common. */

#include "gic.h"

#include "smp.h"
#include "uart.h"

#define DEFAULT_PRIORITY 0x80808080u /* of four interrupts */

void gic_reset(uint64_t registers, uint32_t first, uint32_t end)
{
    for (uint32_t intid = first; intid < end; intid += 32) {
        device_write32(registers, bit_word(GICD_ICENABLER, intid), ~0u);
        device_write32(registers, bit_word(GICD_ICPENDR, intid), ~0u);
        device_write32(registers, bit_word(GICD_ICACTIVER, intid), ~0u);
    }
    for (uint32_t intid = first; intid < end; intid += 4) {
        device_write32(registers, GICD_IPRIORITYR + intid, DEFAULT_PRIORITY);
    }
}

void gic_enable(uint32_t intid, bool edge)
{
    if (intid >= GIC_SPI_BASE) {
        uint32_t config = device_read32(BOARD_GICD, GICD_ICFGR + intid / 16 * 4);
        uint32_t bit = 2u << intid % 16 * 2;

        device_write32(BOARD_GICD, GICD_ICFGR + intid / 16 * 4,
                       edge ? config | bit : config & ~bit);
    }
    device_write32(gic_registers_of(intid), bit_word(GICD_ISENABLER, intid), 1u << intid % 32);
}

void gic_set_active(uint32_t intid)
{
    device_write32(gic_registers_of(intid), bit_word(GICD_ISACTIVER, intid), 1u << intid % 32);
}

void gic_init_virtual(void)
{
    uint32_t list_registers = (gich_read(GICH_VTR) & GICH_VTR_LAST) + 1;

    if (list_registers < GICH_LIST_REGISTERS) {
        panic("the GIC has only %u list registers", (uint64_t)list_registers);
    }
    gich_enable(false);
    for (uint32_t i = 0; i < GICH_LIST_REGISTERS; i++) {
        gich_write_lr(i, 0);
    }
    gic_enable(INTID_GIC_MAINTENANCE, false);
    gic_enable(INTID_HYP_TIMER, false);
    gic_enable(INTID_VIRTUAL_TIMER, false);
    if (IS_SMP) {
        gic_enable(SMP_SGI, false);
    }
}
