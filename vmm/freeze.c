/* SPDX-License-Identifier: BSD-2-Clause */

#include "freeze.h"

#include "lib/cpu.h"
#include "throttle.h"
#include "timer.h"
#include "vcpu.h"
#include "vgic.h"

/* How long a vCPU may run on without an exit: a part of a second. */
#define EXIT_PER_SECOND 50u

static struct {
    bool active;
    bool running;        /* one of the vCPUs may be */
    uint64_t look_at;    /* when to stop it, in ticks of the counter */
    uint32_t forced;     /* bit v: vCPU v was stopped between two exits */
    uint64_t stopped_at; /* when the last vCPU was stopped: time has stood still since then */
} freeze;

void freeze_reset(void)
{
    freeze.active = false;
    freeze.running = false;
    freeze.forced = 0;
}

bool freeze_active(void)
{
    return freeze.active;
}

static bool any_runs(void)
{
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (vcpu_state(v) == VCPU_ON || vcpu_state(v) == VCPU_RESETTING) {
            return true;
        }
    }
    return false;
}

static void look_again(uint64_t now)
{
    freeze.running = any_runs();
    freeze.stopped_at = now;
    if (freeze.running) {
        freeze.look_at = now + cpu_counter_frequency() / EXIT_PER_SECOND;
        timer_freeze_at(freeze.look_at);
    }
}

void freeze_begin(void)
{
    if (!freeze.active) {
        freeze.active = true;
        look_again(cpu_counter());
    }
}

bool freeze_exit_ends(uint8_t vcpu, bool waits)
{
    if (!freeze.active) {
        return waits;
    }
    if (waits && vcpu_state(vcpu) == VCPU_ON) {
        vcpu_throttle(vcpu);
        waits = false;
    }
    if (freeze.running && !any_runs()) {
        freeze.running = false;
        freeze.stopped_at = cpu_counter();
    }
    return waits;
}

/* One that clears its registers (reset_program.h) is let alone: it takes no time, and exits. */
void freeze_timer_expired(uint64_t now)
{
    if (!freeze.running || now < freeze.look_at) {
        return;
    }
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        if (vcpu_state(v) == VCPU_ON) {
            vcpu_throttle(v);
            freeze.forced |= 1u << v;
        }
    }
    look_again(now);
}

/* Parked ones look at their timers anew, which expire later now. */
static void thaw(uint8_t vcpu, uint64_t offset, uint32_t forced)
{
    if (vcpu_state(vcpu) == VCPU_OFF) {
        return;
    }
    vcpu_set_counter_offset(vcpu, offset);
    if ((forced >> vcpu & 1u) != 0) {
        vgic_find_timer(vcpu);
    }
    vcpu_wake(vcpu);
    if (!throttle_active()) {
        vcpu_unthrottle(vcpu);
    }
}

void freeze_end(void)
{
    uint32_t forced = freeze.forced;
    uint64_t offset;

    if (!freeze.active) {
        return;
    }
    offset = timer_delay_clock(freeze.running ? 0 : cpu_counter() - freeze.stopped_at);
    freeze_reset();
    for (uint8_t v = 0; v < vcpu_count(); v++) {
        thaw(v, offset, forced);
    }
    timer_resumed();
}
