/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "tests/kernel/common/check.h"

#define CALLS 20000

struct shared {
    volatile uint64_t calls;   /* that rogue has begun */
    volatile uint64_t returns; /* of them have returned, by themselves or with keeper's help */
    volatile uint64_t faults;  /* that keeper has seen */
};
