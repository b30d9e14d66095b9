/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every allocation is on this list. */
struct block {
    struct block *next;
    _Alignas(max_align_t) unsigned char bytes[];
};

static struct block *blocks;

void *memory_new(size_t size)
{
    struct block *block = NULL;

    if (size <= SIZE_MAX - sizeof(*block)) {
        block = calloc(1, sizeof(*block) + size);
    }
    if (block == NULL) {
        memory_exhausted(size);
    }
    block->next = blocks;
    blocks = block;
    return block->bytes;
}

char *memory_copy(const void *data, size_t size)
{
    char *copy = memory_new(size + 1);

    if (size != 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

char *memory_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        memory_exhausted(INT_MAX); /* the string would be longer than that */
    }

    char *text = memory_new((size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

void memory_free_all(void)
{
    while (blocks != NULL) {
        struct block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
}

void *memory_grow(void *items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return items;
    }
    *capacity = count == 0 ? 8 : count * 2;
    unsigned char *grown = memory_new(*capacity * size);
    if (count != 0) {
        memcpy(grown, items, count * size);
    }
    return grown;
}
