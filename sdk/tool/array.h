/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Arrays that grow by one item at a time, in memory that lives until the tool exits. */

#include <stddef.h>

/* Room for one more item of `size` bytes in an array that holds `count`: the array, moved if it had
 * to grow. */
void *array_grow(void *items, size_t count, size_t size);

/* Appends a zeroed item to `array` of `count` items and yields a pointer to it. It moves the other
 * items. */
#define ARRAY_ADD(array, count)                                                                    \
    ((array) = array_grow((array), (count), sizeof(*(array))), &(array)[(count)++])
