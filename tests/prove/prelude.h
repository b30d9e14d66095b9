/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What all drivers need: any values, and what the compiler has built in and Frama-C has not. A
 * driver includes this before the sources under proof.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __FRAMAC__
#include "__fc_builtin.h"

/*
 * Memory that others write is read by volatile accesses: each yields any value. The fences order
 * accesses, and there is nothing to order where each access yields any value.
 */
#define __atomic_load_n(from, order)       (*(const volatile __typeof__(*(from)) *)(from))
#define __atomic_store_n(to, value, order) (*(volatile __typeof__(*(to)) *)(to) = (value))
#define __atomic_thread_fence(order)       ((void)0)
#define atomic_thread_fence(order)         ((void)0)
#define atomic_signal_fence(order)         ((void)0)

/* Eva knows nothing of alignment, and no alarm is about it. */
#define _Alignas(bytes)
#else
void Frama_C_make_unknown(char *to, size_t size); /* only linters come here */
#endif

static volatile uint64_t any_value;

/* Any value, another one each time. */
static inline uint64_t any(void)
{
    return any_value;
}

/* Let memory hold anything. */
static inline void make_any(void *memory, size_t size)
{
    Frama_C_make_unknown((char *)memory, size);
}

/* What the caller of the functions under proof has to see to. A comment says who does. */
#define ASSUME(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return;                                                                                \
        }                                                                                          \
    } while (0)
