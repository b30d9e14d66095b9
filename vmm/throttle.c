/* SPDX-License-Identifier: BSD-2-Clause */

#include "throttle.h"

#include "cpu.h"
#include "timer.h"
#include "vcpu.h"

#define WINDOWS_PER_SECOND   250u /* how long is looked at */
#define LONGEST_HOLD_DIVISOR 4u   /* of a second: a restart takes long, once */

static struct {
    uint64_t window; /* when it began */
    uint64_t spent;  /* on exits since then */
    uint64_t hold;   /* until when vCPUs that exit are held */
} throttle;

void throttle_reset(void)
{
    throttle.window = cpu_counter();
    throttle.spent = 0;
    throttle.hold = 0;
}

static void close_window(uint64_t now)
{
    uint64_t longest = cpu_counter_frequency() / LONGEST_HOLD_DIVISOR;

    if (throttle.spent > (now - throttle.window) / 2) {
        throttle.hold = now + (throttle.spent < longest ? throttle.spent : longest);
    }
    throttle.window = now;
    throttle.spent = 0;
}

bool throttle_exit(uint8_t vcpu, uint64_t begin, uint64_t end)
{
    throttle.spent += end - begin;
    if (end - throttle.window >= cpu_counter_frequency() / WINDOWS_PER_SECOND) {
        close_window(end);
    }
    if (end >= throttle.hold || vcpu_state(vcpu) != VCPU_ON) {
        return false;
    }
    vcpu_hold(vcpu);
    timer_release_at(vcpu, throttle.hold);
    return true;
}
