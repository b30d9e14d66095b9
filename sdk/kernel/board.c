/* SPDX-License-Identifier: BSD-2-Clause */

/* What the `microkit` tool is told of the board. */

#include "board.h"

#include "system.h"

/*
 * A GIC-400 has its parts 4 or 8 KiB apart (its manual, table 3-1), unless the board spreads them
 * so that each has 64 KiB. Then a page is in those several times.
 */
#if BOARD_GIC_VERSION == 2
#define IS_SPREAD (BOARD_GICC - BOARD_GICD >= 0x10000)
#define GICD_SIZE (IS_SPREAD ? 0x10000 : 0x1000)
#define GICH_SIZE (IS_SPREAD ? 0x10000 : 0x2000)
#else
#define GICD_SIZE 0x10000
#endif

/* `used`: nothing in the kernel reads it. The tool finds it by its symbol. */
__attribute__((used)) const struct system_board system_board = {
    .memory_base = BOARD_MEMORY_BASE,
    .memory_size = BOARD_MEMORY_SIZE,
    .interrupts = BOARD_GIC_INTIDS,
    .in_qemu = BOARD_IN_QEMU,
    .kept_interrupts = {INTID_GIC_MAINTENANCE, INTID_HYP_TIMER, INTID_VIRTUAL_TIMER},
    .devices =
        {
            {"the interrupt distributor (GICD)", BOARD_GICD, GICD_SIZE},
#if BOARD_GIC_VERSION == 2
            {"the CPU interface of the interrupt controller (GICC)", BOARD_GICC, 0x2000},
            {"the hypervisor's view of the interrupt controller (GICH)", BOARD_GICH, GICH_SIZE},
#else
            {"the redistributors of the interrupt controller (GICR)", BOARD_GICR,
             sizeof((uint64_t[]){BOARD_CORE_IDS}) / sizeof(uint64_t) * 0x20000},
#endif
        },
};
