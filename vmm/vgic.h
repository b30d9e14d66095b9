/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The virtual GICv2 (Arm IHI 0048B), without the Security Extensions. The distributor (4.3) is
 * emulated. The CPU interface is the hardware's, and this decides what goes into list registers.
 *
 * The kernel reports the end of an interrupt (EOI), but not its acknowledgement. A list register
 * can be overwritten with an interrupt of higher priority, but it cannot be cleared. So an
 * interrupt in a list register reads as active. It stays there until the guest ends it or another
 * one replaces it, and no other vCPU is given it meanwhile.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/gicv2.h"
#include "mmio.h"

#define VGIC_MAX_INTID      128u
#define VGIC_LIST_REGISTERS 4u /* GIC-400 has four */
#define VGIC_V2_MAX_VCPUS   8u
#define VGIC_V2_SIZE        4096u /* of the distributor */
/* The guest-physical offset of its CPU interface from its distributor. */
#define VGIC_CPU_INTERFACE 0x10000u
#define VGIC_NONE          GIC_INTID_SPURIOUS /* no interrupt */

#define VGIC_VIRTUAL_TIMER 27u /* PPI */

/* For `vcpu_count` vCPUs; then as after vgic_reset. Called once. */
void vgic_init(uint32_t vcpu_count);

/*
 * The state after power-on. List registers keep their contents, because only the guest can empty
 * them: see vgic_lr_intids. Lines keep their levels.
 */
void vgic_reset(void);

/* Set the level of a device's interrupt line. `intid` is an SPI. Cheap if it does not change. */
void vgic_set_level(uint32_t intid, bool asserted);

/* A PPI of one vCPU has become pending (an edge): the virtual timer's, INTID 27. */
void vgic_raise_ppi(uint8_t vcpu, uint32_t intid);

/* The guest has ended the interrupt in that list register: a VGICMaintenance fault. */
void vgic_maintenance(uint8_t vcpu, uint32_t list_register);

/* Whether a list register of this vCPU holds an interrupt: then a WFI does not sleep. */
bool vgic_pending(uint8_t vcpu);

/* Whether the distributor would forward the virtual timer's interrupt to this vCPU. */
bool vgic_timer_enabled(uint8_t vcpu);

/* The vCPU has been powered on: it gets the interrupts that are pending for it. */
void vgic_vcpu_on(uint8_t vcpu);

/* The vCPU has been powered off: the SPIs in its list registers go to the others. */
void vgic_vcpu_off(uint8_t vcpu);

/*
 * The INTIDs in this vCPU's list registers, highest priority first, VGIC_NONE where there is none.
 */
void vgic_lr_intids(uint8_t vcpu, uint16_t intids[VGIC_LIST_REGISTERS]);

/* The list registers of this vCPU, which is not on, have been emptied (reset_program.h). */
void vgic_lr_cleared(uint8_t vcpu);

/* The distributor's registers; an mmio_handler. */
bool vgic_v2_access(void *unused, struct mmio_access *access);
