/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Which interrupt gets a list register.
 *
 * The highest priority goes first. The last free list register is kept for one that is more urgent
 * than all others: the guest may have those active, and then they cannot make room. When all four
 * are taken, an interrupt of a higher priority replaces the lowest. The kernel refuses that if the
 * guest has the replaced one active.
 *
 * An interrupt that waits in a list register is not to be delivered any more when its line falls,
 * or when the guest disables it, clears its pending state or gives it to another vCPU. It is taken
 * back then. A list register cannot be cleared, so a placeholder goes there: an interrupt of the
 * group that the guest does not enable, and of the lowest priority. The kernel refuses that if the
 * interrupt is active. So this also tells pending interrupts from active ones.
 *
 * seL4 does not always know that an interrupt is active. One that is replaced or taken back all the
 * same is handled once too often if it is still pending, and otherwise ends without a report.
 *
 * The guest can deactivate an interrupt in a list register, or power the vCPU off. That list
 * register is stale then. It is the first to be replaced, and its end changes nothing in the
 * distributor.
 */

#include <microkit.h>
#include "stats.h"
#include "timer.h"
#include "vcpu.h"
#include "vgic_internal.h"

#define LR_PRIORITY(p)     ((uint8_t)((p) >> 3)) /* a list register holds the upper five bits */
#define LR_PRIORITY_LOWEST UINT8_MAX             /* lower than any that a list register holds */

/* No distributor has these. An INTID must not be in two list registers: each has one of its own. */
#define PLACEHOLDER_INTID (GIC_MAX_INTID - VGIC_LIST_REGISTERS)

/* ---- Which interrupt is next ---- */

/* The interrupts of a bank whose group is enabled. */
static uint32_t enabled_groups(const struct vgic_bank *bank)
{
    return ((vgic.control & GICD_CTLR_GROUP0) ? ~bank->group : 0) |
           ((vgic.control & GICD_CTLR_GROUP1) ? bank->group : 0);
}

/* What could be put into a list register of this vCPU now. In most banks nothing is pending. */
static uint32_t deliverable(uint8_t vcpu, uint32_t word)
{
    const struct vgic_bank *bank = vgic_bank_of(vcpu, word);
    uint32_t bits = vgic_pending_bits(bank) & ~bank->in_lr;

    if (bits == 0) {
        return 0;
    }
    bits &= bank->enabled & enabled_groups(bank) & ~bank->active;
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

/*
 * It is no longer pending, unless its line stays high or another vCPU has sent this SGI, too.
 * `*sender` is who has sent it, if it is an SGI of a GICv2.
 */
static void clear_pending(uint8_t vcpu, uint32_t intid, uint8_t *sender)
{
    struct vgic_bank *bank = vgic_bank_of(vcpu, intid / 32);
    uint32_t bit = 1u << (intid % 32);

    if (intid < GIC_SGI_COUNT && vgic.version == 2 && vgic_v2_take_sgi(vcpu, intid, sender)) {
        return;
    }
    bank->pending_latch &= ~bit;
}

static bool is_group1(uint8_t vcpu, uint32_t intid)
{
    return (vgic_bank_of(vcpu, intid / 32)->group >> (intid % 32)) & 1;
}

/* Record that `intid` is in that list register now. An end that may be on its way still is. */
static void record(uint8_t vcpu, uint32_t intid, uint32_t index)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];
    struct vgic_lr *lr = &cpu->lr[index];
    struct vgic_bank *bank = vgic_bank_of(vcpu, intid / 32);
    uint32_t bit = 1u << (intid % 32);

    lr->intid = (uint16_t)intid;
    lr->priority = *vgic_priority_of(vcpu, intid);
    lr->latched = (bank->pending_latch & bit) != 0;
    lr->stale = false;
    lr->taken_back = false;
    clear_pending(vcpu, intid, &lr->sender);
    bank->in_lr |= bit;
    cpu->lr_count++;
    STATS_COUNT_ONE(interrupts);
    /* A vCPU that runs may be on its way to a WFI that did not see it. */
    cpu->unseen_until = vcpu_exit_count(vcpu) + (vcpu_may_run(vcpu) ? 1 : 0);
}

/*
 * That interrupt leaves a list register without having ended there. If it is the virtual timer's,
 * and its line has fallen meanwhile, the kernel does not report the timer before it is told to.
 */
static void leave_early(uint8_t vcpu, uint32_t intid)
{
    struct vgic_bank *bank = vgic_bank_of(vcpu, intid / 32);
    uint32_t bit = 1u << (intid % 32);

    bank->in_lr &= ~bit;
    if (intid != VGIC_VIRTUAL_TIMER || (bank->line_level & bit) != 0) {
        return;
    }
    if (timer_asserted(vcpu)) {
        bank->line_level |= bit;
    } else {
        vgic_unmask_timer(vcpu);
    }
}

