/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Which interrupt gets a list register.
 *
 * The highest priority goes first. When all four are taken, an interrupt of a higher priority
 * replaces the lowest. The kernel refuses that if the guest has the replaced one active.
 *
 * The guest can make an interrupt in a list register void: it clears its pending state, or powers
 * the vCPU off. Only the guest's end empties a list register, so that one is stale then. It is the
 * first to be replaced, and its end changes nothing in the distributor.
 */

#include <microkit.h>
#include "vcpu.h"
#include "vgic_internal.h"

#define LR_PRIORITY(p)     ((uint8_t)((p) >> 3)) /* a list register holds the upper five bits */
#define LR_PRIORITY_LOWEST UINT8_MAX             /* lower than any that a list register holds */

/* ---- Which interrupt is next ---- */

/* The interrupts of a bank whose group is enabled. */
static uint32_t enabled_groups(const struct vgic_bank *bank)
{
    return ((vgic.control & GICD_CTLR_GROUP0) ? ~bank->group : 0) |
           ((vgic.control & GICD_CTLR_GROUP1) ? bank->group : 0);
}

/* What could be put into a list register of this vCPU now. */
static uint32_t deliverable(uint8_t vcpu, uint32_t word)
{
    const struct vgic_bank *bank = vgic_bank_of(vcpu, word);
    uint32_t bits = vgic_pending_bits(bank) & bank->enabled & enabled_groups(bank) & ~bank->in_lr &
                    ~bank->active;

    return word == 0 ? bits : bits & vgic.cpu[vcpu].targeted[word];
}

/* The highest priority pending interrupt, or VGIC_NONE. Of equals the lowest INTID is first. */
static uint32_t highest_pending(uint8_t vcpu)
{
    uint32_t best = VGIC_NONE;
    unsigned best_priority = 0x100;

    for (uint32_t word = 0; word < VGIC_WORDS; word++) {
        for (uint32_t bits = deliverable(vcpu, word); bits; bits &= bits - 1) {
            uint32_t intid = word * 32 + (uint32_t)__builtin_ctz(bits);
            uint8_t priority = *vgic_priority_of(vcpu, intid);

            if (priority < best_priority) {
                best = intid;
                best_priority = priority;
            }
        }
    }
    return best;
}

/* ---- What is in list registers ---- */

/* It is no longer pending, unless its line stays high or another vCPU has sent this SGI, too. */
static void clear_pending(uint8_t vcpu, uint32_t intid)
{
    struct vgic_bank *bank = vgic_bank_of(vcpu, intid / 32);
    uint32_t bit = 1u << (intid % 32);

    if (intid < GIC_SGI_COUNT && vgic.version == 2 && vgic_v2_take_sgi(vcpu, intid)) {
        return;
    }
    bank->pending_latch &= ~bit;
}

static bool is_group1(uint8_t vcpu, uint32_t intid)
{
    return (vgic_bank_of(vcpu, intid / 32)->group >> (intid % 32)) & 1;
}

/* Record that `intid` is in that list register now. */
static void record(uint8_t vcpu, uint32_t intid, uint32_t index)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];

    clear_pending(vcpu, intid);
    vgic_bank_of(vcpu, intid / 32)->in_lr |= 1u << (intid % 32);
    cpu->lr[index] =
        (struct vgic_lr){.intid = (uint16_t)intid, .priority = *vgic_priority_of(vcpu, intid)};
    cpu->lr_count++;
}

/* What was in that list register is pending in the distributor again, unless it was stale. */
static void return_to_distributor(uint8_t vcpu, uint32_t index)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];
    uint32_t intid = cpu->lr[index].intid;
    uint32_t bit = 1u << (intid % 32);

    cpu->lr_count--;
    if (cpu->lr[index].stale) {
        return;
    }
    vgic_bank_of(vcpu, intid / 32)->in_lr &= ~bit;
    vgic_bank_of(vcpu, intid / 32)->pending_latch |= bit;
    if (intid < GIC_SGI_COUNT && vgic.version == 2) {
        vgic_v2_return_sgi(vcpu, intid);
    }
}

/* The list register that holds `intid`, or the first empty one for VGIC_NONE. */
static uint32_t find_lr(const struct vgic_cpu *cpu, uint32_t intid)
{
    uint32_t index = 0;

    while (index < VGIC_LIST_REGISTERS && cpu->lr[index].intid != intid) {
        index++;
    }
    return index;
}

