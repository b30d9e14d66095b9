/* SPDX-License-Identifier: BSD-2-Clause */

#include "command.h"

#include <stdint.h>
#include "console_port.h"
#include "lib/control.h"
#include "vm.h"

static uint32_t seen; /* the word that was done last */

void command_init(void)
{
    seen = console_port_command();
}

static void execute(uint8_t verb)
{
    switch (verb) {
    case CONTROL_START:
        vm_start(VM_BY_PERSON);
        break;
    case CONTROL_STOP:
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

void command_check(void)
{
    uint32_t word = console_port_command();

    if (word != seen) {
        seen = word;
        execute((uint8_t)word);
    }
}