/* What was in that list register is pending in the distributor again, unless it was stale. */
static void return_to_distributor(uint8_t vcpu, uint32_t index)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];
    const struct vgic_lr *lr = &cpu->lr[index];
    struct vgic_bank *bank = vgic_bank_of(vcpu, lr->intid / 32);
    uint32_t bit = 1u << (lr->intid % 32);

    cpu->lr_count--;
    if (lr->stale) {
        return;
    }
    leave_early(vcpu, lr->intid);
    if (lr->latched) {
        bank->pending_latch |= bit;
    }
    if (lr->intid < GIC_SGI_COUNT && vgic.version == 2) {
        vgic_v2_return_sgi(vcpu, lr->intid, lr->sender);
    }
}

/* What is in that list register now may be taken for what was there until now, when it ends. */
static void expect_late_end(uint8_t vcpu, struct vgic_lr *lr)
{
    lr->has_replaced = vcpu_may_run(vcpu);
    lr->exit_count = vcpu_exit_count(vcpu);
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

/* The list register that holds the lowest priority. One at least is not empty. */
static uint32_t lowest_priority_lr(uint8_t vcpu)
{
    const struct vgic_lr *lr = vgic.cpu[vcpu].lr;
    uint32_t lowest = VGIC_LIST_REGISTERS;

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        if (lr[i].intid != VGIC_NONE &&
            (lowest == VGIC_LIST_REGISTERS ||
             effective_priority(vcpu, &lr[i]) > effective_priority(vcpu, &lr[lowest]))) {
            lowest = i;
        }
    }
    return lowest;
}

/* ---- Taking back ---- */

/* A group that the guest does not enable, if there is one. */
static uint32_t unused_group(void)
{
    return (vgic.control & GICD_CTLR_GROUP0) ? 1 : 0;
}

static bool put_placeholder(uint8_t vcpu, uint32_t index)
{
    return seL4_ARM_VCPU_InjectIRQ(BASE_VCPU_CAP + vcpu, (seL4_Uint16)(PLACEHOLDER_INTID + index),
                                   LR_PRIORITY(UINT8_MAX), (seL4_Uint8)unused_group(),
                                   (seL4_Uint8)index) == seL4_NoError;
}

/* Returns false, and changes nothing, if the guest has it active. */
static bool take_back(uint8_t vcpu, uint32_t index)
{
    struct vgic_lr *lr = &vgic.cpu[vcpu].lr[index];

    if (!put_placeholder(vcpu, index)) {
        return false;
    }
    return_to_distributor(vcpu, index);
    lr->intid = VGIC_NONE;
    lr->taken_back = true;
    expect_late_end(vcpu, lr);
    return true;
}

static void take_back_of(uint8_t vcpu, uint32_t word, uint32_t bits)
{
    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        const struct vgic_lr *lr = &vgic.cpu[vcpu].lr[i];

        if (lr->intid / 32 == word && !lr->stale && (bits & 1u << (lr->intid % 32))) {
            take_back(vcpu, i);
        }
    }
}

void vgic_lr_take_back(uint8_t vcpu, uint32_t word, uint32_t bits)
{
    bits &= vgic_bank_of(vcpu, word)->in_lr;
    if (bits == 0) {
        return;
    }
    if (word == 0) {
        take_back_of(vcpu, word, bits);
        return;
    }
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        take_back_of(v, word, bits);
    }
}

void vgic_lr_join(uint8_t vcpu, uint32_t intid)
{
    uint32_t word = intid / 32, bit = 1u << (intid % 32);

    if (!(vgic_bank_of(vcpu, word)->in_lr & bit)) {
        return;
    }
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        if ((word != 0 || v == vcpu) && !vcpu_may_run(v)) {
            take_back_of(v, word, bit);
        }
    }
}

void vgic_lr_line_fell(uint32_t intid)
{
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        const struct vgic_lr *lr = vgic.cpu[v].lr;
        uint32_t index = find_lr(&vgic.cpu[v], intid);

        if (index < VGIC_LIST_REGISTERS && !lr[index].stale && !lr[index].latched &&
            take_back(v, index)) {
            vgic_lr_fill(v);
        }
    }
}

void vgic_lr_groups_changed(void)
{
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        for (uint32_t word = 0; word < VGIC_WORDS; word++) {
            const struct vgic_bank *bank = vgic_bank_of(v, word);

            take_back_of(v, word, bank->in_lr & ~enabled_groups(bank));
        }
        for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
            if (vgic.cpu[v].lr[i].taken_back) {
                put_placeholder(v, i);
            }
        }
    }
    vgic_lr_fill_all();
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
    return_to_distributor(vcpu, index);
    expect_late_end(vcpu, &vgic.cpu[vcpu].lr[index]);
    record(vcpu, intid, index);
}

