/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The board that the kernel is built for. board_gen.h is made of the board's file by `braid-gen
 * --kernel-header` and defines
 *
 *   BOARD_IN_QEMU                          1: messages may speak of QEMU
 *   BOARD_MEMORY_BASE, BOARD_MEMORY_SIZE   the RAM
 *   BOARD_LOAD_ADDRESS                     where the boot image is loaded and entered
 *   BOARD_CORE_IDS                         each core's MPIDR_EL1 affinity, which PSCI knows it by
 *   BOARD_RELEASE_ADDRESSES                where each core waits for its start, if not for PSCI
 *   BOARD_GIC_VERSION                      of the interrupt controller
 *   BOARD_GIC_INTIDS                       how many interrupts it has
 *   BOARD_GICD                             its distributor
 *   BOARD_GICC, BOARD_GICH                 version 2: CPU interface, virtual interface control
 *   BOARD_GICR                             version 3: the redistributors
 *   BOARD_UART, BOARD_UART_CHIP            for the kernel's messages; the chip is one of UART_*
 */

#define UART_PL011   1
#define UART_CADENCE 2

#ifndef BOARD_GIC_VERSION /* a linter defines all of it on its command line */
#include "board_gen.h"
#endif

/* The register from which a byte is sent, and the one that says whether it has room. */
#if BOARD_UART_CHIP == UART_PL011
#define UART_DATA   0x00
#define UART_STATUS 0x18 /* UARTFR */
#define UART_FULL   (1u << 5)
#elif BOARD_UART_CHIP == UART_CADENCE
#define UART_DATA        0x30
#define UART_STATUS      0x2c
#define UART_FULL        (1u << 4)
#define CADENCE_CR       0x00
#define CADENCE_CR_TXEN  (1u << 4)
#define CADENCE_CR_TXDIS (1u << 5)
#else
#error "the kernel does not know the board's UART"
#endif

/* The board's interrupts that are the kernel's own (Arm BSA, PPI assignments). */
#define INTID_GIC_MAINTENANCE 25u
#define INTID_HYP_TIMER       26u
#define INTID_VIRTUAL_TIMER   27u
#define INTID_PHYSICAL_TIMER  30u /* CNTP; a PD's, if one has it */
