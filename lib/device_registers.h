/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Access to a device's registers of 32 bits, which are mapped as device memory: `registers` is
 * where, `offset` is in bytes. Each call is one access, and they happen in the order of the calls.
 */

#include <stdint.h>

#if defined(__aarch64__)

static inline uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    return *(volatile uint32_t *)(registers + offset);
}

static inline void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(registers + offset) = value;
}

#else

/* Supplied by the unit test. */
uint32_t device_read32(uintptr_t registers, uint32_t offset);
void device_write32(uintptr_t registers, uint32_t offset, uint32_t value);

#endif
