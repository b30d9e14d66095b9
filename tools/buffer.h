/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Text (or bytes) that grows, and the set of files that a run writes. */

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *bytes; /* ended by a NUL that `length` does not count */
    size_t length;
    size_t capacity;
};

void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_add_zeros(struct buffer *buffer, size_t length);
void buffer_print(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Add `text`, escaped for XML and DOT's labels, or for strings of JSON, C and DOT. */
void buffer_add_xml(struct buffer *buffer, const char *text);
void buffer_add_quoted(struct buffer *buffer, const char *text);

/*
 * A file to be written to the output directory under `name` (which may hold one '/'). Nothing
 * happens on disk before outputs_write.
 */
struct buffer *output_file(const char *name);

/*
 * A symbolic link `name` in the output directory to a file of the user's, `target`, an absolute
 * path. Everything that names the file uses the link, because the target's name may hold
 * characters that mean something to make, a shell or QEMU.
 */
void output_link(const char *name, const char *target);

/* A name for such a link: `kind` and what is particular to the target, of letters, digits, '-'. */
const char *link_name(const char *kind, const char *target);

/*
 * Write all files into `directory`, making it if need be. A file that has its content already is
 * left alone, so that make sees no change. Others are replaced as a whole or not at all. `touch`
 * names the one file that gets a new time in any case: that of the run. False after a message.
 */
bool outputs_write(const char *directory, const char *touch);
