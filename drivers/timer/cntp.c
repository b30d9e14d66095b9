/* SPDX-License-Identifier: BSD-2-Clause */

/* The EL1 physical timer of this core (Arm DDI 0487, D11.2), PPI 30. */

#include "cntp.h"

#include <stddef.h>
#include "chip.h"

const char *chip_start(uintptr_t registers)
{
    (void)registers;
    cntp_disarm();
    return NULL;
}

void chip_arm(uint64_t deadline, uint64_t now)
{
    (void)now;
    cntp_arm(deadline);
}

void chip_disarm(void)
{
    cntp_disarm();
}

/* The interrupt is up as long as the deadline has passed. The next one takes it down. */
bool chip_acknowledge(void)
{
    return true;
}
