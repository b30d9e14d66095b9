/* SPDX-License-Identifier: BSD-2-Clause */
#include "allocator.h"

#include <string.h>
#include "array.h"
#include "tools/memory.h"

void allocator_init(struct allocator *allocator, uint64_t base, uint64_t size)
{
    *allocator = (struct allocator){.ranges = NULL};
    if (size) {
        *ARRAY_ADD(allocator->ranges, allocator->count) = (struct free_range){base, size};
    }
}

static void remove_range(struct allocator *allocator, size_t index)
{
    allocator->count--;
    memmove(&allocator->ranges[index], &allocator->ranges[index + 1],
            (allocator->count - index) * sizeof(*allocator->ranges));
}

static void insert_range(struct allocator *allocator, size_t index, struct free_range range)
{
    struct free_range *ranges = memory_new((allocator->count + 1) * sizeof(*ranges));

    memcpy(ranges, allocator->ranges, index * sizeof(*ranges));
    ranges[index] = range;
    memcpy(ranges + index + 1, allocator->ranges + index,
           (allocator->count - index) * sizeof(*ranges));
    allocator->ranges = ranges;
    allocator->count++;
}

/* Cuts [address, address + size) out of range `index`, which contains it. */
static void cut(struct allocator *allocator, size_t index, uint64_t address, uint64_t size)
{
    struct free_range *range = &allocator->ranges[index];
    uint64_t end = range->base + range->size;
    struct free_range behind = {address + size, end - (address + size)};

    range->size = address - range->base;
    if (behind.size) {
        insert_range(allocator, index + 1, behind);
    }
    if (!allocator->ranges[index].size) {
        remove_range(allocator, index);
    }
}

bool allocator_take(struct allocator *allocator, uint64_t lowest, uint64_t size, uint64_t align,
                    uint64_t offset, uint64_t *address)
{
    for (size_t i = 0; i < allocator->count; i++) {
        const struct free_range *range = &allocator->ranges[i];
        uint64_t start = range->base > lowest ? range->base : lowest;
        uint64_t skip = start - range->base + ((offset - start) & (align - 1));
        if (skip > range->size || size > range->size - skip) {
            continue;
        }
        *address = range->base + skip;
        cut(allocator, i, *address, size);
        return true;
    }
    return false;
}

bool allocator_take_at(struct allocator *allocator, uint64_t address, uint64_t size)
{
    for (size_t i = 0; i < allocator->count; i++) {
        const struct free_range *range = &allocator->ranges[i];
        if (address < range->base || address - range->base > range->size ||
            size > range->size - (address - range->base)) {
            continue;
        }
        cut(allocator, i, address, size);
        return true;
    }
    return false;
}

uint64_t allocator_free(const struct allocator *allocator)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < allocator->count; i++) {
        sum += allocator->ranges[i].size;
    }
    return sum;
}

uint64_t allocator_largest(const struct allocator *allocator)
{
    uint64_t largest = 0;

    for (size_t i = 0; i < allocator->count; i++) {
        if (allocator->ranges[i].size > largest) {
            largest = allocator->ranges[i].size;
        }
    }
    return largest;
}
