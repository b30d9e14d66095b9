/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The counters of a monitor of which only parts are tested. With fake_vm.h there is another one. */

#include "lib/stats.h"

extern struct stats_machine fake_stats;
