/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Interrupts of devices that are handed to the machine.
 *
 * When such a device interrupts, the kernel masks that interrupt and notifies the monitor. Until
 * the monitor acknowledges it, it does not come again. To the guest it is pending from then on, and
 * goes to a list register as any other does. It is acknowledged when it is neither pending nor in a
 * list register any more: the guest has ended it, or has cleared its pending state, or the machine
 * has been reset. If the device still asserts it then, it comes again at once. So a level is looked
 * at where it counts, at the end of the interrupt, and an edge in between is kept by the hardware.
 *
 * Each notification takes something that the guest does. So a device that never stops interrupts
 * no more often than its guest exits, and the guest pays for its exits (throttle.h).
 */

#include "vgic_internal.h"

static struct {
    uint32_t count;
    struct vmm_forward_config of[VMM_MAX_FORWARDS];
    uint32_t edge[VGIC_WORDS];   /* bit: an edge is to be kept while it is disabled */
    uint32_t masked[VGIC_WORDS]; /* bit: it has come and is not acknowledged */
} forward;

bool vgic_forward(const struct vmm_forward_config *config)
{
    uint32_t word = config->intid / 32;

    if (forward.count == VMM_MAX_FORWARDS || config->intid < GIC_SPI_BASE ||
        config->intid >= VGIC_MAX_INTID) {
        return false;
    }
    for (uint32_t i = 0; i < forward.count; i++) {
        if (forward.of[i].intid == config->intid || forward.of[i].channel == config->channel) {
            return false;
        }
    }
    forward.of[forward.count++] = *config;
    forward.edge[word] |= (uint32_t)config->edge << (config->intid % 32);
    return true;
}

void vgic_forward_init(void)
{
    forward.count = 0;
    for (uint32_t word = 0; word < VGIC_WORDS; word++) {
        forward.edge[word] = 0;
        forward.masked[word] = 0;
    }
}

bool vgic_forward_notified(microkit_channel channel)
{
    for (uint32_t i = 0; i < forward.count; i++) {
        uint32_t intid = forward.of[i].intid;

        if (forward.of[i].channel == channel) {
            forward.masked[intid / 32] |= 1u << (intid % 32);
            vgic_lr_join(0, intid); /* the guest may have made it pending itself */
            vgic.bank[intid / 32].pending_latch |= 1u << (intid % 32);
            vgic_lr_fill_spi(intid);
            return true;
        }
    }
    return false;
}

static void acknowledge(uint32_t intid)
{
    for (uint32_t i = 0; i < forward.count; i++) {
        if (forward.of[i].intid == intid) {
            microkit_irq_ack(forward.of[i].channel);
        }
    }
}

void vgic_forward_settle(uint32_t word)
{
    const struct vgic_bank *bank = &vgic.bank[word];
    uint32_t over = forward.masked[word] & ~(bank->pending_latch | bank->in_lr);

    forward.masked[word] &= ~over;
    for (; over; over &= over - 1) {
        acknowledge(word * 32 + (uint32_t)__builtin_ctz(over));
    }
}

void vgic_forward_enable(uint32_t word, uint32_t bits)
{
    vgic.bank[word].pending_latch &= ~(forward.masked[word] & ~forward.edge[word] & bits);
    vgic_forward_settle(word);
}
