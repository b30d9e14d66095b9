/* SPDX-License-Identifier: BSD-2-Clause */
#include "array.h"

#include <string.h>
#include "tools/memory.h"

void *array_grow(void *items, size_t count, size_t size)
{
    /* The capacity is the next power of two, so only a count that is one finds the array full. */
    if (count & (count - 1)) {
        return items;
    }

    char *grown = memory_new((count ? 2 * count : 1) * size);
    if (count) {
        memcpy(grown, items, count * size);
    }
    return grown;
}
