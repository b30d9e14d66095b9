/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Files that the tool reads, and files that it writes whole or not at all. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A file's contents, owned by the tool until it exits. */
struct file {
    const char *path; /* as it was opened */
    uint8_t *bytes;   /* writable; followed by a NUL that is not counted */
    size_t size;
};

/* Whether there is a regular file of this name. */
bool file_exists(const char *path);

/* The path of the first regular file `name` in the directories `search` (NULL-terminated), or
 * `name` itself if it is absolute; NULL if there is none. */
const char *file_find(const char *const *search, const char *name);

/* Reads a whole regular file. Returns NULL and sets *reason to a message if it cannot. A file that
 * is also an output (file_output) is refused. */
const struct file *file_read(const char *path, const char **reason);

/* A file being written. */
struct output;

/* Announces a file that will be written, before anything is read: an error from here on removes an
 * older one of that name. `what` names its purpose in messages ("image"). Ends the tool if the path
 * cannot be an output. */
struct output *file_output(const char *path, const char *what);

/* A stream to the new contents, which have another name until file_commit. Ends the tool on errors.
 */
FILE *file_open(struct output *output);

/* Completes the file under its name. Ends the tool on errors. */
void file_commit(struct output *output);
