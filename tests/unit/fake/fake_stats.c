/* SPDX-License-Identifier: BSD-2-Clause */

/* A monitor that has nothing but its counters, for tests of its parts. */

#include "fake_stats.h"

#include "vmm/config.h"

struct stats_machine fake_stats;

const struct vmm_config vmm_config = {.stats = &fake_stats};
