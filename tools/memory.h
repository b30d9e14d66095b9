/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Memory of a host program, braid-gen or sdk/tool's microkit. These read one description, write
 * what is made of it and end within milliseconds. So nothing is freed before memory_free_all, and
 * running out of memory ends the program with a message.
 */

#include <stddef.h>

/* Zeroed memory of `size` bytes (0 is allowed), aligned for any object. Never NULL. */
void *memory_new(size_t size);

/* A copy of the first `size` bytes of `data`, followed by a NUL that is not counted. */
char *memory_copy(const void *data, size_t size);

/* A new string, formatted as by printf. */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Free everything that the functions above have returned. */
void memory_free_all(void);

/* Supplied by the program: there are no `size` bytes left. Ends it with a message. */
__attribute__((noreturn)) void memory_exhausted(size_t size);

/* A list that grows: `struct list_of_x LIST(struct x);` */
#define LIST(type)                                                                                 \
    {                                                                                              \
        type *items; /* NOLINT(bugprone-macro-parentheses): a type */                              \
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
