/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Free physical memory as a list of ranges. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct free_range {
    uint64_t base; /* physical address */
    uint64_t size; /* bytes */
};

struct allocator {
    struct free_range *ranges; /* ascending, not touching each other */
    size_t count;
};

/* Starts with one free range. */
void allocator_init(struct allocator *allocator, uint64_t base, uint64_t size);

/* Takes the lowest `size` free bytes at or above `lowest` whose address is `offset` modulo `align`,
 * a power of two. False if there are none. */
bool allocator_take(struct allocator *allocator, uint64_t lowest, uint64_t size, uint64_t align,
                    uint64_t offset, uint64_t *address);

/* Takes exactly this range. False, and nothing taken, if some of it is not free. */
bool allocator_take_at(struct allocator *allocator, uint64_t address, uint64_t size);

/* Bytes that are free. */
uint64_t allocator_free(const struct allocator *allocator);

/* Bytes of the largest free range. */
uint64_t allocator_largest(const struct allocator *allocator);
