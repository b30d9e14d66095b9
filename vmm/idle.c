/* SPDX-License-Identifier: BSD-2-Clause */

#include "idle.h"

#include "lib/cpu.h"
#include "pl011.h"
#include "timer.h"
#include "vcpu.h"
#include "vgic.h"
#include "vmm/virtio/virtio.h"

#define INSTRUCTION_SIZE 4u

/* Linux has the architecture's event stream end a WFE after as long. */
#define PAUSES_PER_SECOND 10000u

static uint32_t paused; /* bit v: vCPU v may sit on a WFE; it may be running again, too */

static void end_pauses(void)
{
    while (paused) {
        vcpu_wake((uint8_t)__builtin_ctz(paused));
        paused &= paused - 1;
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
    paused &= ~(1u << vcpu);
    end_pauses();
    return true;
}

static bool others_run(uint8_t vcpu)
{
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (v != vcpu && vcpu_state(v) == VCPU_ON) {
            return true;
        }
    }
    return false;
}

void idle_pause(uint8_t vcpu, uint64_t pc)
{
    uint64_t length = cpu_counter_frequency() / PAUSES_PER_SECOND;

    if (!others_run(vcpu)) {
        vcpu_resume(vcpu, pc + INSTRUCTION_SIZE);
        return;
    }
    timer_prepare_to_pause(vcpu, length);
    vcpu_set(vcpu, pc + INSTRUCTION_SIZE, VCPU_REGISTER_ZERO, 0);
    vcpu_park(vcpu);
    paused |= 1u << vcpu;
}
