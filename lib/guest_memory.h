/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The only way to a guest's memory. Every address, length and index that a guest supplies is turned
 * into a pointer here, once, or is refused here.
 */

#include <stddef.h>
#include <stdint.h>

struct guest_memory {
    uint8_t *base; /* where this PD sees the guest's RAM */
    uint64_t gpa;  /* the guest-physical address of its first byte */
    uint64_t size; /* bytes */
};

/*
 * The `length` bytes of guest memory at guest-physical address `gpa`, or NULL if any of them is
 * not RAM. Length 0 is NULL. The memory may change under the reader at any time.
 */
static inline uint8_t *guest_memory_at(const struct guest_memory *memory, uint64_t gpa,
                                       uint64_t length)
{
    uint64_t offset = gpa - memory->gpa;

    if (length == 0 || offset >= memory->size || length > memory->size - offset) {
        return NULL;
    }
    return memory->base + offset;
}
