/* SPDX-License-Identifier: BSD-2-Clause */

#include "pace.h"

#include "lib/cpu.h"
#include "throttle.h"
#include "timer.h"

static struct {
    bool waits;     /* pauses have a length of their own */
    uint64_t begin; /* of the event, */
    uint64_t until; /* and of the next piece; 0: it does not pause */
} pace;

void pace_init(bool has_others, bool has_equals)
{
    pace.waits = has_others && !has_equals;
    pace.until = 0;
}

void pace_begin(uint64_t now)
{
    pace.begin = now;
}

uint64_t pace_elapsed(void)
{
    return cpu_counter() - pace.begin;
}

void pace_pause(uint64_t work)
{
    pace.until = pace.begin + (pace.waits ? 2 * work : work);
    timer_pause_until(pace.until);
}

bool pace_pauses(void)
{
    return pace.until != 0;
}

bool pace_over(void)
{
    if (pace.until == 0 || throttle_active() || cpu_counter() < pace.until) {
        return false;
    }
    pace.until = 0;
    return true;
}
