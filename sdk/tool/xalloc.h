/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Memory that lives until the tool exits. The tool reads one description, writes one image and
 * ends, so nothing is freed on the way; running out of memory ends it with a message.
 */

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory of `size` bytes (0 is allowed), aligned for any object. Never NULL. */
void *xalloc(size_t size);

/* A copy of the first `size` bytes of `data`, followed by a NUL that is not counted. */
void *xcopy(const void *data, size_t size);

/* A new string, formatted as by printf. */
char *xprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A new string: a number of bytes as people read it, exact: "3 MiB", "5 KiB", "7 bytes". */
char *xsize(uint64_t size);

/* Room for one more item of `size` bytes in an array that holds `count`: the array, moved if it had
 * to grow. */
void *array_grow(void *items, size_t count, size_t size);

/* Appends a zeroed item to `array` of `count` items and yields a pointer to it. It moves the other
 * items. */
#define ARRAY_ADD(array, count)                                                                    \
    ((array) = array_grow((array), (count), sizeof(*(array))), &(array)[(count)++])