/* The priority of what a list register holds; the lowest if it is stale or disabled. */
static unsigned effective_priority(uint8_t vcpu, const struct vgic_lr *lr)
{
    const struct vgic_bank *bank = vgic_bank_of(vcpu, lr->intid / 32);
    uint32_t wanted = bank->enabled & enabled_groups(bank);

    return lr->stale || !((wanted >> (lr->intid % 32)) & 1) ? LR_PRIORITY_LOWEST
                                                            : LR_PRIORITY(lr->priority);
}

static uint32_t lowest_priority_lr(uint8_t vcpu)
{
    const struct vgic_lr *lr = vgic.cpu[vcpu].lr;
    uint32_t lowest = 0;

    for (uint32_t i = 1; i < VGIC_LIST_REGISTERS; i++) {
        if (effective_priority(vcpu, &lr[i]) > effective_priority(vcpu, &lr[lowest])) {
            lowest = i;
        }
    }
    return lowest;
}

/* ---- Filling ---- */

/* Replace what a list register holds. Returns false if the guest has that active. */
static bool overwrite(uint8_t vcpu, uint32_t intid, uint32_t index)
{
    return seL4_ARM_VCPU_InjectIRQ(BASE_VCPU_CAP + vcpu, (seL4_Uint16)intid,
                                   LR_PRIORITY(*vgic_priority_of(vcpu, intid)),
                                   is_group1(vcpu, intid), (seL4_Uint8)index) == seL4_NoError;
}

/*
 * `intid` has replaced what was in that list register. If the vCPU may be running, it may have
 * ended that, and its next exit may be the report.
 */
static void record_replacement(uint8_t vcpu, uint32_t intid, uint32_t index)
{
    struct vgic_lr *lr = &vgic.cpu[vcpu].lr[index];

    return_to_distributor(vcpu, index);
    record(vcpu, intid, index);
    lr->has_replaced = vcpu_may_run(vcpu);
    lr->exit_count = vcpu_exit_count(vcpu);
}

/*
 * All list registers are taken. `intid` replaces the interrupt of the lowest priority, unless that
 * is as high as its own or active. The kernel does not always know that it is active. That
 * interrupt is then handled once too often, which does no harm.
 */
static bool preempt(uint8_t vcpu, uint32_t intid)
{
    uint32_t index = lowest_priority_lr(vcpu);

    if (effective_priority(vcpu, &vgic.cpu[vcpu].lr[index]) <=
            LR_PRIORITY(*vgic_priority_of(vcpu, intid)) ||
        !overwrite(vcpu, intid, index)) {
        return false;
    }
    record_replacement(vcpu, intid, index);
    return true;
}

/*
 * An interrupt that is stale in a list register is pending again. It goes there, because an INTID
 * must not be in two list registers. If it is active, it stays pending here and comes again after
 * its end.
 */
static void renew_stale(uint8_t vcpu, uint32_t intid, uint32_t index)
{
    if (overwrite(vcpu, intid, index)) {
        record_replacement(vcpu, intid, index);
    } else {
        vgic.cpu[vcpu].lr[index].stale = false;
        vgic_bank_of(vcpu, intid / 32)->in_lr |= 1u << (intid % 32);
    }
}

/* Put a deliverable interrupt into a list register. Returns false if there is none for it. */
static bool inject(uint8_t vcpu, uint32_t intid)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];
    uint32_t index = find_lr(cpu, intid);

    if (index < VGIC_LIST_REGISTERS) {
        renew_stale(vcpu, intid, index);
        return true;
    }
    if (cpu->lr_count == VGIC_LIST_REGISTERS) {
        return preempt(vcpu, intid);
    }
    index = find_lr(cpu, VGIC_NONE);
    microkit_vcpu_arm_inject_irq(vcpu, (seL4_Uint16)intid,
                                 LR_PRIORITY(*vgic_priority_of(vcpu, intid)),
                                 is_group1(vcpu, intid), (seL4_Uint8)index);
    record(vcpu, intid, index);
    return true;
}

void vgic_lr_fill(uint8_t vcpu)
{
    uint32_t intid;

    if (vcpu_state(vcpu) == VCPU_OFF || vcpu_state(vcpu) == VCPU_RESETTING) {
        return;
    }
    do {
        intid = highest_pending(vcpu);
    } while (intid != VGIC_NONE && inject(vcpu, intid));
    if (vgic.cpu[vcpu].lr_count != 0) {
        vcpu_wake(vcpu);
    }
}

