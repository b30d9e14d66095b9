/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "buffer.h"
#include "model.h"

bool is_elf(const unsigned char *bytes, size_t size);

/*
 * Read an ELF file as a kernel: its loadable segments go to `flat`, each at its physical address
 * from the lowest on, with zeros between them. Sets the image's address, entry and memory_size.
 * Returns NULL, or what is wrong and would be right.
 */
const char *kernel_flatten(const unsigned char *bytes, size_t size, struct image *image,
                           struct buffer *flat);
