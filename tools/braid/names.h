/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Messages about a name that there is not: they say what is there, and what was probably meant. */

#include <stddef.h>
#include "bytes.h"

/* Of `count` names the one most like `wanted`, or NULL if none is like it. */
const char *names_closest(const char *wanted, const char *const *names, size_t count);

/* Add `no WHAT 'WANTED': there are A, B; did you mean 'A'?`, with a newline. The names
 * may be printed as they are; what was wanted need not. */
void names_explain(struct bytes *text, const char *what, const char *wanted,
                   const char *const *names, size_t count);
