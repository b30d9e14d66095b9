/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Registers of the core that guests must not reach as they are, and that no monitor needs to know
 * of. Debug, performance counters and implementation-defined ones would act on other threads: they
 * read as zero and ignore writes. Those that say what the processor has say only what a guest may
 * use. Cache maintenance by set and way is done, as cleaning.
 */

#include <stdbool.h>
#include "thread.h"

/* Whether a vCPU's trapped access, of syndrome `esr`, was to one of these; then it is done. */
bool sysreg_emulate(struct thread *thread, uint64_t esr);
