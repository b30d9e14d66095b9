/* SPDX-License-Identifier: BSD-2-Clause */

#include "crash.h"

#include "drivers/timer/protocol.h"
#include "lib/cpu.h"
#include "stats.h"
#include "timer.h"

#define SECONDS_TO_BE_SOUND 60u

enum crash_state { SOUND, WAITING, ON_TRIAL, HELD };

static struct {
    enum vmm_on_crash policy;
    enum crash_state state;
    unsigned restarts; /* in a row */
    uint64_t restart;  /* waiting: when, in ticks of the counter */
    bool begun;        /* on trial: its guest runs */
} crash;

static uint64_t seconds(unsigned count)
{
    return count * cpu_counter_frequency();
}

void crash_init(enum vmm_on_crash policy)
{
    crash.policy = policy;
    crash_forget();
}

static bool has_become_sound(void)
{
    return crash.state == ON_TRIAL && crash.begun &&
           timer_guest_time() >= seconds(SECONDS_TO_BE_SOUND);
}

unsigned crash_happened(void)
{
    uint64_t now = cpu_counter();
    unsigned delay;

    STATS_COUNT_ONE(crashes);
    if (has_become_sound()) {
        crash_forget();
    }
    if (crash.policy != VMM_ON_CRASH_RESTART || crash.restarts == CRASH_RESTARTS) {
        crash.state = HELD;
        return 0;
    }
    delay = 1u << crash.restarts;
    crash.restarts++;
    crash.state = WAITING;
    crash.restart = now + seconds(delay);
    timer_restart_at(crash.restart);
    return delay;
}

unsigned crash_restarts(void)
{
    return crash.restarts;
}

bool crash_timer_expired(void)
{
    uint64_t now = cpu_counter();

    if (crash.state != WAITING || now < crash.restart) {
        return false;
    }
    crash.state = ON_TRIAL;
    crash.begun = false;
    return true;
}

void crash_forget(void)
{
    crash.state = SOUND;
    crash.restarts = 0;
    timer_restart_at(TIMER_NEVER);
}

void crash_guest_begins(void)
{
    crash.begun = true;
}
