/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Registers of the core that guests must not reach, because they would act on other threads, and
 * that no monitor needs to know of: debug, performance counters, and implementation-defined ones.
 * They read as zero and ignore writes.
 */

#include <stdbool.h>
#include "thread.h"

/* Whether a vCPU's trapped access, of syndrome `esr`, was to one of these; then it is done. */
bool sysreg_emulate(struct thread *thread, uint64_t esr);
