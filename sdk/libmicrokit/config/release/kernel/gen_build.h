/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* clang-format off */

/* Neither CONFIG_DEBUG_BUILD nor CONFIG_PRINTING. */
#define CONFIG_NO_BENCHMARKS  1
#define CONFIG_MAX_NUM_NODES  1
#define CONFIG_NUM_DOMAINS  16
#define CONFIG_NUM_DOMAIN_SCHEDULES  100
