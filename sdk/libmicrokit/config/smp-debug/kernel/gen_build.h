/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* clang-format off */

#define CONFIG_NO_BENCHMARKS  1
#define CONFIG_DEBUG_BUILD  1
#define CONFIG_HARDWARE_DEBUG_API  1
#define CONFIG_PRINTING  1
#define CONFIG_ENABLE_SMP_SUPPORT  1
#define CONFIG_MAX_NUM_NODES  4
#define CONFIG_NUM_DOMAINS  1
#define CONFIG_NUM_DOMAIN_SCHEDULES  2
