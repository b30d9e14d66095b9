/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sel4/config.h>

#ifndef CONST
#define CONST __attribute__((__const__))
#endif

#ifndef PURE
#define PURE __attribute__((__pure__))
#endif

#define SEL4_PACKED             __attribute__((packed))
#define SEL4_DEPRECATED(reason) __attribute__((deprecated(reason)))

#define LIBSEL4_UNUSED   __attribute__((unused))
#define LIBSEL4_WEAK     __attribute__((weak))
#define LIBSEL4_NOINLINE __attribute__((noinline))

#define LIBSEL4_INLINE      static inline
#define LIBSEL4_INLINE_FUNC static inline

#ifdef __cplusplus
#define SEL4_COMPILE_ASSERT(name, condition) static_assert(condition, #name);
#else
#define SEL4_COMPILE_ASSERT(name, condition) _Static_assert(condition, #name);
#endif

#define SEL4_SIZE_SANITY(entry_bits, index_bits, size_bits)                                        \
    SEL4_COMPILE_ASSERT(entry_bits##_##index_bits##_##size_bits,                                   \
                        (entry_bits) + (index_bits) == (size_bits))

/* The last enumerator of an enumeration that must be as wide as a long. */
#define SEL4_FORCE_LONG_ENUM(type) _enum_pad_##type = ((1ULL << ((sizeof(long) * 8) - 1)) - 1)

#define LIBSEL4_BIT(n) (1ul << (n))
