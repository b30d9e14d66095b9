/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "tests/kernel/common/check.h"

/* What the PDs tell each other besides what is tested. */
struct shared {
    volatile uint64_t middle_notified; /* how often, and the ids as bits */
    volatile uint64_t middle_channels;
    volatile uint64_t high_notified;
    volatile uint64_t lowest_notified;
    volatile uint64_t lowest_order; /* ids, the last one in the low byte */
    volatile uint64_t after_init;   /* who has finished init, as the letters of their names */
};

/* Set by the tool. */
struct shared *shared;

/* What a call asks for. */
enum {
    CALL_ECHO = 1, /* the words, each plus 1, and the label plus 1 */
    CALL_COUNT,    /* word 0: how many words have come */
    CALL_NEST,     /* middle calls high, and adds 1 */
    CALL_DEFER,    /* middle notifies low on channel 14, deferred */
};
