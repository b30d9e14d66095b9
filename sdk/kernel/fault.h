/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Faults. A thread's fault becomes a message to its parent. Its label and words are seL4's. The
 * fault of a PD without a parent is reported on the UART. Either way only that thread stops.
 */

#include <sel4/faults.h>
#include <stdbool.h>
#include "cpu.h"
#include "sched.h"

#define FAULT_BADGE (1ul << 62)

/* The slow path of fault_raise: the parent does not wait, or there is none. */
void fault_raise_slowpath(struct cpu *cpu, uint64_t info, uint64_t word0, uint64_t word1,
                          uint64_t word2, uint64_t word3);

/* The current thread has faulted: `length` words, of which the first four are given. */
static inline void fault_raise(struct cpu *cpu, uint64_t label, uint64_t length, uint64_t word0,
                               uint64_t word1, uint64_t word2, uint64_t word3)
{
    struct thread *thread = cpu->current;
    struct thread *parent = thread->parent;
    uint64_t info = label << 12 | length;

    if (likely(parent != NULL && parent->state == THREAD_RECEIVING && parent->sc != NULL &&
               length <= 4)) {
        thread->state = THREAD_WAITING;
        thread->is_faulted = true;
        thread->server = parent;
        thread->message.info = info;
        parent->reply_to = thread;
        parent->regs.x0 = thread->fault_badge;
        parent->regs.x1 = info;
        parent->words[0] = word0;
        parent->words[1] = word1;
        parent->words[2] = word2;
        parent->words[3] = word3;
        sched_block_and_wake(cpu, thread, parent);
        return;
    }
    fault_raise_slowpath(cpu, info, word0, word1, word2, word3);
}

/* seL4_Fault_UnknownSyscall: its words are registers; pc is the instruction behind the call. */
void fault_raise_syscall(struct cpu *cpu);

/* Write a faulted thread's message into a server's message registers. */
void fault_write(const struct thread *thread, seL4_Word *words);

/*
 * Answer a fault with `info` and `words`. Sets the registers of the thread that this kind of fault
 * provides. Returns whether the thread goes on.
 */
bool fault_reply(struct thread *thread, const seL4_Word *words, uint64_t info);
