/* SPDX-License-Identifier: BSD-2-Clause */
#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct bytes *bytes, size_t more)
{
    size_t capacity = bytes->capacity == 0 ? 256 : bytes->capacity;

    while (capacity < bytes->count + more) {
        capacity *= 2;
    }
    if (capacity != bytes->capacity) {
        uint8_t *data = realloc(bytes->data, capacity);

        if (data == NULL) {
            fputs("braid: no memory\n", stderr);
            exit(1);
        }
        bytes->data = data;
        bytes->capacity = capacity;
    }
}

void bytes_add(struct bytes *bytes, const void *data, size_t count)
{
    if (count > 0) {
        reserve(bytes, count);
        memcpy(bytes->data + bytes->count, data, count);
        bytes->count += count;
    }
}

void bytes_print(struct bytes *bytes, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length <= 0) {
        return;
    }
    reserve(bytes, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf((char *)bytes->data + bytes->count, (size_t)length + 1, format, arguments);
    va_end(arguments);
    bytes->count += (size_t)length;
}

void bytes_take(struct bytes *bytes, size_t count)
{
    count = count < bytes->count ? count : bytes->count;
    bytes->count -= count;
    if (bytes->count > 0) {
        memmove(bytes->data, bytes->data + count, bytes->count);
    }
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    memset(bytes, 0, sizeof(*bytes));
}

void bytes_write(const struct bytes *bytes, FILE *stream)
{
    if (bytes->count > 0) {
        fwrite(bytes->data, 1, bytes->count, stream);
    }
}

/* How many bytes the continuation of a character has that begins with `first`; -1: none does. */
static int continuation(uint8_t first)
{
    if (first < 0x80) {
        return 0;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return 1;
    }
    if (first >= 0xe0 && first <= 0xef) {
        return 2;
    }
    return first >= 0xf0 && first <= 0xf4 ? 3 : -1;
}

/*
 * The length of the character of UTF-8 at `text` and its code point, or 0 if there is none
 * (RFC 3629, 3 and 4).
 */
static size_t character(const uint8_t *text, size_t length, uint32_t *point)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    int more = continuation(text[0]);

    if (more < 0 || (size_t)more >= length) {
        return 0;
    }
    *point = more == 0 ? text[0] : text[0] & (0x3fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        *point = *point << 6 | (text[i] & 0x3fu);
    }
    if (*point < least[more] || *point > 0x10ffff || (*point >= 0xd800 && *point <= 0xdfff)) {
        return 0;
    }
    return (size_t)more + 1;
}

/* Also what turns the direction of text or ends a line: it could make a line look like another. */
static int is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;
}

void bytes_add_escaped(struct bytes *bytes, const void *text, size_t length)
{
    const uint8_t *at = text;
    const uint8_t *end = at + length;

    while (at < end) {
        uint32_t point = 0;
        size_t size = character(at, (size_t)(end - at), &point);

        if (size > 0 && (!is_control(point) || point == '\t')) {
            bytes_add(bytes, at, size);
        } else {
            size = size == 0 ? 1 : size;
            for (size_t i = 0; i < size; i++) {
                bytes_print(bytes, "\\x%02x", at[i]);
            }
        }
        at += size;
    }
}

void bytes_add_json(struct bytes *bytes, const void *text, size_t length)
{
    const uint8_t *at = text;
    const uint8_t *end = at + length;

    bytes_add(bytes, "\"", 1);
    while (at < end) {
        uint32_t point = 0xfffd;
        size_t size = character(at, (size_t)(end - at), &point);

        if (size == 0 || (is_control(point) && point < 0x10000)) {
            bytes_print(bytes, "\\u%04x", size == 0 ? 0xfffd : point);
        } else if (point == '"' || point == '\\') {
            bytes_print(bytes, "\\%c", (int)point);
        } else {
            bytes_add(bytes, at, size);
        }
        at += size == 0 ? 1 : size;
    }
    bytes_add(bytes, "\"", 1);
}