void vgic_lr_fill_all(void)
{
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        vgic_lr_fill(v);
    }
}

void vgic_lr_fill_spi(uint32_t intid)
{
    uint32_t word = intid / 32, bit = 1u << (intid % 32);

    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        if (vgic_is_target(v, intid)) {
            vgic_lr_fill(v);
            if (vgic.bank[word].in_lr & bit) {
                return;
            }
        }
    }
}

/* ---- Emptying ---- */

void vgic_lr_init(uint8_t vcpu)
{
    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        vgic.cpu[vcpu].lr[i].intid = VGIC_NONE;
    }
    vgic.cpu[vcpu].lr_count = 0;
}

void vgic_lr_reset(uint8_t vcpu)
{
    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        vgic.cpu[vcpu].lr[i].stale = true;
        vgic.cpu[vcpu].lr[i].has_replaced = false;
    }
}

void vgic_lr_make_stale(uint8_t vcpu, uint32_t word, uint32_t bits)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        struct vgic_lr *lr = &cpu->lr[i];
        uint32_t bit = 1u << (lr->intid % 32);

        if (lr->intid / 32 == word && !lr->stale && (bits & bit)) {
            lr->stale = true;
            vgic_bank_of(vcpu, word)->in_lr &= ~bit;
        }
    }
}

/*
 * Whether an end that is reported may be that of an interrupt that this one has replaced. Only the
 * first exit since can be that report.
 */
static bool may_be_replaced_ones(uint8_t vcpu, const struct vgic_lr *lr)
{
    return lr->has_replaced && vcpu_exit_count(vcpu) - lr->exit_count == 1;
}

void vgic_maintenance(uint8_t vcpu, uint32_t list_register)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];
    struct vgic_lr *lr;
    uint32_t intid;

    if (list_register >= VGIC_LIST_REGISTERS || cpu->lr[list_register].intid == VGIC_NONE) {
        return;
    }
    lr = &cpu->lr[list_register];
    intid = lr->intid;
    if (may_be_replaced_ones(vcpu, lr)) {
        /* If it has ended, it is handled once too often. If not, this changes nothing. */
        lr->has_replaced = false;
        overwrite(vcpu, intid, list_register);
        return;
    }
    lr->intid = VGIC_NONE;
    cpu->lr_count--;
    if (!lr->stale) {
        vgic_bank_of(vcpu, intid / 32)->in_lr &= ~(1u << (intid % 32));
        if (intid == VGIC_VIRTUAL_TIMER) {
            vgic_unmask_timer(vcpu);
        }
        if (intid >= GIC_SPI_BASE) {
            vgic_forward_settle(intid / 32);
        }
    }
    vgic_lr_fill(vcpu);
}

bool vgic_pending(uint8_t vcpu)
{
    return vgic.cpu[vcpu].lr_count != 0;
}

/* ---- Power ---- */

void vgic_lr_return_spis(uint8_t vcpu)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        struct vgic_lr *lr = &cpu->lr[i];
        uint32_t bit = 1u << (lr->intid % 32);

        if (lr->intid >= GIC_SPI_BASE && lr->intid != VGIC_NONE && !lr->stale) {
            vgic.bank[lr->intid / 32].in_lr &= ~bit;
            vgic.bank[lr->intid / 32].pending_latch |= bit;
            lr->stale = true;
        }
    }
}

void vgic_lr_intids(uint8_t vcpu, uint16_t intids[VGIC_LIST_REGISTERS])
{
    const struct vgic_lr *lr = vgic.cpu[vcpu].lr;
    uint8_t priority[VGIC_LIST_REGISTERS] = {0};
    uint32_t count = 0;

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        uint32_t at = count;

        if (lr[i].intid == VGIC_NONE) {
            continue;
        }
        for (; at > 0 && priority[at - 1] > lr[i].priority; at--) {
            priority[at] = priority[at - 1];
            intids[at] = intids[at - 1];
        }
        priority[at] = lr[i].priority;
        intids[at] = lr[i].intid;
        count++;
    }
    for (; count < VGIC_LIST_REGISTERS; count++) {
        intids[count] = VGIC_NONE;
    }
}

void vgic_lr_cleared(uint8_t vcpu)
{
    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        vgic_maintenance(vcpu, i); /* most have been reported by now */
    }
}
