/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "tests/kernel/common/check.h"

/* What server does when called: word 0. */
enum { SERVE_ADD = 1, SERVE_NEST, SERVE_WORK };

struct shared {
    volatile uint64_t init_order;      /* letters */
    volatile uint64_t server_notified; /* how often */
    volatile uint64_t inner_calls;
    volatile uint64_t work;      /* while not 0, SERVE_WORK goes on */
    volatile uint64_t work_time; /* microseconds of it */
};

struct shared *shared;
