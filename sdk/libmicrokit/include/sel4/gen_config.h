/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#define CONFIG_LIB_SEL4_INLINE_INVOCATIONS 1
#define CONFIG_LIB_SEL4_FUNCTION_ATTRIBUTE inline
