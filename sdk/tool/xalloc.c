/* SPDX-License-Identifier: BSD-2-Clause */
#include "xalloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "diag.h"

/* Every allocation is on this list, so that leak checkers see it as reachable. */
struct block {
    struct block *next;
    _Alignas(max_align_t) char bytes[];
};

static struct block *blocks;

void *xalloc(size_t size)
{
    struct block *block = NULL;

    if (size <= SIZE_MAX - sizeof(*block))
        block = calloc(1, sizeof(*block) + size);
    if (!block)
        diag_fatal("this machine has no %zu bytes of memory left for the tool", size);
    block->next = blocks;
    blocks = block;
    return block->bytes;
}

void *xcopy(const void *data, size_t size)
{
    char *copy = xalloc(size + 1);

    if (size)
        memcpy(copy, data, size);
    return copy;
}

char *xprintf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        diag_fatal("a message cannot be formatted in this locale");

    char *text = xalloc((size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

char *xsize(uint64_t size)
{
    if (size && !(size & 0xfffff))
        return xprintf("%" PRIu64 " MiB", size >> 20);
    if (size && !(size & 0x3ff))
        return xprintf("%" PRIu64 " KiB", size >> 10);
    return xprintf("%" PRIu64 " bytes", size);
}

void *array_grow(void *items, size_t count, size_t size)
{
    /* The capacity is the next power of two, so only a count that is one finds the array full. */
    if (count & (count - 1))
        return items;

    char *grown = xalloc((count ? 2 * count : 1) * size);
    if (count)
        memcpy(grown, items, count * size);
    return grown;
}
