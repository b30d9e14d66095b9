/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A child with a budget calls a passive server, and is stopped and resumed while it has none left.
 */

#include "tests/kernel/common/check.h"

#define SERVER 1     /* child's channel */
#define PARENT 2     /* low's channel */
#define BUDGET 1000u /* us, of the child; its period is far longer than the test */
#define STEPS  3u

struct shared {
    volatile uint64_t calls; /* that the server has begun to serve */
};
