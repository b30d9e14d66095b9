/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* QEMU's `virt` machine with GICv2: where the kernel's devices are. Nothing else knows. */

#define BOARD_GICD 0x08000000ul /* distributor */
#define BOARD_GICC 0x08010000ul /* CPU interface */
#define BOARD_GICH 0x08030000ul /* virtual interface control */
#define BOARD_UART 0x09000000ul /* PL011, for the kernel's messages */

/* A core's MPIDR_EL1 affinity, by its number, which is also that of its GIC CPU interface. */
#define BOARD_CORE_MPIDR(core) ((uint64_t)(core))

/* The board's interrupts that are the kernel's own (Arm BSA, PPI assignments). */
#define INTID_GIC_MAINTENANCE 25u
#define INTID_HYP_TIMER       26u
#define INTID_VIRTUAL_TIMER   27u
#define INTID_PHYSICAL_TIMER  30u /* CNTP; a PD's, if one has it */
