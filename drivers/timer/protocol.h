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
 *
 * A monitor in another domain does not call: it would wait for the turn of the driver's domain. It
 * has a word of memory, which the driver only reads. The monitor writes its deadline there. If that
 * is earlier than the one before, or it has been notified since, it notifies the driver. The driver
 * looks at the word then, and once more before it notifies the monitor: a deadline that has been
 * put off needs no word to the driver.
 */

#include <stdint.h>

#define TIMER_SET   1u
#define TIMER_NEVER UINT64_MAX
