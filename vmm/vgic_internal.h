/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Inside the virtual GIC: the state that its files share, and what they offer each other.
 *
 *   vgic.c                power-on state, and the inputs: lines of devices, virtual timers
 *   vgic_lr.c             which interrupt gets a list register, and which has to give it up
 *   vgic_registers.c      registers that all distributors have alike
 *   vgic_v2.c             a GICv2: the other registers of its distributor; SGIs
 *   vgic_v3.c             a GICv3: the other registers of its distributor; SGIs by system registers
 *   vgic_redistributor.c  its redistributors
 *   vgic_forward.c        interrupts of devices that are handed to the machine
 *
 * Whoever changes the state so that a vCPU may have something new to take calls vgic_lr_fill.
 */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>
#include "config.h"
#include "lib/gicv2.h"
#include "vgic.h"

#define VGIC_WORDS (VGIC_MAX_INTID / 32)

/* The state of 32 interrupts, a bit for each. */
struct vgic_bank {
    uint32_t group; /* 1: group 1 */
    uint32_t enabled;
    uint32_t pending_latch; /* pending, apart from a level-sensitive line */
    uint32_t line_level;    /* the level of the input */
    uint32_t active;        /* made active by a write to GICD_ISACTIVER */
    uint32_t in_lr;         /* in a list register */
    uint32_t edge;          /* 0: level-sensitive */
};

struct vgic_lr {
    uint16_t intid; /* VGIC_NONE: empty, or taken back */
    uint8_t priority;
    uint8_t sender;    /* of an SGI of a GICv2: a vCPU */
    bool latched;      /* pending for another reason than a level-sensitive line that is high */
    bool stale;        /* the distributor no longer counts it: its end changes nothing there */
    bool taken_back;   /* what was in it has been taken back, and the guest never sees the rest */
    bool has_replaced; /* something has been replaced or taken back, whose end may be on its way: */
    uint32_t exit_count; /* the vCPU's then */
};

struct vgic_cpu {
    struct vgic_bank bank;         /* SGIs and PPIs */
    uint32_t targeted[VGIC_WORDS]; /* the SPIs that may go to this vCPU; word 0 is unused */
    uint8_t priority[GIC_SPI_BASE];
    struct vgic_lr lr[VGIC_LIST_REGISTERS];
    unsigned lr_count;     /* those that are not empty */
    uint32_t unseen_until; /* up to this exit the vCPU may not have seen all of them */
};

struct vgic {
    uint32_t version; /* 2 or 3 */
    uint32_t vcpu_count;
    uint32_t control; /* GICD_CTLR: the bits that enable the groups */
    /* SGIs, bits of bank 0: always enabled, and pending by registers of their own. */
    uint32_t fixed_sgis;
    struct vgic_cpu cpu[VMM_MAX_VCPUS];
    struct vgic_bank bank[VGIC_WORDS]; /* SPIs; word 0 is unused */
    uint8_t priority[VGIC_MAX_INTID];
};

extern struct vgic vgic;

/* The bank of INTIDs 32 * `word` and up, as this vCPU sees it. */
static inline struct vgic_bank *vgic_bank_of(uint8_t vcpu, uint32_t word)
{
    return word == 0 ? &vgic.cpu[vcpu].bank : &vgic.bank[word];
}

static inline uint8_t *vgic_priority_of(uint8_t vcpu, uint32_t intid)
{
    return intid < GIC_SPI_BASE ? &vgic.cpu[vcpu].priority[intid] : &vgic.priority[intid];
}

/* What is pending in the distributor: latched, or a level-sensitive line that is high. */
static inline uint32_t vgic_pending_bits(const struct vgic_bank *bank)
{
    return bank->pending_latch | (bank->line_level & ~bank->edge);
}

/* Whether an SPI may go to this vCPU. */
static inline bool vgic_is_target(uint8_t vcpu, uint32_t intid)
{
    return (vgic.cpu[vcpu].targeted[intid / 32] >> (intid % 32)) & 1;
}

/* Let it, or not. Once all targets are set, vgic_lr_fill_all makes that known. */
static inline void vgic_set_target(uint8_t vcpu, uint32_t intid, bool may)
{
    uint32_t *word = &vgic.cpu[vcpu].targeted[intid / 32];
    uint32_t bit = 1u << (intid % 32);

    *word = may ? *word | bit : *word & ~bit;
}

/* The kernel masks the virtual timer's event when it reports one. Unmask it. */
static inline void vgic_unmask_timer(uint8_t vcpu)
{
    microkit_vcpu_arm_ack_vppi(vcpu, VGIC_VIRTUAL_TIMER);
}

/* ---- vgic.c ---- */

/* Write the bits of GICD_CTLR that enable the groups; others are ignored. */
void vgic_write_control(uint32_t value);

