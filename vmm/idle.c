/* SPDX-License-Identifier: BSD-2-Clause */

#include "idle.h"

#include "lib/cpu.h"
#include "panic.h"
#include "pl011.h"
#include "timer.h"
#include "vcpu.h"
#include "vgic.h"
#include "vmm/virtio/virtio.h"

/*
 * A vCPU that spins yields for 100 us: Linux has the architecture's event stream end a WFE as
 * often. One that may be spinning yields for that, or a half, a quarter or an eighth of it, at
 * random. Two vCPUs can pass a fair lock to one another again and again, each time to the one that
 * is stopped. That ends when the other one is stopped between two uses of the lock.
 */
#define SPINS_PER_SECOND 10000u
#define SPIN_SHIFTS      4u

/* A vCPU that gives its siblings a turn waits for them so long at most: two ticks of Linux. */
#define TURNS_PER_SECOND 125u

static struct {
    const uint8_t *core; /* of each vCPU */
    uint32_t yielding;   /* bit v: vCPU v has yielded, and may be parked there still */
    uint32_t random;
} idle;

void idle_init(const uint8_t core[VMM_MAX_VCPUS])
{
    idle.core = core;
    idle.yielding = 0;
}

/* Whether another vCPU runs on this one's core, or could. */
static bool sibling_on(uint8_t vcpu)
{
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (v != vcpu && idle.core[v] == idle.core[vcpu] && vcpu_state(v) == VCPU_ON) {
            return true;
        }
    }
    return false;
}

/* The next vCPU behind this one that has yielded on its core, or VCPU_NONE. */
static uint8_t next_yielding(uint8_t vcpu)
{
    for (uint8_t i = 1; i < vcpu_count(); i++) {
        uint8_t v = (uint8_t)((vcpu + i) % vcpu_count());

        if ((idle.yielding & (1u << v)) && vcpu_state(v) == VCPU_PARKED &&
            idle.core[v] == idle.core[vcpu]) {
            return v;
        }
    }
    return VCPU_NONE;
}

static void wake_yielding(uint8_t vcpu)
{
    uint8_t next = next_yielding(vcpu);

    if (next != VCPU_NONE) {
        idle.yielding &= ~(1u << next);
        vcpu_wake(next);
    }
}

void idle_left(uint8_t vcpu)
{
    if (!sibling_on(vcpu)) {
        wake_yielding(vcpu);
    }
}

/* Whether all vCPUs wait for interrupts. One that has yielded does not. */
static bool all_idle(void)
{
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        bool parked = vcpu_state(v) == VCPU_PARKED && !(idle.yielding & (1u << v));

        if (vcpu_state(v) != VCPU_OFF && !parked) {
            return false;
        }
    }
    return true;
}

bool idle_park(uint8_t vcpu)
{
    virtio_idle();
    pl011_flush(); /* it may interrupt, so before the vCPU's interrupts are looked at */
    enum timer_parking parking = vgic_unseen(vcpu) ? TIMER_EXPIRED : timer_prepare_to_park(vcpu);

    if (parking == TIMER_STAYS_ON) {
        panic_idle(); /* it has one vCPU */
    }
    if (parking != TIMER_PARKS) {
        return false;
    }
    vcpu_park(vcpu);
    idle.yielding &= ~(1u << vcpu);
    if (all_idle()) {
        panic_idle();
    }
    idle_left(vcpu);
    return true;
}

static void yield(uint8_t vcpu, uint64_t ticks)
{
    timer_prepare_to_yield(vcpu, ticks);
    vcpu_park(vcpu);
    idle_left(vcpu);
    idle.yielding |= 1u << vcpu;
}

void idle_yield(uint8_t vcpu, uint64_t behind)
{
    if (timer_is_late()) {
        wake_yielding(vcpu);
    }
    if (!sibling_on(vcpu) || timer_is_late()) {
        vcpu_resume(vcpu, behind);
        return;
    }
    vcpu_set(vcpu, behind, VCPU_REGISTER_ZERO, 0);
    yield(vcpu, cpu_counter_frequency() / SPINS_PER_SECOND);
}

static uint32_t random_shift(void)
{
    idle.random = idle.random * 1664525u + 1013904223u;
    return (idle.random >> 16) % SPIN_SHIFTS;
}

void idle_tick(uint8_t vcpu)
{
    struct vcpu_frame frame;

    if (!sibling_on(vcpu) && next_yielding(vcpu) == VCPU_NONE) {
        return;
    }
    frame = vcpu_get_frame(vcpu);
    if ((frame.pstate & PSTATE_MODE_MASK) == PSTATE_MODE_EL0T) {
        yield(vcpu, cpu_counter_frequency() / TURNS_PER_SECOND);
    } else if ((frame.pstate & PSTATE_I) && !timer_is_late()) {
        yield(vcpu, (cpu_counter_frequency() / SPINS_PER_SECOND) >> random_shift());
    }
}
