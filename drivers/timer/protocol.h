/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The timer driver's protected procedure. Time is CNTPCT_EL0 in ticks of CNTFRQ_EL0. A client has
 * one deadline; setting it again replaces it.
 *
 *   label TIMER_SET, one message register: the absolute deadline, or TIMER_NEVER.
 *   The reply has label 0 and no registers. Any other label is answered with label 1.
 *
 * When the deadline has passed the driver notifies the channel once.
 */

#include <stdint.h>

#define TIMER_SET   1u
#define TIMER_NEVER UINT64_MAX
