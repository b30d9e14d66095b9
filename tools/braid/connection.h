/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A command's connection to the background process of the system that it is for. */

#include <stddef.h>
#include "state_directory.h"

/* The system that the user has chosen (-s), or NULL. */
extern const char *connection_chosen;

/*
 * The name of the system that is meant, or NULL after a message, with the exit status in `*status`.
 * If `ended` is set, one that has ended by itself counts as well.
 */
const char *connection_system(bool ended, int *status);

/* Say that a system does not run, and why not if that is known. Returns EXIT_NONE. */
int connection_none(const char *system);

/* Connect, and send the command. Returns the socket, or -1 with the exit status in `*status`. */
int connection_open(const char *system, const char *const *words, size_t count, int *status);

/* Copy what it says to standard output and error until it has ended. Returns the exit status. */
int connection_copy(int fd);

/* Write all. Returns false if that cannot be done. */
bool write_all(int fd, const void *bytes, size_t count);
