/* SPDX-License-Identifier: BSD-2-Clause */

#include "command.h"

#include <stdbool.h>
#include <stdint.h>
#include "console_port.h"
#include "drivers/timer/protocol.h"
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
    bool stopping;
    uint64_t stop_at; /* in ticks of the counter */
} command;

void command_init(void)
{
    command.seen = console_port_command();
    command.stopping = false;
}

void command_reset(void)
{
    if (command.stopping) {
        command.stopping = false;
        timer_stop_at(TIMER_NEVER);
    }
}

/* A guest that does not listen to its button, or does not run, is powered off at once. */
static void stop(void)
{
    if (!vm_running() || !virtio_input_press_power_button()) {
        vm_stop(VM_BY_PERSON);
        return;
    }
    log_printf("its power button was pressed; it has %u s", STOP_SECONDS);
    command.stopping = true;
    command.stop_at = cpu_counter() + STOP_SECONDS * cpu_counter_frequency();
    timer_stop_at(command.stop_at);
}

void command_check(void)
{
    uint32_t word = console_port_command();

    if (word == command.seen) {
        return;
    }
    command.seen = word;
    command_reset();
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
    if (command.stopping && cpu_counter() >= command.stop_at) {
        command.stopping = false;
        if (vm_running()) {
            log_printf("it has not shut down in %u s", STOP_SECONDS);
            vm_stop(VM_BY_PERSON);
        }
    }
}
