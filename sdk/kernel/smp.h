/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Several cores. In a kernel for one nothing of this is left: no thread is remote.
 *
 * One lock, kernel_lock, is held by the core that is in the kernel: from behind the saving of a
 * thread's registers to before they are restored. It protects all threads and all of struct cpu.
 * A core waits for it with interrupts masked.
 *
 * What is in a core's own registers (the running thread's, the loaded vCPU's, list registers, the
 * timer) and its ready queues change on that core alone. A core that holds the lock has another one
 * do something there in two ways:
 *
 *   smp_wake   puts a thread that becomes ready into that core's inbox, and interrupts that core if
 *              the inbox was empty. Nobody waits.
 *   smp_call   has that core execute a function, and waits. The other core is running a thread,
 *              and then the interrupt brings it here, or it waits for the lock, or it is idle. In
 *              each case it looks for calls before it takes the lock. So the function runs under
 *              the caller's lock, and calls do not nest.
 *
 * A core that waits for the lock may have a system call or an exception of its thread to handle.
 * A function that stops that thread, or reads or writes its registers, first takes the thread off
 * the core (smp_deschedule). The thread is then at the instruction that caused the exception, and
 * executes it again if it goes on.
 */

#include "cpu.h"

#define SMP_SGI 0u /* the INTID of the interrupt from core to core */

/* Start the other cores, after everything else is set up. Panics if one is not there. */
void smp_start(uint32_t core_count);

/*
 * Take the lock for an exception of the current thread, or of an idle core. `is_call` says that it
 * is an SVC or HVC: its pc is behind the instruction. Returns false if the thread has been taken
 * off the core meanwhile: the exception must not be handled.
 */
bool smp_enter(struct cpu *cpu, bool is_call);

/* The same, without an exception. */
void smp_lock(struct cpu *cpu);
void smp_unlock(void);

/* The interrupt from another core: its threads are ready now. */
void smp_interrupt(struct cpu *cpu);

/* Make a thread of another core ready; it was not. */
void smp_wake(struct thread *thread);

/* Have `cpu`, which is another core, execute `function`, and wait until it has. */
void smp_call(struct cpu *cpu, void (*function)(struct cpu *cpu, void *argument), void *argument);

/* On the core itself: save what is in its registers of `thread`, if that is its current one. */
void smp_deschedule(struct cpu *cpu, struct thread *thread);

/* Remove a thread that smp_wake has put there from the core's inbox. */
void smp_inbox_remove(struct thread *thread);

/* Whether a thread is another core's. */
static inline bool smp_is_remote(const struct cpu *cpu, const struct thread *thread)
{
    return IS_SMP && unlikely(thread->cpu != cpu);
}

/* The core of a thread. */
static inline struct cpu *smp_core_of(struct cpu *cpu, const struct thread *thread)
{
    return smp_is_remote(cpu, thread) ? thread->cpu : cpu;
}
