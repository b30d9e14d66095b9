/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The registers that the distributors of both versions have alike, and a redistributor as well: one
 * bit, one byte or two bits for each interrupt (Arm IHI 0048B, 4.3.4 to 4.3.13).
 */

#include "vgic_internal.h"

#define ICFGR_SIZE 0x100u

/* ---- Registers of one bit per interrupt ---- */

/* What is in list registers is pending or active. Only to take it back tells which. */
static void read_states(uint8_t vcpu, uint32_t word, uint32_t *pending, uint32_t *active)
{
    const struct vgic_bank *bank = vgic_bank_of(vcpu, word);

    vgic_lr_take_back(vcpu, word, UINT32_MAX);
    if (word == 0) {
        vgic_settle_timer(vcpu);
    }
    *pending = vgic_pending_bits(bank);
    *active = bank->active | bank->in_lr;
    vgic_lr_refill(vcpu, word);
}

/* `kind` is the offset of a register's first word. */
static uint32_t read_bits(uint8_t vcpu, uint32_t kind, uint32_t word)
{
    uint32_t pending, active;

    switch (kind) {
    case GICD_IGROUPR:
        return vgic_bank_of(vcpu, word)->group;
    case GICD_ISENABLER:
    case GICD_ICENABLER:
        return vgic_bank_of(vcpu, word)->enabled;
    case GICD_ISPENDR:
    case GICD_ICPENDR:
        read_states(vcpu, word, &pending, &active);
        return pending;
    default:
        read_states(vcpu, word, &pending, &active);
        return active;
    }
}

static void enable(uint8_t vcpu, struct vgic_bank *bank, uint32_t word, uint32_t bits)
{
    bank->enabled |= bits;
    if (word == 0) {
        vgic_settle_timer(vcpu);
    } else {
        vgic_forward_enable(word, bits);
    }
}

/* A level-sensitive line that is high is still pending. */
static void clear_pending(uint8_t vcpu, struct vgic_bank *bank, uint32_t word, uint32_t bits)
{
    bank->pending_latch &= ~bits;
    if (word == 0) {
        vgic_settle_timer(vcpu);
    } else {
        vgic_forward_settle(word);
    }
}

/* The guest ends by hand what it has active. */
static void deactivate(uint8_t vcpu, struct vgic_bank *bank, uint32_t word, uint32_t bits)
{
    bank->active &= ~bits;
    if (word == 0) {
        vgic_lr_make_stale(vcpu, word, bits);
        vgic_settle_timer(vcpu);
        return;
    }
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        vgic_lr_make_stale(v, word, bits);
    }
    vgic_forward_settle(word);
}

static void write_bits(uint8_t vcpu, uint32_t kind, uint32_t word, uint32_t bits)
{
    struct vgic_bank *bank = vgic_bank_of(vcpu, word);
    uint32_t changeable = word == 0 ? bits & ~vgic.fixed_sgis : bits;

    vgic_lr_take_back(vcpu, word, kind == GICD_IGROUPR ? bits ^ bank->group : bits);
    switch (kind) {
    case GICD_IGROUPR:
        bank->group = bits;
        break;
    case GICD_ISENABLER:
        enable(vcpu, bank, word, changeable);
        break;
    case GICD_ICENABLER:
        bank->enabled &= ~changeable;
        break;
    case GICD_ISPENDR:
        bank->pending_latch |= changeable;
        break;
    case GICD_ICPENDR:
        clear_pending(vcpu, bank, word, changeable);
        break;
    case GICD_ISACTIVER:
        bank->active |= bits & ~bank->in_lr;
        break;
    default:
        deactivate(vcpu, bank, word, bits);
        break;
    }
    vgic_lr_refill(vcpu, word);
}

/* ---- GICD_IPRIORITYR: one byte per interrupt ---- */

static uint32_t read_priorities(uint8_t vcpu, uint32_t first, uint32_t count)
{
    uint32_t value = 0;

    for (uint32_t i = 0; i < count; i++) {
        value |= (uint32_t)*vgic_priority_of(vcpu, first + i) << (8 * i);
    }
    return value;
}

static void write_priorities(uint8_t vcpu, uint32_t first, uint32_t count, uint32_t value)
{
    vgic_lr_take_back(vcpu, first / 32, ((1u << count) - 1) << (first % 32));
    for (uint32_t i = 0; i < count; i++) {
        /* As many bits of priority as a list register holds. */
        *vgic_priority_of(vcpu, first + i) = (uint8_t)(value >> (8 * i)) & 0xf8;
    }
    vgic_lr_fill_all();
}

/* ---- GICD_ICFGR: two bits per interrupt ---- */

/* The upper bit is the trigger, the lower one is reserved. `first` is an INTID. */
static uint32_t read_config(uint8_t vcpu, uint32_t first)
{
    uint32_t edge = vgic_bank_of(vcpu, first / 32)->edge >> (first % 32);
    uint32_t value = 0;

    for (uint32_t i = 0; i < 16; i++) {
        value |= ((edge >> i) & 1) << (2 * i + 1);
    }
    return value;
}

static void write_config(uint32_t first, uint32_t value)
{
    struct vgic_bank *bank = &vgic.bank[first / 32];

    if (first < GIC_SPI_BASE) {
        return; /* those of SGIs and PPIs are fixed */
    }
    vgic_lr_take_back(0, first / 32, 0xffffu << (first % 32));
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t bit = 1u << (first % 32 + i);

        bank->edge = ((value >> (2 * i + 1)) & 1) ? bank->edge | bit : bank->edge & ~bit;
    }
    vgic_lr_fill_all();
}

/* ---- All of them ---- */

static bool is_priority(uint32_t offset)
{
    return offset >= GICD_IPRIORITYR && offset < GICD_ITARGETSR;
}

static bool is_config(uint32_t offset)
{
    return offset >= GICD_ICFGR && offset < GICD_ICFGR + ICFGR_SIZE;
}

uint32_t vgic_register_intid(uint32_t offset)
{
    if (offset >= GICD_IGROUPR && offset < GICD_IPRIORITYR) {
        return (offset & 0x7fu) * 8;
    }
    if (is_priority(offset)) {
        return offset - GICD_IPRIORITYR;
    }
    return is_config(offset) ? (offset - GICD_ICFGR) * 4 : VGIC_NO_REGISTER;
}

static uint32_t read_register(uint8_t vcpu, uint32_t offset, uint32_t first, uint32_t width)
{
    if (is_priority(offset)) {
        return read_priorities(vcpu, first, width);
    }
    if (is_config(offset)) {
        return read_config(vcpu, first);
    }
    return read_bits(vcpu, offset & ~0x7fu, first / 32);
}

static void write_register(uint8_t vcpu, uint32_t offset, uint32_t first, uint32_t width,
                           uint32_t value)
{
    if (is_priority(offset)) {
        write_priorities(vcpu, first, width, value);
    } else if (is_config(offset)) {
        write_config(first, value);
    } else {
        write_bits(vcpu, offset & ~0x7fu, first / 32, value);
    }
}

bool vgic_register_access(uint8_t vcpu, uint32_t offset, struct mmio_access *access)
{
    uint32_t first = vgic_register_intid(offset);

    if (access->width != 4 && !(access->width == 1 && is_priority(offset))) {
        return false;
    }
    if (first >= VGIC_MAX_INTID) {
        access->value = 0;
    } else if (access->write) {
        write_register(vcpu, offset, first, access->width, (uint32_t)access->value);
    } else {
        access->value = read_register(vcpu, offset, first, access->width);
    }
    return true;
}
