/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#define CONFIG_DEBUG_BUILD 1
#define CONFIG_PRINTING    1
