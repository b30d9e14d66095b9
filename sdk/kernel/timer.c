/* SPDX-License-Identifier: BSD-2-Clause */

#include "timer.h"

void timer_init(void)
{
    timer_stop();
    write_sysreg(cntv_ctl_el0, 0);
    write_sysreg(cntp_ctl_el0, 0);
    write_sysreg(cntvoff_el2, 0);
    write_sysreg(cnthctl_el2, CNTHCTL_PD);
    write_sysreg(cntkctl_el1, CNTKCTL_PD);
}

uint64_t timer_ticks(uint64_t microseconds)
{
    uint64_t frequency = read_sysreg(cntfrq_el0);
    uint64_t seconds = microseconds / 1000000;
    uint64_t ticks = seconds * frequency + microseconds % 1000000 * frequency / 1000000;

    return ticks > 0 ? ticks : 1;
}

uint64_t timer_microseconds(uint64_t ticks)
{
    uint64_t frequency = read_sysreg(cntfrq_el0);

    return ticks / frequency * 1000000 + ticks % frequency * 1000000 / frequency;
}
