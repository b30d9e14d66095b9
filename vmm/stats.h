/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the monitor counts of its machine: lib/stats.h. All of it is written here, and never read.
 */

#include "config.h"
#include "lib/stats.h"

/* One more. `member` is one of struct stats_machine. */
#define STATS_COUNT_ONE(member) stats_add(&vmm_config.stats->member, 1)
