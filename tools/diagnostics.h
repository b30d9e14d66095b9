/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Errors in what the user wrote. They are collected, so that one run shows all of them, and printed
 * in the order of the file's lines as `FILE:LINE: vm 'name': what is wrong: what would be right`.
 */

#include <stdbool.h>
#include <stddef.h>

/* Printed at most; the rest is counted. */
#define DIAGNOSTICS_SHOWN 100

/*
 * `file` and `where` are kept, not copied. `line` counts from 1; 0 if the error has none. `where`
 * says whose setting it is ("vm 'a'"); "" if nobody's.
 */
void error_at(const char *file, int line, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for what may be meant so. It is printed among the errors as `warning: ...`, and is none.
 */
void warning_at(const char *file, int line, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

size_t error_count(void);

/* Whether so many are collected that the next ones are only counted: a caller need not spend time
 * on their text. */
bool errors_are_only_counted(void);

/* Print what was collected to standard error. */
void errors_print(void);
