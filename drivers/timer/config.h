/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the generator tells the timer driver. */

#include <stdint.h>

struct timer_config {
    uintptr_t registers;  /* where the chip's page is mapped; 0: it has no registers in memory */
    uint8_t irq_channel;  /* the chip's interrupt */
    uint8_t client_count; /* clients sit on channels 0 .. client_count-1 */
    uint8_t word_count;   /* the first so many of them may have words: protocol.h; others: NULL */
    const uint64_t *const *words;
};

extern const struct timer_config timer_config;
