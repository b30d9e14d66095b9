/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "buffer.h"

/*
 * Unpack a kernel as distributions compress it: with gzip, xz or lzma, alone or as an EFI
 * application that unpacks itself. The Image goes to `image`, which stays empty if nothing is
 * compressed. Returns NULL, or what is wrong and would be right.
 */
const char *kernel_unpack(const unsigned char *bytes, size_t size, struct buffer *image);
