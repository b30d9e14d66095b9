/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "buffer.h"

/* More than any kernel, bytes: what a damaged or hostile file may make of itself. */
#define KERNEL_UNPACKED_MAX (256ULL << 20)

/*
 * Unpack a kernel as distributions compress it: with gzip, xz, lzma or zstd, alone or as an EFI
 * application that unpacks itself. The Image goes to `image`, which stays empty if nothing is
 * compressed. Returns NULL, or what is wrong and would be right.
 */
const char *kernel_unpack(const unsigned char *bytes, size_t size, struct buffer *image);
