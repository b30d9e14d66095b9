/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Memory of the generator. It runs for milliseconds and ends, so nothing is given back before
 * memory_free_all; running out of memory ends the program with a message.
 */

#include <stddef.h>

/* Zeroed memory. */
void *memory_new(size_t size);

/* A copy of `length` bytes of `text`, ended by NUL. */
char *memory_copy(const char *text, size_t length);

/* A new string, made like sprintf does. */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

void memory_free_all(void);

/* A list that grows: `struct list_of_x LIST(struct x);` */
#define LIST(type)                                                                                 \
    {                                                                                              \
        type *items;                                                                               \
        size_t count;                                                                              \
        size_t capacity;                                                                           \
    }

/* The address of a new, zeroed last item. Addresses of earlier items may change. */
#define list_add(list)                                                                             \
    ((list)->items =                                                                               \
         memory_grow((list)->items, &(list)->capacity, (list)->count, sizeof(*(list)->items)),     \
     &(list)->items[(list)->count++])

/* For list_add: room for item number `count`, of `size` bytes each. */
void *memory_grow(void *items, size_t *capacity, size_t count, size_t size);
