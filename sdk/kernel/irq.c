/* SPDX-License-Identifier: BSD-2-Clause */

#include "irq.h"

#include "cpu.h"
#include "gic.h"
#include "notification.h"
#include "sched.h"
#include "uart.h"
#include "vcpu.h"

/* The PD that an interrupt goes to, and its channel. By INTID. */
static struct irq_owner {
    struct thread *thread;
    uint8_t channel;
} owners[GIC_MAX_INTID];

void irq_init(void)
{
    for (uint32_t i = 0; i < thread_count; i++) {
        for (unsigned id = 0; !threads[i].is_vcpu && id < SYSTEM_MAX_CHANNELS; id++) {
            const struct system_channel *channel = &threads[i].config->channels[id];

            if (channel->kind == SYSTEM_CHANNEL_IRQ) {
                owners[channel->peer] = (struct irq_owner){&threads[i], (uint8_t)id};
                if (channel->peer == INTID_PHYSICAL_TIMER) {
                    threads[i].cntkctl |= CNTKCTL_EL0PTEN;
                }
            }
        }
    }
}

void irq_init_cpu(struct cpu *cpu)
{
    for (uint32_t intid = 0; intid < GIC_MAX_INTID; intid++) {
        const struct irq_owner *owner = &owners[intid];

        if (owner->thread != NULL && owner->thread->cpu == cpu) {
            gic_set_target(intid, owner->thread->config->core);
            gic_enable(intid,
                       owner->thread->config->channels[owner->channel].flags & SYSTEM_IRQ_EDGE);
        }
    }
}

void irq_handle(struct cpu *cpu)
{
    uint32_t answer = gic_acknowledge();
    uint32_t intid = gic_intid(answer);

    if (unlikely(intid >= GIC_MAX_INTID)) {
        return;
    }
    /* It stays active until its owner acknowledges it, and cannot come again before. */
    if (likely(owners[intid].thread != NULL)) {
        struct thread *woken = notification_raise(owners[intid].thread, owners[intid].channel);

        if (woken != NULL) {
            sched_ready(cpu, woken);
        }
        return;
    }
    switch (intid) {
#ifdef CONFIG_ENABLE_SMP_SUPPORT
    case SMP_SGI:
        gic_deactivate(answer);
        smp_interrupt(cpu);
        break;
#endif
    case INTID_VIRTUAL_TIMER:
        vcpu_timer_interrupt(cpu);
        break;
    case INTID_GIC_MAINTENANCE:
        vcpu_maintenance_interrupt(cpu);
        break;
    case INTID_HYP_TIMER:
        sched_timer_interrupt(cpu);
        gic_deactivate(intid);
        break;
    default:
        /* No PD has it, and it was never enabled. It stays active, and does not come again. */
        kprint("kernel: interrupt %u, which is nobody's\n", (uint64_t)intid);
    }
}
