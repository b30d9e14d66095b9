/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Exceptions from below, all registers being saved; called by the vectors. */

#include "cpu.h"

void trap_sync(struct cpu *cpu, uint64_t esr);
void trap_irq(struct cpu *cpu);
void trap_serror(struct cpu *cpu, uint64_t resumed);

/* An exception of the kernel's own. */
_Noreturn void trap_kernel(uint64_t esr, uint64_t elr, uint64_t far);
