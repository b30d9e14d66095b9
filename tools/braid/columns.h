/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Text by the columns that it takes at a terminal. It is printable UTF-8 with SGR sequences. */

#include <stdbool.h>
#include <stddef.h>
#include "bytes.h"

/* How many columns text takes, at most. */
size_t columns_of(const void *text, size_t length);

/* Add as much of a line as `columns` columns have room for. All its SGR sequences are added. */
void columns_cut(struct bytes *out, const void *text, size_t length, size_t columns);

/* Add a cell with a blank behind it, as wide as `width` says or wider. */
void columns_cell(struct bytes *out, const struct bytes *text, size_t width, bool right);
