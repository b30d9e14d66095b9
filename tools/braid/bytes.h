/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Bytes that grow at the end and are taken from the front, and text for people and for JSON. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Zeroed: empty. */
struct bytes {
    uint8_t *data;
    size_t count;
    size_t capacity;
};

/* Ends the program if there is no memory. */
void bytes_add(struct bytes *bytes, const void *data, size_t count);
void bytes_print(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Drop the first `count`. */
void bytes_take(struct bytes *bytes, size_t count);
void bytes_free(struct bytes *bytes);

/* Write all to a stream. */
void bytes_write(const struct bytes *bytes, FILE *stream);

/*
 * Add text that is not trusted: what is no printable UTF-8 becomes \xNN. So nothing of it
 * controls a terminal or ends a line. A tab stays. What was escaped before stays as it is.
 */
void bytes_add_escaped(struct bytes *bytes, const void *text, size_t length);

/* The same as a string of JSON, with its quotes. Bytes that are no UTF-8 become U+FFFD. */
void bytes_add_json(struct bytes *bytes, const void *text, size_t length);
