/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the generator tells the timer driver. */

#include <stdint.h>

struct timer_config {
    uint8_t irq_channel;  /* CNTP, PPI 30 */
    uint8_t client_count; /* clients sit on channels 0 .. client_count-1 */
};

extern const struct timer_config timer_config;
