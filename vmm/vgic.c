/* SPDX-License-Identifier: BSD-2-Clause */

#include "vgic.h"

#include <string.h>
#include "timer.h"
#include "vgic_internal.h"

#define SGIS ((1u << GIC_SGI_COUNT) - 1) /* bits of bank 0 */

struct vgic vgic;

/* ---- Power-on ---- */

/* SGIs, PPIs and list registers. */
static void reset_private(uint8_t vcpu)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];

    cpu->bank = (struct vgic_bank){.enabled = vgic.fixed_sgis, .edge = SGIS};
    memset(cpu->priority, 0, sizeof(cpu->priority));
    vgic_lr_reset(vcpu);
    vgic_unmask_timer(vcpu);
}

static void reset_targets(uint8_t vcpu)
{
    for (uint32_t word = 1; word < VGIC_WORDS; word++) {
        vgic.cpu[vcpu].targeted[word] = vcpu == 0 ? UINT32_MAX : 0;
    }
}

uint32_t vgic_max_vcpus(uint32_t version)
{
    switch (version) {
    case 2:
        return VMM_MAX_VCPUS_GICV2;
    case 3:
        return VMM_MAX_VCPUS;
    default:
        return 0;
    }
}

void vgic_init(uint32_t version, uint32_t vcpu_count)
{
    vgic.version = version;
    vgic.vcpu_count = vcpu_count;
    vgic.fixed_sgis = version == 2 ? SGIS : 0;
    for (uint8_t v = 0; v < vcpu_count; v++) {
        vgic_lr_init(v);
    }
    memset(vgic.bank, 0, sizeof(vgic.bank));
    vgic_forward_init();
    vgic_reset();
}

void vgic_reset(void)
{
    vgic.control = 0;
    memset(vgic.priority, 0, sizeof(vgic.priority));
    for (uint32_t word = 1; word < VGIC_WORDS; word++) {
        /* The devices drive the lines. They keep their levels. */
        vgic.bank[word] = (struct vgic_bank){.line_level = vgic.bank[word].line_level};
    }
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        reset_private(v);
        reset_targets(v);
    }
    if (vgic.version == 2) {
        vgic_v2_reset();
    } else {
        vgic_v3_reset();
    }
    for (uint32_t word = 1; word < VGIC_WORDS; word++) {
        vgic_forward_settle(word);
    }
}

void vgic_write_control(uint32_t value)
{
    vgic.control = value & (GICD_CTLR_GROUP0 | GICD_CTLR_GROUP1);
    vgic_lr_groups_changed();
}

/* ---- Power of a vCPU ---- */

void vgic_vcpu_on(uint8_t vcpu)
{
    vgic_settle_timer(vcpu);
    vgic_lr_fill(vcpu);
}

void vgic_vcpu_off(uint8_t vcpu)
{
    vgic_lr_return_spis(vcpu);
    if (vgic.version == 3) {
        reset_private(vcpu);
        vgic_redistributor_off(vcpu);
    }
    vgic_lr_fill_all();
}

/* ---- Inputs ---- */

void vgic_set_level(uint32_t intid, bool asserted)
{
    struct vgic_bank *bank;
    uint32_t bit = 1u << (intid % 32);

    if (intid < GIC_SPI_BASE || intid >= VGIC_MAX_INTID) {
        return;
    }
    bank = &vgic.bank[intid / 32];
    if (((bank->line_level & bit) != 0) == asserted) {
        return;
    }
    if (!asserted) {
        bank->line_level &= ~bit;
        if (bank->in_lr & ~bank->edge & bit) {
            vgic_lr_line_fell(intid);
        }
        return;
    }
    bank->line_level |= bit;
    if (bank->edge & bit) {
        vgic_lr_join(0, intid);
        bank->pending_latch |= bit;
    }
    vgic_lr_fill_spi(intid);
}

void vgic_pulse(uint32_t intid)
{
    if (intid >= GIC_SPI_BASE && intid < VGIC_MAX_INTID) {
        vgic_lr_join(0, intid);
        vgic.bank[intid / 32].pending_latch |= 1u << (intid % 32);
        vgic_lr_fill_spi(intid);
    }
}

bool vgic_is_waiting(uint32_t intid)
{
    const struct vgic_bank *bank = &vgic.bank[intid / 32];

    return ((bank->pending_latch | bank->in_lr) >> (intid % 32) & 1u) != 0;
}

#define TIMER_BIT (1u << VGIC_VIRTUAL_TIMER)

void vgic_raise_timer(uint8_t vcpu)
{
    vgic.cpu[vcpu].bank.line_level |= TIMER_BIT;
    vgic_lr_fill(vcpu);
}

void vgic_find_timer(uint8_t vcpu)
{
    const struct vgic_bank *bank = &vgic.cpu[vcpu].bank;

    if (((bank->line_level | bank->in_lr) & TIMER_BIT) != 0) {
        return; /* that event has arrived */
    }
    if (timer_asserted(vcpu)) {
        vgic_raise_timer(vcpu);
    } else {
        vgic_unmask_timer(vcpu);
    }
}

void vgic_settle_timer(uint8_t vcpu)
{
    struct vgic_bank *bank = &vgic.cpu[vcpu].bank;

    if (!(bank->line_level & TIMER_BIT) || timer_asserted(vcpu)) {
        return;
    }
    bank->line_level &= ~TIMER_BIT;
    if (!(bank->in_lr & TIMER_BIT)) {
        vgic_unmask_timer(vcpu); /* otherwise at its end */
    }
}

bool vgic_timer_enabled(uint8_t vcpu)
{
    const struct vgic_bank *bank = &vgic.cpu[vcpu].bank;
    uint32_t group_enable = (bank->group & TIMER_BIT) ? GICD_CTLR_GROUP1 : GICD_CTLR_GROUP0;
    uint32_t not_yet = bank->line_level | bank->pending_latch | bank->active | bank->in_lr;

    return (vgic.control & group_enable) && (bank->enabled & TIMER_BIT) && !(not_yet & TIMER_BIT);
}
