/* SPDX-License-Identifier: BSD-2-Clause */

#include "timer.h"

#include <microkit.h>
#include "cpu.h"
#include "drivers/timer/protocol.h"
#include "vcpu.h"
#include "vgic.h"

/* CNTV_CTL_EL0 (Arm DDI 0487, D19.12.18). */
#define CNTV_CTL_ENABLE (1u << 0)
#define CNTV_CTL_IMASK  (1u << 1)

#define REMINDERS_OF_PARKED_PER_SECOND 2000u

static struct {
    microkit_channel channel;
    uint64_t offset;                  /* CNTVOFF_EL2 of all vCPUs */
    uint64_t armed;                   /* what the driver will wake us at, or TIMER_NEVER */
    uint64_t reminder;                /* of the devices, or TIMER_NEVER */
    uint64_t deadline[VMM_MAX_VCPUS]; /* of parked and held vCPUs; in CNTPCT ticks */
} timer;

void timer_init(uint8_t channel)
{
    timer.channel = channel;
    timer.armed = TIMER_NEVER;
    timer.reminder = TIMER_NEVER;
}

uint64_t timer_start_clock(void)
{
    timer.offset = cpu_counter();
    return timer.offset;
}

uint64_t timer_clock_offset(void)
{
    return timer.offset;
}

/*
 * See to it that the driver wakes us at `deadline` or before. A wake-up that is set stays set when
 * its vCPU is woken by something else: it may serve again.
 */
static void arm(uint64_t deadline)
{
    if (deadline >= timer.armed) {
        return;
    }
    timer.armed = deadline;
    microkit_mr_set(0, deadline);
    microkit_ppcall(timer.channel, microkit_msginfo_new(TIMER_SET, 1));
}

/* When the vCPU's timer will interrupt it, or TIMER_NEVER. */
static uint64_t next_expiry(uint8_t vcpu)
{
    uint64_t control, expiry;

    if (!vgic_timer_enabled(vcpu)) {
        return TIMER_NEVER;
    }
    control = microkit_vcpu_arm_read_reg(vcpu, seL4_VCPUReg_CNTV_CTL);
    if ((control & (CNTV_CTL_ENABLE | CNTV_CTL_IMASK)) != CNTV_CTL_ENABLE) {
        return TIMER_NEVER;
    }
    expiry = microkit_vcpu_arm_read_reg(vcpu, seL4_VCPUReg_CNTV_CVAL) + timer.offset;
    /* A compare value so large that the sum wraps lies beyond the life of the machine. */
    return expiry < timer.offset ? TIMER_NEVER : expiry;
}

/* Not at once: what the vCPU waits for often comes by another's doing, if that has its turn now. */
static void hasten_reminder(uint64_t now)
{
    uint64_t soon = now + cpu_counter_frequency() / REMINDERS_OF_PARKED_PER_SECOND;

    if (soon < timer.reminder) {
        timer.reminder = soon;
    }
}

bool timer_prepare_to_park(uint8_t vcpu)
{
    uint64_t expiry = next_expiry(vcpu);
    uint64_t now = cpu_counter();

    timer.deadline[vcpu] = expiry;
    if (expiry <= now) {
        return false;
    }
    if (timer.reminder != TIMER_NEVER) {
        hasten_reminder(now);
    }
    arm(expiry < timer.reminder ? expiry : timer.reminder); /* TIMER_NEVER: nothing */
    return true;
}

void timer_prepare_to_pause(uint8_t vcpu, uint64_t ticks)
{
    uint64_t expiry = next_expiry(vcpu);
    uint64_t now = cpu_counter();

    timer.deadline[vcpu] = expiry > now && expiry < now + ticks ? expiry : now + ticks;
    arm(timer.deadline[vcpu]);
}

void timer_release_at(uint8_t vcpu, uint64_t deadline)
{
    timer.deadline[vcpu] = deadline;
    arm(deadline);
}

static bool waits(uint8_t vcpu)
{
    return vcpu_state(vcpu) == VCPU_PARKED || vcpu_state(vcpu) == VCPU_HELD;
}

void timer_remind(uint64_t ticks)
{
    uint64_t deadline = cpu_counter() + ticks;

    if (deadline < timer.reminder) {
        timer.reminder = deadline;
        arm(deadline);
    }
}

bool timer_take_reminder(void)
{
    if (timer.reminder > cpu_counter()) {
        return false;
    }
    timer.reminder = TIMER_NEVER;
    return true;
}

void timer_notified(void)
{
    uint64_t now = cpu_counter();
    uint64_t next = timer.reminder <= now ? TIMER_NEVER : timer.reminder;

    timer.armed = TIMER_NEVER;
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (!waits(v)) {
            continue;
        }
        if (timer.deadline[v] <= now) {
            vcpu_wake(v);
            vcpu_release(v);
        } else if (timer.deadline[v] < next) {
            next = timer.deadline[v];
        }
    }
    arm(next);
}