/*
 * There is no list register for it. `intid` replaces the interrupt of the lowest priority, unless
 * that is as high as its own or active. The kernel does not always know that it is active. That
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

/* Whether `intid` is more urgent than all that is in list registers. */
static bool is_most_urgent(uint8_t vcpu, uint32_t intid)
{
    const struct vgic_lr *lr = vgic.cpu[vcpu].lr;
    uint8_t priority = LR_PRIORITY(*vgic_priority_of(vcpu, intid));

    for (uint32_t i = 0; i < VGIC_LIST_REGISTERS; i++) {
        if (lr[i].intid != VGIC_NONE && effective_priority(vcpu, &lr[i]) <= priority) {
            return false;
        }
    }
    return true;
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
    if (cpu->lr_count == VGIC_LIST_REGISTERS ||
        (cpu->lr_count == VGIC_LIST_REGISTERS - 1 && !is_most_urgent(vcpu, intid))) {
        return preempt(vcpu, intid);
    }
    /* One whose placeholder the guest has active, or the kernel takes it for active, is passed
     * over. */
    for (index = 0; index < VGIC_LIST_REGISTERS; index++) {
        if (cpu->lr[index].intid == VGIC_NONE && overwrite(vcpu, intid, index)) {
            record(vcpu, intid, index);
            return true;
        }
    }
    return false;
}

void vgic_lr_fill(uint8_t vcpu)
{
    bool any = false;
    uint32_t intid;

    if (vcpu_state(vcpu) == VCPU_OFF || vcpu_state(vcpu) == VCPU_RESETTING) {
        return;
    }
    for (;;) {
        intid = highest_pending(vcpu);
        if (intid == VGIC_NONE || !inject(vcpu, intid)) {
            break;
        }
        any = true;
    }
    if (any) {
        vcpu_wake(vcpu);
    }
}

void vgic_lr_fill_all(void)
{
    for (uint8_t v = 0; v < vgic.vcpu_count; v++) {
        vgic_lr_fill(v);
    }
}

void vgic_lr_refill(uint8_t vcpu, uint32_t word)
{
    if (word == 0) {
        vgic_lr_fill(vcpu);
    } else {
        vgic_lr_fill_all();
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
        vgic.cpu[vcpu].lr[i] = (struct vgic_lr){.intid = VGIC_NONE};
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
            leave_early(vcpu, lr->intid);
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

/* The guest has ended that interrupt, which was in a list register of this vCPU. */
static void settle_ended(uint8_t vcpu, uint32_t intid)
{
    struct vgic_bank *bank = vgic_bank_of(vcpu, intid / 32);
    uint32_t bit = 1u << (intid % 32);

    bank->in_lr &= ~bit;
    if (intid == VGIC_VIRTUAL_TIMER) {
        /* If it is not over, the kernel reports it again. */
        bank->line_level &= ~bit;
        vgic_unmask_timer(vcpu);
    }
    if (intid >= GIC_SPI_BASE) {
        vgic_forward_settle(intid / 32);
        if (vgic_pending_bits(bank) & bit & ~vgic.cpu[vcpu].targeted[intid / 32]) {
            vgic_lr_fill_spi(intid); /* it goes to another vCPU by now */
        }
    }
}

void vgic_maintenance(uint8_t vcpu, uint32_t list_register)
{
    struct vgic_cpu *cpu = &vgic.cpu[vcpu];
    struct vgic_lr *lr;
    uint32_t intid;

    if (list_register >= VGIC_LIST_REGISTERS) {
        return;
    }
    lr = &cpu->lr[list_register];
    intid = lr->intid;
    if (intid == VGIC_NONE) { /* what was taken back had ended, or a placeholder has */
        lr->has_replaced = false;
        vgic_lr_fill(vcpu);
        return;
    }
    if (may_be_replaced_ones(vcpu, lr)) {
        /* If it has ended, it is handled once too often. If not, this changes nothing. */
        lr->has_replaced = false;
        overwrite(vcpu, intid, list_register);
        return;
    }
    lr->intid = VGIC_NONE;
    lr->has_replaced = false;
    cpu->lr_count--;
    if (!lr->stale) {
        settle_ended(vcpu, intid);
    }
    vgic_lr_fill(vcpu);
}

bool vgic_pending(uint8_t vcpu)
{
    return vgic.cpu[vcpu].lr_count != 0;
}

bool vgic_unseen(uint8_t vcpu)
{
    return vgic.cpu[vcpu].lr_count != 0 && vgic.cpu[vcpu].unseen_until == vcpu_exit_count(vcpu);
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
