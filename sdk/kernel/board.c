/* SPDX-License-Identifier: BSD-2-Clause */

/* What the `microkit` tool is told of the board. */

#include "board.h"

#include "system.h"

/* `used`: nothing in the kernel reads it. The tool finds it by its symbol. */
__attribute__((used)) const struct system_board system_board = {
    .memory_base = BOARD_MEMORY_BASE,
    .memory_size = BOARD_MEMORY_SIZE,
    .interrupts = BOARD_GIC_INTIDS,
    .in_qemu = BOARD_IN_QEMU,
    .kept_interrupts = {INTID_GIC_MAINTENANCE, INTID_HYP_TIMER, INTID_VIRTUAL_TIMER},
    .devices =
        {
            {"the interrupt distributor (GICD)", BOARD_GICD, 0x10000},
#if BOARD_GIC_VERSION == 2
            {"the CPU interface of the interrupt controller (GICC)", BOARD_GICC, 0x2000},
            {"the hypervisor's view of the interrupt controller (GICH)", BOARD_GICH, 0x10000},
#else
            {"the redistributors of the interrupt controller (GICR)", BOARD_GICR,
             sizeof((uint64_t[]){BOARD_CORE_IDS}) / sizeof(uint64_t) * 0x20000},
#endif
        },
};
