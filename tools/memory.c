/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    _Alignas(max_align_t) unsigned char bytes[];
};

static struct block *blocks;

void *memory_new(size_t size)
{
    struct block *block = calloc(1, sizeof(*block) + size);

    if (block == NULL) {
        fputs("braid-gen: out of memory\n", stderr);
        exit(1);
    }
    block->next = blocks;
    blocks = block;
    return block->bytes;
}

char *memory_copy(const char *text, size_t length)
{
    char *copy = memory_new(length + 1);

    memcpy(copy, text, length);
    return copy;
}

char *memory_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);

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
