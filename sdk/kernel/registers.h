/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A thread's registers by number: seL4_UserContext has them in an order of its own. */

#include "thread.h"

/* Where x0 to x30 are, in words from the beginning. */
extern const uint8_t register_position[31];

static inline uint64_t register_read(const struct thread *thread, unsigned number)
{
    return number < 31 ? ((const uint64_t *)&thread->regs)[register_position[number]] : 0;
}

/* Register 31 is XZR. */
static inline void register_write(struct thread *thread, unsigned number, uint64_t value)
{
    if (number < 31) {
        ((uint64_t *)&thread->regs)[register_position[number]] = value;
    }
}
