/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "tests/kernel/common/check.h"

/* What the children have done, the last one's letter in the low byte. */
struct shared {
    volatile uint64_t order;
    volatile bool fault; /* a child that is notified faults, in place of noting its letter */
};
