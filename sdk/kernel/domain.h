/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Domains: the core's time is divided into turns, one after the other and then from the first
 * again. In a turn only threads of its domain run, whatever the priorities of others. If none of
 * them can run, the core idles.
 *
 * A thread of another domain becomes ready like any other, and gets as far as cpu->next. There the
 * scheduler puts it into its domain's queue, where it waits for the next turn (sched.c). So ready
 * threads of a domain are in its queue while other domains have their turns. All of them change
 * places when a turn begins: the work of that grows with their number.
 *
 * As on seL4 a turn lasts as long as the schedule says, counted from its own beginning. Interrupts
 * and replenishments wake threads in others' turns as well, and kernels for several cores have no
 * domains.
 */

#include "cpu.h"

/* The turn under way. */
extern struct turn {
    const struct system_turn *schedule; /* of the boot image */
    uint32_t count;                     /* of turns in it */
    uint32_t index;                     /* which of them it is */
    uint32_t domain;                    /* whose it is */
    uint64_t end;                       /* on the counter */
} turn;

/* Begin with the first turn of a checked boot image that has a schedule, and arm the timer, which
 * nobody else has done. */
void domain_init(struct cpu *cpu, const struct system_header *system);

/* Begin the next turn. Returns true if another domain has it. */
bool domain_next_turn(uint64_t now);

/* Have a ready thread that is in no queue wait for a turn of its domain. */
void domain_wait(struct thread *thread);

/* Take out a thread that waits. */
void domain_remove(struct thread *thread);

/* Take out one that waited for the turn under way, in the order in which they came, or NULL. */
struct thread *domain_take(void);

/* Whether `thread` may run in this turn. */
static inline bool domain_has_turn(const struct thread *thread)
{
    return thread->domain == turn.domain;
}

/* Whether there are turns at all. */
static inline bool domain_in_use(const struct cpu *cpu)
{
    return !IS_SMP && unlikely(cpu->has_domains);
}
