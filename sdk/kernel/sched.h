/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Who runs: the thread of the highest priority that is ready and has budget. Equal ones take turns.
 * Time is counted only while it decides something: for a thread whose budget is less than its
 * period, and for one that has an equal waiting.
 *
 * cpu->next is the choice; it is in no queue. Most often a thread becomes ready only to run as soon
 * as the current one waits, or the other way round, and a queue would be a detour. cpu->standby is
 * such a thread: lower than next, and before all those in queues.
 */

#include "cpu.h"

/* The parts of the functions below that are seldom needed. */
void sched_ready_slowly(struct cpu *cpu, struct thread *thread);
void sched_remove_slowly(struct cpu *cpu, struct thread *thread);
void sched_handoff_slowly(struct cpu *cpu, struct thread *from, struct thread *to);

/* Nobody is ready, and no time is counted. */
void sched_init(struct cpu *cpu);

/* Make a thread that has a scheduling context ready; it was not. */
static inline void sched_ready(struct cpu *cpu, struct thread *thread)
{
    struct thread *next = cpu->next;

    if (likely(next != NULL && cpu->standby == NULL && thread->sc->remaining != 0)) {
        if (thread->priority > next->priority && next->priority >= cpu->ready_top) {
            thread->state = THREAD_READY;
            cpu->standby = next;
            cpu->next = thread;
            return;
        }
        if (thread->priority < next->priority && thread->priority >= cpu->ready_top) {
            thread->state = THREAD_READY;
            cpu->standby = thread;
            return;
        }
    }
    sched_ready_slowly(cpu, thread);
}

/* A ready thread is so no longer; the caller sets its new state. */
static inline void sched_remove(struct cpu *cpu, struct thread *thread)
{
    if (likely(thread == cpu->next && cpu->standby != NULL)) {
        cpu->next = cpu->standby;
        cpu->standby = NULL;
        return;
    }
    sched_remove_slowly(cpu, thread);
}

/* The same for two threads at once: `from` blocks, `to` becomes ready. */
static inline void sched_handoff(struct cpu *cpu, struct thread *from, struct thread *to)
{
    if (likely(from == cpu->next && to->sc->remaining != 0 &&
               (to->priority >= from->priority ||
                (cpu->standby == NULL && to->priority >= cpu->ready_top)))) {
        to->state = THREAD_READY;
        cpu->next = to;
        return;
    }
    sched_handoff_slowly(cpu, from, to);
}

/* The current thread gives up what is left of its budget. */
void sched_yield(struct cpu *cpu);

/* The current thread goes on with another scheduling context. */
void sched_context_changed(struct cpu *cpu);

/* INTID_HYP_TIMER. */
void sched_timer_interrupt(struct cpu *cpu);

/* Make cpu->next the current thread and load what belongs to it; called by the vectors. */
struct thread *cpu_switch(struct cpu *cpu);
