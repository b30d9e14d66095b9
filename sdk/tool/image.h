/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The boot image of sdk/kernel/system.h. */

#include "file.h"
#include "layout.h"

enum image_type {
    IMAGE_BINARY, /* flat, as the board's loader wants it */
    IMAGE_ELF,    /* the same bytes as one segment of an ELF file */
};

/* Writes the image of a system that is laid out. The kernel must know its header by now. */
void image_write(const struct layout *layout, enum image_type type, struct output *output);
