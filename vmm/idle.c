/* SPDX-License-Identifier: BSD-2-Clause */

#include "idle.h"

#include "lib/cpu.h"
#include "pl011.h"
#include "timer.h"
#include "vcpu.h"
#include "vgic.h"
#include "vmm/virtio/virtio.h"

#define INSTRUCTION_SIZE 4u

/* As often as Linux has the architecture's event stream end a WFE. */
#define YIELDS_PER_SECOND 10000u

static uint32_t yielding; /* bit v: vCPU v has yielded at a WFE, and may be parked there still */

static void end_yields(void)
{
    while (yielding) {
        vcpu_wake((uint8_t)__builtin_ctz(yielding));
        yielding &= yielding - 1;
    }
}

bool idle_park(uint8_t vcpu)
{
    virtio_idle();
    if (vgic_pending(vcpu) || !timer_prepare_to_park(vcpu)) {
        return false;
    }
    pl011_flush();
    vcpu_park(vcpu);
    yielding &= ~(1u << vcpu);
    end_yields();
    return true;
}

static bool others_on(uint8_t vcpu)
{
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (v != vcpu && vcpu_state(v) == VCPU_ON) {
            return true;
        }
    }
    return false;
}

void idle_yield(uint8_t vcpu, uint64_t pc)
{
    uint64_t length = cpu_counter_frequency() / YIELDS_PER_SECOND;

    if (!others_on(vcpu)) {
        vcpu_resume(vcpu, pc + INSTRUCTION_SIZE);
        return;
    }
    timer_prepare_to_yield(vcpu, length);
    vcpu_set(vcpu, pc + INSTRUCTION_SIZE, VCPU_REGISTER_ZERO, 0);
    vcpu_park(vcpu);
    yielding |= 1u << vcpu;
}
