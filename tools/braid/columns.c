/* SPDX-License-Identifier: BSD-2-Clause */
#include "columns.h"

#include <stdint.h>

#define ESCAPE     0x1b
#define WIDE_FIRST 0xe1 /* the first byte of characters from U+1000 on: two columns, to be safe */

/* The bytes of the character or the SGR sequence at `at`, and its columns. */
static size_t step(const uint8_t *at, const uint8_t *end, size_t *columns)
{
    const uint8_t *next = at + 1;

    *columns = *at >= WIDE_FIRST ? 2 : 1;
    if (*at == ESCAPE) {
        *columns = 0;
        while (next < end && next[-1] != 'm') {
            next++;
        }
    } else {
        while (next < end && (*next & 0xc0) == 0x80) {
            next++;
        }
    }
    return (size_t)(next - at);
}

size_t columns_of(const void *text, size_t length)
{
    const uint8_t *at = text;
    const uint8_t *end = at + length;
    size_t sum = 0;
    size_t columns;

    while (at < end) {
        at += step(at, end, &columns);
        sum += columns;
    }
    return sum;
}

void columns_cut(struct bytes *out, const void *text, size_t length, size_t columns)
{
    const uint8_t *at = text;
    const uint8_t *end = at + length;
    bool full = false;
    size_t wide;

    while (at < end) {
        size_t size = step(at, end, &wide);

        full |= wide > columns;
        if (wide == 0 || !full) {
            bytes_add(out, at, size);
            columns -= wide;
        }
        at += size;
    }
}

void columns_cell(struct bytes *out, const struct bytes *text, size_t width, bool right)
{
    size_t columns = columns_of(text->data, text->count);
    int padding = columns < width ? (int)(width - columns) : 0;

    bytes_print(out, "%*s", right ? padding : 0, "");
    bytes_add(out, text->data, text->count);
    bytes_print(out, "%*s ", right ? 0 : padding, "");
}
