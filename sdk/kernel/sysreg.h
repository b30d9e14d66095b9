/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * System registers that guests must not access directly, and that no monitor emulates. Those of
 * external debuggers, performance counters and implementation-defined registers would act on other
 * threads: they read as zero and ignore writes. A guest has its own debug registers (debug.h). ID
 * registers show only features that a guest may use. Cache maintenance by set and way cleans, also
 * where the guest asks for invalidation.
 */

#include <stdbool.h>
#include "thread.h"

/* Emulate the running vCPU's trapped access of syndrome `esr`. Returns false if it is to no such
 * register. */
bool sysreg_emulate(struct cpu *cpu, uint64_t esr);
