/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Diagnostics. The first error ends the tool: it prints one line on standard error, removes output
 * that must not be left behind, and exits with status 1.
 */

#include <stdint.h>

/* A position in the system description. */
struct place {
    unsigned line;     /* from 1 */
    const char *label; /* the element as messages show it, for example: <map mr='ring'> */
};

/* The name of the system description, as messages show it; the string is kept. */
void diag_set_file(const char *name);

/* A file that an error removes, if it is there: the image or report of an earlier run, or a
 * half-written one. The string is kept. At most 8 are remembered. */
void diag_remove_on_error(const char *path);

/* Forget these files: the error to come is that one of them is an input. */
void diag_keep_files(void);

/* microkit: MESSAGE */
__attribute__((noreturn, format(printf, 1, 2))) void diag_fatal(const char *format, ...);

/* microkit: FILE:LINE: MESSAGE */
__attribute__((noreturn, format(printf, 2, 3))) void diag_line(unsigned line, const char *format,
                                                               ...);

/* microkit: FILE:LINE: <element name='x'>: attribute 'y': MESSAGE; without the attribute part if it
 * is NULL. MESSAGE says what is wrong, and behind a colon what would be right. */
__attribute__((noreturn, format(printf, 3, 4))) void
diag_at(const struct place *place, const char *attribute, const char *format, ...);

/* microkit: FILE:LINE: <element name='x'>: warning: MESSAGE, when diag_print_warnings is called. */
void diag_warn(const struct place *place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* microkit: warning: MESSAGE, likewise: something that is not in the system description. */
void diag_warn_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints the warnings, in the order in which they were given. An error is printed without them: it
 * is the only message. */
void diag_print_warnings(void);

/* A new string: a number of bytes as people read it, exact: "3 MiB", "5 KiB", "7 bytes". */
char *diag_size(uint64_t size);
