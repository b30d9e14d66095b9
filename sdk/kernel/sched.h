/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The scheduler: fixed priorities, round robin within a priority, sporadic budgets.
 *
 * The thread of the highest priority that is ready and has budget runs. Time is accounted only
 * while it decides something: for a thread whose budget is less than its period, and for a thread
 * with a ready equal; and for a context that a PD may ask for (<cspace>). If there are domains,
 * only threads of one run at a time (domain.h). A thread that uses little of what its equals use
 * does not wait for their time slices ("Light threads" in sched.c).
 *
 * cpu->next is the choice. It is in no queue. cpu->ready_cache is a cache of one thread in front of
 * the ready queues: its priority is lower than that of next, and it runs before all threads in
 * queues. Most threads become ready only to run as soon as the current one blocks, or are preempted
 * only until then. The cache saves them the queue.
 */

#include "smp.h"

/* The slow paths of the functions below. */
void sched_ready_slowpath(struct cpu *cpu, struct thread *thread);
void sched_remove_slowpath(struct cpu *cpu, struct thread *thread);
void sched_handoff_slowpath(struct cpu *cpu, struct thread *from, struct thread *to);

/* No thread is ready, and no time is accounted. */
void sched_init(struct cpu *cpu);

/* Make a thread that has a scheduling context ready; it was not. */
static inline void sched_ready(struct cpu *cpu, struct thread *thread)
{
    struct thread *next = cpu->next;

    if (likely(next != NULL && cpu->ready_cache == NULL && thread->sc->remaining != 0)) {
        if (thread->priority > next->priority && next->priority >= cpu->ready_top) {
            thread->state = THREAD_READY;
            cpu->ready_cache = next;
            cpu->next = thread;
            return;
        }
        if (thread->priority < next->priority && thread->priority > cpu->ready_top) {
            thread->state = THREAD_READY;
            cpu->ready_cache = thread;
            return;
        }
    }
    sched_ready_slowpath(cpu, thread);
}

/* A ready thread blocks or stops. The caller sets its new state. */
static inline void sched_remove(struct cpu *cpu, struct thread *thread)
{
    if (likely(thread == cpu->next && cpu->ready_cache != NULL)) {
        cpu->next = cpu->ready_cache;
        cpu->ready_cache = NULL;
        return;
    }
    sched_remove_slowpath(cpu, thread);
}

/* Both at once: `from` blocks, and `to` becomes ready. The caller sets the state of `from`. */
static inline void sched_handoff(struct cpu *cpu, struct thread *from, struct thread *to)
{
    if (likely(from == cpu->next && to->sc->remaining != 0 &&
               (to->priority >= from->priority ||
                (cpu->ready_cache == NULL && to->priority >= cpu->ready_top)))) {
        to->state = THREAD_READY;
        cpu->next = to;
        return;
    }
    sched_handoff_slowpath(cpu, from, to);
}

/*
 * Make a vCPU ready that another core has woken or answered; it was not. If it has some of its time
 * slice left, it goes on with that at once, in front of an equal that has run meanwhile. On one
 * core its monitor, which is above both, would have come between. Otherwise a vCPU that exits for
 * each of its timer's interrupts could lose the core each time to equals that spin, and get
 * nowhere.
 */
void sched_ready_in_front(struct cpu *cpu, struct thread *thread);

/* Make a thread of any core ready; it was not. */
static inline void sched_wake(struct cpu *cpu, struct thread *thread)
{
    if (smp_is_remote(cpu, thread)) {
        smp_wake(thread);
        return;
    }
    sched_ready(cpu, thread);
}

/* `from` blocks, as with sched_handoff, and `to` becomes ready, on whichever core it is. */
static inline void sched_block_and_wake(struct cpu *cpu, struct thread *from, struct thread *to)
{
    if (smp_is_remote(cpu, to)) {
        if (from->is_vcpu) {
            vcpu_unload(cpu);
        }
        sched_remove(cpu, from);
        smp_wake(to);
        return;
    }
    sched_handoff(cpu, from, to);
}

/* On the thread's core: its priority is another now. Before it is made ready again. */
void sched_priority_changed(struct cpu *cpu, struct thread *thread);

/* The current thread gives up what is left of its budget. */
void sched_yield(struct cpu *cpu);

/* The current thread goes on with another scheduling context. */
void sched_context_changed(struct cpu *cpu);

/*
 * Scheduling contexts for a PD that has a capability for them (<cspace>). One that is unbound has
 * no budget, and never a replenishment: who has it waits in the release queue when it becomes
 * ready.
 */
static inline bool sched_is_bound(const struct thread *thread)
{
    return thread->own.replenish_at != UINT64_MAX;
}

/* Who has a thread's own context: itself, the server that it has been donated to, or NULL: it is
 * unbound, or waits for a notification of a passive PD. */
struct thread *sched_holder(struct thread *thread);

/* The microseconds that a thread's own context has been charged since this was called last. */
uint64_t sched_consumed(struct thread *thread);

/* On the thread's core: unbind or bind its own context, which was not. Its holder is not the caller
 * of the system call. */
void sched_bind(struct cpu *cpu, struct thread *thread, bool bind);

/* INTID_HYP_TIMER: a budget, time slice or turn is used up, or a replenishment is due. */
void sched_timer_interrupt(struct cpu *cpu);

/* Make cpu->next the current thread and load its registers. Called by vectors.S. Returns it. */
struct thread *cpu_switch(struct cpu *cpu);
