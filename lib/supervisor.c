/* SPDX-License-Identifier: BSD-2-Clause */

#include "supervisor.h"

#include <string.h>
#include "cpu.h"
#include "log.h"

#define ENTRY       0x200000u /* where every PD's program begins: Microkit's linker script */
#define STACK_ALIGN 16u

/* The first registers of seL4_UserContext: the program counter and the stack pointer. */
#define REGISTERS 2u

static void look(struct supervisor *supervisor)
{
    seL4_UserContext context = {0};

    if (seL4_TCB_ReadRegisters(BASE_TCB_CAP + supervisor->child, seL4_False, 0, REGISTERS,
                               &context) == seL4_NoError &&
        context.sp > supervisor->stack) {
        supervisor->stack = context.sp;
    }
}

void supervisor_init(struct supervisor *supervisor, microkit_child child, const char *name)
{
    memset(supervisor, 0, sizeof(*supervisor));
    supervisor->child = child;
    supervisor->name = name;
    look(supervisor);
}

void supervisor_look(struct supervisor *supervisor)
{
    supervisor->looked = true;
    look(supervisor);
}

static void log_fault(const struct supervisor *supervisor, microkit_msginfo info)
{
    seL4_Word label = microkit_msginfo_get_label(info);

    if (label == seL4_Fault_VMFault) {
        log_printf("%s has faulted: an access to 0x%llx at 0x%llx", supervisor->name,
                   (unsigned long long)microkit_mr_get(seL4_VMFault_Addr),
                   (unsigned long long)microkit_mr_get(seL4_VMFault_IP));
    } else {
        bool is_syscall = label == seL4_Fault_UnknownSyscall;
        seL4_Word ip = microkit_mr_get(is_syscall ? seL4_UnknownSyscall_FaultIP : 0);

        log_printf("%s has faulted: kind %u at 0x%llx", supervisor->name, (unsigned)label,
                   (unsigned long long)ip);
    }
}

bool supervisor_fault(struct supervisor *supervisor, microkit_msginfo info)
{
    uint64_t now = cpu_counter();
    uint64_t *oldest = &supervisor->restarts[supervisor->count % SUPERVISOR_RESTARTS];

    log_fault(supervisor, info);
    if (supervisor->given_up || (supervisor->count >= SUPERVISOR_RESTARTS &&
                                 now - *oldest < SUPERVISOR_SECONDS * cpu_counter_frequency())) {
        supervisor->given_up = true;
        log_printf("%s is given up: it has been started again %u times in %u minutes",
                   supervisor->name, SUPERVISOR_RESTARTS, SUPERVISOR_SECONDS / 60);
        return false;
    }
    *oldest = now;
    supervisor->count++;
    return true;
}

bool supervisor_restart(struct supervisor *supervisor)
{
    seL4_UserContext context = {.pc = ENTRY,
                                .sp = supervisor->stack & ~(seL4_Word)(STACK_ALIGN - 1)};

    /* Without a stack of its own to be found it goes on with what it has. */
    seL4_Error error = seL4_TCB_WriteRegisters(BASE_TCB_CAP + supervisor->child, seL4_True, 0,
                                               context.sp != 0 ? REGISTERS : 1, &context);

    if (error != seL4_NoError) {
        supervisor->given_up = true;
        log_printf("%s cannot be started: error %u", supervisor->name, (unsigned)error);
    }
    return error == seL4_NoError;
}
