/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Who runs: the thread of the highest priority that is ready and has budget. Equal ones take turns.
 * Time is counted only while it decides something: for a thread whose budget is less than its
 * period, and for one that has an equal waiting. cpu->next is the choice; it is in no queue.
 */

#include "cpu.h"

/* Make a thread that has a scheduling context ready; it was not. */
void sched_ready(struct cpu *cpu, struct thread *thread);

/* A ready thread is so no longer; the caller sets its new state. */
void sched_remove(struct cpu *cpu, struct thread *thread);

/* The same for two threads at once: `from` blocks, `to` becomes ready. */
void sched_handoff(struct cpu *cpu, struct thread *from, struct thread *to);

/* The current thread gives up what is left of its budget. */
void sched_yield(struct cpu *cpu);

/* The current thread goes on with another scheduling context. */
void sched_context_changed(struct cpu *cpu);

/* INTID_HYP_TIMER. */
void sched_timer_interrupt(struct cpu *cpu);

/* Make cpu->next the current thread and load what belongs to it; called by the vectors. */
struct thread *cpu_switch(struct cpu *cpu);
