/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The virtual GIC: a GICv2 (Arm IHI 0048B) without the Security Extensions, or a GICv3 (Arm IHI
 * 0069) with one security state, affinity routing and no LPIs. Distributor and redistributors are
 * emulated. The CPU interface is the hardware's, and this decides what goes into list registers.
 *
 * The kernel reports the end of an interrupt (EOI), but not its acknowledgement. A list register
 * can be overwritten with an interrupt of higher priority, but it cannot be cleared. So an
 * interrupt in a list register reads as active. It stays there until the guest ends it or another
 * one replaces it, and no other vCPU is given it meanwhile.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "lib/gicv2.h"
#include "mmio.h"

#define VGIC_MAX_INTID      128u
#define VGIC_LIST_REGISTERS 4u    /* GIC-400 has four */
#define VGIC_V2_SIZE        4096u /* of the distributor */
/* The guest-physical offset of a GICv2's CPU interface from its distributor. */
#define VGIC_V2_CPU_INTERFACE 0x10000u
#define VGIC_NONE             GIC_INTID_SPURIOUS /* no interrupt */

#define VGIC_VIRTUAL_TIMER 27u /* PPI */

/* How many vCPUs a GIC of this version has at most; 0 if there is no such version. */
uint32_t vgic_max_vcpus(uint32_t version);

/* For 1 .. vgic_max_vcpus(version) vCPUs; then as after vgic_reset. Called once. */
void vgic_init(uint32_t version, uint32_t vcpu_count);

/*
 * The state after power-on. List registers keep their contents, because only the guest can empty
 * them: see vgic_lr_intids. Lines keep their levels.
 */
void vgic_reset(void);

/* Set the level of a device's interrupt line. `intid` is an SPI. Cheap if it does not change. */
void vgic_set_level(uint32_t intid, bool asserted);

/*
 * An edge on an interrupt line, however the guest has configured that: it is pending until it is
 * taken or the guest clears it. `intid` is an SPI.
 */
void vgic_pulse(uint32_t intid);

/* Whether that SPI is pending, or in a list register: the guest has not ended it. */
bool vgic_is_waiting(uint32_t intid);

/*
 * Forward an interrupt of a device that is handed to the machine, for good; called after
 * vgic_init. Returns false, and does nothing, if that is no SPI or one too many, or if its INTID or
 * its channel is forwarded already.
 */
bool vgic_forward(const struct vmm_forward_config *config);

/* The kernel has notified on that channel. Returns false if no interrupt is forwarded from it. */
bool vgic_forward_notified(microkit_channel channel);

/* The kernel reports that this vCPU's virtual timer interrupts, and has masked that. */
void vgic_raise_timer(uint8_t vcpu);

/*
 * An event of this vCPU's virtual timer may have been withdrawn with the vCPU's stop. Find out
 * whether the timer asserts its interrupt, and have the kernel report the next one.
 */
void vgic_find_timer(uint8_t vcpu);

/* The guest has ended the interrupt in that list register: a VGICMaintenance fault. */
void vgic_maintenance(uint8_t vcpu, uint32_t list_register);

/* Whether a list register of this vCPU holds an interrupt that is pending or active. */
bool vgic_pending(uint8_t vcpu);

/*
 * Whether one may hold an interrupt that this vCPU, which has exited, had not seen when it exited.
 * Those that it had seen do not wake it from a WFI: a WFI that an interrupt wakes does not trap. So
 * they are active, or the CPU interface masks them.
 */
bool vgic_unseen(uint8_t vcpu);

/*
 * Whether the distributor would forward the virtual timer's interrupt to this vCPU when the timer
 * expires. It would not while the interrupt before that one is pending or active.
 */
bool vgic_timer_enabled(uint8_t vcpu);

/* The vCPU has been powered on: it gets the interrupts that are pending for it. */
void vgic_vcpu_on(uint8_t vcpu);

/*
 * The vCPU has been powered off: the SPIs in its list registers go to the others. A GICv3's
 * redistributor is as after power-on then.
 */
void vgic_vcpu_off(uint8_t vcpu);

/*
 * The INTIDs in this vCPU's list registers, highest priority first, VGIC_NONE where there is none.
 */
void vgic_lr_intids(uint8_t vcpu, uint16_t intids[VGIC_LIST_REGISTERS]);

/* The list registers of this vCPU, which is not on, have been emptied (reset_program.h). */
void vgic_lr_cleared(uint8_t vcpu);

/*
 * The registers of a distributor, and those of all redistributors, vCPU 0's first: handlers for
 * mmio_attach. Sizes are VGIC_V2_SIZE, GICD_SIZE, and GICR_SIZE for each vCPU (lib/gicv3.h).
 */
bool vgic_v2_access(void *unused, struct mmio_access *access);
bool vgic_v3_access(void *unused, struct mmio_access *access);
bool vgic_redistributor_access(void *unused, struct mmio_access *access);

/*
 * An MSR or MRS of this vCPU has trapped; `iss` is its syndrome (lib/esr.h). Returns false if that
 * is no register of the CPU interface's, or a read of one that cannot be read. Otherwise it is
 * done, and `value` is what a read gives.
 */
bool vgic_system_register(uint8_t vcpu, uint32_t iss, uint64_t *value);
