/* SPDX-License-Identifier: BSD-2-Clause */

#include "idle.h"

#include "pl011.h"
#include "timer.h"
#include "vcpu.h"
#include "vgic.h"

bool idle_park(uint8_t vcpu)
{
    if (vgic_pending(vcpu) || !timer_prepare_to_park(vcpu)) {
        return false;
    }
    pl011_flush();
    vcpu_park(vcpu);
    return true;
}
