/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The virtual GICv2 distributor (Arm IHI 0048B, chapter 4.3). The CPU interface is the hardware's;
 * this decides what goes into the list registers.
 */

#include <stdbool.h>
#include <stdint.h>
#include "mmio.h"

#define VGIC_SPI_BASE 32u
#define VGIC_MAX_INTID 128u
#define VGIC_LIST_REGISTERS 4u /* GIC-400 has four */

/* Back to the state after power-on. */
void vgic_reset(void);

/* The level of a device's interrupt line; `intid` is an SPI. Cheap if it does not change. */
void vgic_set_level(uint32_t intid, bool asserted);

/* A PPI of one vCPU has become pending (edge): the virtual timer's, INTID 27. */
void vgic_raise_ppi(uint8_t vcpu, uint32_t intid);

/* The guest has ended the interrupt in that list register (a maintenance fault). */
void vgic_maintenance(uint8_t vcpu, uint32_t list_register);

/* Whether an enabled interrupt waits for this vCPU: then a WFI does not sleep. */
bool vgic_pending(uint8_t vcpu);

/* The distributor's registers; an mmio_handler. */
bool vgic_access(void *unused, struct mmio_access *access);
