/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The interrupt controller: what gic_v2.c or gic_v3.c does, and what gic_v2.h or gic_v3.h has
 * inline. An interrupt ends in two steps. The kernel drops its priority at once. Its handler
 * deactivates it: until then it cannot come again.
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
 *
 * and of the virtual interface that a guest has, with GICH_LIST_REGISTERS of type gich_lr, and
 * active priorities of type gich_apr:
 *
 *   gich_read_lr(index), gich_write_lr(index, lr), gich_read_vmcr(), gich_write_vmcr(value),
 *   gich_read_apr(), gich_write_apr(value)
 *   void gich_enable(bool)
 *   uint32_t gich_ended(void)               Which list registers' interrupts have been ended.
 *   gich_lr gich_pending(intid, priority, group)   A pending interrupt whose end raises the
 *                                           maintenance interrupt; the priority is 0 to 31.
 *   GICH_LR_INTID, GICH_LR_STATE, GICH_LR_ACTIVE   masks and a value of a list register
 */

#include <stdbool.h>
#include <stdint.h>
#include "arch.h"
#include "board.h"
#include "lib/gicv2.h"

#define GICH_LIST_REGISTERS 4u /* GIC-400 and the Cortex-A53 have four */

#if BOARD_GIC_VERSION == 2
#include "gic_v2.h"
#elif BOARD_GIC_VERSION == 3
#include "gic_v3.h"
#else
#error "the kernel does not know the board's interrupt controller"
#endif

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
