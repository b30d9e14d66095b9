/* SPDX-License-Identifier: BSD-2-Clause */

/* For fuzzers: what a PD says goes nowhere, and nobody is woken. */

#include <microkit.h>
#include "lib/log.h"
#include "lib/supervised.h"
#include "lib/supervisor.h"

void log_init(const char *who, struct ring *out, microkit_channel channel)
{
    (void)who;
    (void)out;
    (void)channel;
}

void log_open(const char *who, void *region, uint32_t size, microkit_channel channel)
{
    (void)who;
    (void)region;
    (void)size;
    (void)channel;
}

bool log_await_space(uint32_t count)
{
    (void)count;
    return true;
}

void log_printf(const char *format, ...)
{
    (void)format;
}

void log_limited(const char *format, ...)
{
    (void)format;
}

void microkit_notify(microkit_channel channel)
{
    (void)channel;
}

/* No child faults. */

void supervisor_init(struct supervisor *supervisor, microkit_child child, const char *name)
{
    *supervisor = (struct supervisor){.child = child, .name = name};
}

void supervisor_look(struct supervisor *supervisor)
{
    supervisor->looked = true;
}

bool supervisor_fault(struct supervisor *supervisor, microkit_msginfo info)
{
    (void)supervisor;
    (void)info;
    return false;
}

bool supervisor_restart(struct supervisor *supervisor)
{
    (void)supervisor;
    return false;
}

bool supervised_again(void)
{
    return false;
}
