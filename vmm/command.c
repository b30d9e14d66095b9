/* SPDX-License-Identifier: BSD-2-Clause */

#include "command.h"

#include <stdbool.h>
#include <stdint.h>
#include "console_port.h"
#include "drivers/timer/protocol.h"
#include "freeze.h"
#include "lib/control.h"
#include "lib/cpu.h"
#include "lib/log.h"
#include "timer.h"
#include "vm.h"
#include "vmm/virtio/input.h"

/* How long a guest may take to shut down, after its power button was pressed. */
#define STOP_SECONDS 30u

static struct {
    uint32_t seen;
    bool stopping;    /* the guest was asked to shut down, */
    bool pressed;     /* and has heard of it */
    uint64_t stop_at; /* when it is powered off, in ticks of the guest's time */
} command;

static uint64_t seconds(uint64_t count)
{
    return count * cpu_counter_frequency();
}

void command_init(void)
{
    command.seen = console_port_command();
    command.stopping = false;
    command.pressed = false;
}

void command_reset(void)
{
    if (command.stopping) {
        command.stopping = false;
        timer_stop_at(TIMER_NEVER);
    }
}

/* A guest that starts may listen to its button soon. */
static void press(void)
{
    if (!command.pressed && virtio_input_press_power_button()) {
        command.pressed = true;
        log_printf("its power button was pressed");
    }
}

static void look_again(void)
{
    uint64_t soon = cpu_counter() + seconds(1);
    uint64_t end = command.stop_at + timer_clock_offset();

    timer_stop_at(!freeze_active() && (command.pressed || end < soon) ? end : soon);
}

/* One that does not run is powered off at once. A second request does not give it more time. */
static void stop(void)
{
    if (!vm_running()) {
        vm_stop(VM_BY_PERSON);
        return;
    }
    if (!command.stopping) {
        command.stopping = true;
        command.stop_at = timer_guest_time() + seconds(STOP_SECONDS);
        log_printf("it has %u s to shut down", STOP_SECONDS);
    }
    command.pressed = false;
    press();
    look_again();
}

void command_check(void)
{
    uint32_t word = console_port_command();

    if (word == command.seen) {
        return;
    }
    command.seen = word;
    switch (word & 0xffu) {
    case CONTROL_START:
        vm_start(VM_BY_PERSON);
        break;
    case CONTROL_STOP:
        stop();
        break;
    case CONTROL_KILL:
        vm_stop(VM_BY_PERSON);
        break;
    case CONTROL_RESTART:
        vm_restart(VM_BY_PERSON);
        break;
    case CONTROL_PAUSE:
        vm_pause();
        break;
    case CONTROL_RESUME:
        vm_resume();
        break;
    default:
        break;
    }
}

void command_timer_expired(void)
{
    if (!command.stopping) {
        return;
    }
    if (!freeze_active() && timer_guest_time() >= command.stop_at) {
        log_printf("it has not shut down in %u s", STOP_SECONDS);
        vm_stop(VM_BY_PERSON);
        return;
    }
    if (!freeze_active()) {
        press();
    }
    look_again();
}
