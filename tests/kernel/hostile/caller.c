/* SPDX-License-Identifier: BSD-2-Clause */

#include "tests/kernel/common/check.h"

#define PSCI_VERSION 0x84000000u

void init(void)
{
    seL4_ARM_SMCContext context = {.x0 = PSCI_VERSION};

    microkit_arm_smc_call(&context, &context);
    check("smc_call", context.x0 >= 2 && context.x0 < 0x100000);

    /* Functions that no firmware has, whatever else the registers say. */
    context = (seL4_ARM_SMCContext){.x0 = 0xc3001234, .x1 = ~0ul, .x7 = 1};
    microkit_arm_smc_call(&context, &context);
    check_equal("smc_unknown_function", context.x0 & 0xffffffff, 0xffffffff);
}

void notified(microkit_channel ch)
{
    (void)ch;
}
