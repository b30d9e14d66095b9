/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* For a PD that its parent starts again after a fault: supervisor.h. */

#include <stdbool.h>

/*
 * Whether this PD has begun before; to be called once, by init(). Then its variables are what they
 * were, a device may be in any state, and an interrupt may be left that nobody has acknowledged.
 */
bool supervised_again(void);
