/* SPDX-License-Identifier: BSD-2-Clause */

/* The kernel's domain.c, and a way to its queues. */

#include "sdk/kernel/domain.c" /* NOLINT(bugprone-suspicious-include): its queues are static */

#include "model.h"

struct queue *domain_queues(void)
{
    return waiting;
}
