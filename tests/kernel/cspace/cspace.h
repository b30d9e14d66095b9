/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "tests/kernel/common/check.h"

#define PAGE 0x1000

/* What the workers do, each in a word of its own; two pages, of which the second has nothing. */
struct shared {
    volatile uint64_t work[2];   /* of a and b: goes up while they run */
    volatile uint64_t notified;  /* how often server has been */
    volatile uint64_t suspended; /* how often sleeper has gone on behind its call */
    uint8_t rest[2 * PAGE - 32];
};
