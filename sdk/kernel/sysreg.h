/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * System registers that guests must not access directly, and that no monitor emulates. Debug
 * registers, performance counters and implementation-defined registers would act on other threads:
 * they read as zero and ignore writes. ID registers show only features that a guest may use. Cache
 * maintenance by set and way cleans, also where the guest asks for invalidation.
 */

#include <stdbool.h>
#include "thread.h"

/* Emulate a vCPU's trapped access of syndrome `esr`. Returns false if it is to no such register. */
bool sysreg_emulate(struct thread *thread, uint64_t esr);
