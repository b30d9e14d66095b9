/* SPDX-License-Identifier: BSD-2-Clause */

#include "vcpu.h"

/* Its guest fills the FP registers, exits, and has them compared whenever monitor asks for it. */

void init(void)
{
    copy_guest();
}

void notified(microkit_channel ch)
{
    static bool started;

    if (!started) {
        started = true;
        start_with(0, guest_fpu, 0x3333333300000000, 0);
        wait_event();
        check("fpu_other_machine_exits", is_smc(0, 0x1e));
    } else {
        next(0);
        wait_event();
        check_equal("fpu_kept_between_machines", registers(0).x0, 1);
    }
    microkit_notify(ch);
}
