/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Neither CONFIG_DEBUG_BUILD nor CONFIG_PRINTING. */