/*
 * The virtual timer's line is what the kernel has reported last. It is low by now if the guest has
 * moved the timer on. The vCPU has exited, or is off.
 */
void vgic_settle_timer(uint8_t vcpu);

/* ---- vgic_lr.c ---- */

/*
 * Put the pending interrupts of the highest priority into this vCPU's list registers, and wake the
 * vCPU if there is any in them. Nothing happens to a vCPU that is off or resetting.
 */
void vgic_lr_fill(uint8_t vcpu);

/* The same for all vCPUs. */
void vgic_lr_fill_all(void);

/* The same for the vCPUs that an SPI is targeted at, until one of them has it. */
void vgic_lr_fill_spi(uint32_t intid);

/* The line of this SPI, which is level-sensitive, is low now. */
void vgic_lr_line_fell(uint32_t intid);

/* All list registers of this vCPU are empty. */
void vgic_lr_init(uint8_t vcpu);

/* All of them are stale. */
void vgic_lr_reset(uint8_t vcpu);

/* The SPIs in them are pending in the distributor again, and stale here. */
void vgic_lr_return_spis(uint8_t vcpu);

/*
 * Take back those of the interrupts `bits` of bank `word`, as this vCPU sees it, that wait in list
 * registers: they are pending in the distributor alone. Those of them that are in list registers
 * afterwards (`in_lr`) are active. Whoever has taken back fills again: vgic_lr_refill.
 */
void vgic_lr_take_back(uint8_t vcpu, uint32_t word, uint32_t bits);

/*
 * An edge of this interrupt comes, or an SGI is sent to this vCPU. If the same one waits in a list
 * register, both become one: it is taken back, as above. It is left there if its vCPU may be
 * running. That one may have taken it by now, and to stop another core for this would cost more.
 */
void vgic_lr_join(uint8_t vcpu, uint32_t intid);

/* Fill the list registers of all vCPUs that see this bank as this vCPU does. */
void vgic_lr_refill(uint8_t vcpu, uint32_t word);

/* Interrupts that wait in list registers are not to be delivered in groups that are disabled. */
void vgic_lr_groups_changed(void);

/* The list registers that hold interrupts `bits` of bank `word` are stale, on this vCPU. */
void vgic_lr_make_stale(uint8_t vcpu, uint32_t word, uint32_t bits);

/* ---- vgic_registers.c ---- */

#define VGIC_NO_REGISTER UINT32_MAX

/*
 * The INTID of the first interrupt that the register at this offset of a distributor is about, if
 * it is one of IGROUPR to ICACTIVER, IPRIORITYR and ICFGR; otherwise VGIC_NO_REGISTER.
 */
uint32_t vgic_register_intid(uint32_t offset);

/*
 * Access one of those as this vCPU sees it; `access` says what is done. Interrupts that do not
 * exist read as zero. Returns false if the register has no such width.
 */
bool vgic_register_access(uint8_t vcpu, uint32_t offset, struct mmio_access *access);

/* ---- vgic_forward.c ---- */

/* Nothing is forwarded. */
void vgic_forward_init(void);

/*
 * SPIs of bank `word` have perhaps left the distributor and the list registers. Those of them that
 * are forwarded are acknowledged, so that they can come again.
 */
void vgic_forward_settle(uint32_t word);

/*
 * The guest enables SPIs `bits` of bank `word`. A forwarded level that came before may be low
 * again: it is no longer pending, and if it is high, it comes again.
 */
void vgic_forward_enable(uint32_t word, uint32_t bits);

/* ---- vgic_v2.c ---- */

/* Power-on state of what is a GICv2's own. */
void vgic_v2_reset(void);

/*
 * The first sender's SGI is no longer pending; `*sender` is that vCPU. Returns whether another
 * one's still is.
 */
bool vgic_v2_take_sgi(uint8_t vcpu, uint32_t sgi, uint8_t *sender);

/* It is pending again. */
void vgic_v2_return_sgi(uint8_t vcpu, uint32_t sgi, uint8_t sender);

/* ---- vgic_v3.c ---- */

#define VGIC_V3_IIDR 0x0000043bu /* of Arm's, in GICD_IIDR and GICR_IIDR */

/* Power-on state of what is a GICv3's own. */
void vgic_v3_reset(void);

/* An identification register, from GIC_PIDR4 on; `part` is PIDR0. */
uint32_t vgic_v3_id_register(uint32_t offset, uint8_t part);

/* What a read of a 64-bit register that holds `value` gives; 4 or 8 bytes wide. */
uint64_t vgic_v3_read_part(uint64_t value, const struct mmio_access *access);

/* ---- vgic_redistributor.c ---- */

/* Power-on state of all; or of one, whose vCPU goes off. SGIs and PPIs are vgic.c's. */
void vgic_redistributors_reset(void);
void vgic_redistributor_off(uint8_t vcpu);
