/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The virtual GICv2 distributor (Arm IHI 0048B, chapter 4.3), without the Security Extensions. The
 * CPU interface is the hardware's; this decides what goes into the list registers.
 *
 * The kernel reports the end of an interrupt, but not that the guest has taken it, and a list
 * register can be used for something more urgent, but not be cleared. So an interrupt in a list
 * register reads as active, stays there until the guest ends it or it has to make room, and is not
 * offered to another vCPU meanwhile.
 */

#include <stdbool.h>
#include <stdint.h>
#include "mmio.h"

#define VGIC_SPI_BASE       32u
#define VGIC_MAX_INTID      128u
#define VGIC_LIST_REGISTERS 4u /* GIC-400 has four */
#define VGIC_SIZE           4096u
#define VGIC_CPU_INTERFACE                                                                         \
    0x10000u            /* where the guest has its CPU interface, from the distributor */
#define VGIC_NONE 1023u /* no interrupt (IHI 0048B, 2.2.1) */

#define VGIC_VIRTUAL_TIMER 27u /* PPI */

/* For `vcpu_count` vCPUs; then as after vgic_reset. Called once. */
void vgic_init(uint32_t vcpu_count);

/*
 * Back to the state after power-on. What a vCPU's list registers hold stays there, because nobody
 * but the guest can empty them: see vgic_occupants.
 */
void vgic_reset(void);

/* The level of a device's interrupt line; `intid` is an SPI. Cheap if it does not change. */
void vgic_set_level(uint32_t intid, bool asserted);

/* A PPI of one vCPU has become pending (edge): the virtual timer's, INTID 27. */
void vgic_raise_ppi(uint8_t vcpu, uint32_t intid);

/* The guest has ended the interrupt in that list register (a maintenance fault). */
void vgic_maintenance(uint8_t vcpu, uint32_t list_register);

/* Whether an enabled interrupt waits for this vCPU: then a WFI does not sleep. */
bool vgic_pending(uint8_t vcpu);

/* Whether the virtual timer of this vCPU would interrupt it if it fired. */
bool vgic_timer_enabled(uint8_t vcpu);

/* The vCPU has been powered on: it is offered what waits for it. */
void vgic_vcpu_on(uint8_t vcpu);

/* The vCPU has been powered off: the others are offered the SPIs that its list registers hold. */
void vgic_vcpu_off(uint8_t vcpu);

/*
 * The INTIDs in this vCPU's list registers, highest priority first, VGIC_NONE where there is none.
 */
void vgic_occupants(uint8_t vcpu, uint16_t intids[VGIC_LIST_REGISTERS]);

/* The list registers of this vCPU, which is not on, have been emptied behind the distributor's
 * back. */
void vgic_forget_occupants(uint8_t vcpu);

/* The distributor's registers; an mmio_handler. */
bool vgic_access(void *unused, struct mmio_access *access);
