/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Access to the registers of a virtio-mmio device (virtio 1.2, 4.2.2), mapped as device memory.
 * Registers proper are 32 bits wide; configuration space is read in the width of each field.
 */

#include <stdint.h>

/* What MagicValue and Version read as. Version 1 is the legacy interface. */
#define VIRTIO_MMIO_MAGIC          0x74726976u /* "virt" */
#define VIRTIO_MMIO_VERSION_MODERN 2u

#if defined(__aarch64__)

static inline uint32_t virtio_read32(uintptr_t registers, uint32_t offset)
{
    return *(volatile uint32_t *)(registers + offset);
}

static inline uint16_t virtio_read16(uintptr_t registers, uint32_t offset)
{
    return *(volatile uint16_t *)(registers + offset);
}

static inline uint8_t virtio_read8(uintptr_t registers, uint32_t offset)
{
    return *(volatile uint8_t *)(registers + offset);
}

static inline void virtio_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(registers + offset) = value;
}

#else

/* Supplied by the unit test. */
uint32_t virtio_read32(uintptr_t registers, uint32_t offset);
uint16_t virtio_read16(uintptr_t registers, uint32_t offset);
uint8_t virtio_read8(uintptr_t registers, uint32_t offset);
void virtio_write32(uintptr_t registers, uint32_t offset, uint32_t value);

#endif
