/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Faults: what a thread has run into becomes a message to its parent (labels and words are seL4's),
 * or, for a PD without one, a report on the UART. Either way only that thread stops.
 */

#include <stdbool.h>
#include <sel4/faults.h>
#include "cpu.h"

/* The current thread has faulted: `length` words, of which the first four are given. */
void fault_raise(struct cpu *cpu, uint64_t label, uint64_t length, uint64_t word0, uint64_t word1,
                 uint64_t word2, uint64_t word3);

/* seL4_Fault_UnknownSyscall: its words are registers; pc is the instruction behind the call. */
void fault_raise_syscall(struct cpu *cpu);

/* Write a faulted thread's message into a server's message registers. */
void fault_write(const struct thread *thread, seL4_Word *words);

/*
 * A fault's answer, of `info` and `words`. Returns whether the thread goes on, its registers
 * being set as the fault's kind provides.
 */
bool fault_reply(struct thread *thread, const seL4_Word *words, uint64_t info);
