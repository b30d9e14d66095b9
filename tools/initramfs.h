/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/* Whether these are the first bytes of a cpio archive or of one that is compressed. */
bool is_initramfs(const unsigned char *bytes, size_t size);

/* What the first bytes say a file is compressed with, in words; NULL: with nothing that we know. */
const char *compression_of(const unsigned char *bytes, size_t size);

/*
 * Find out what a kernel makes of the initramfs in these bytes: `unpacked`, `files` and
 * `modules_for` of the image. Nothing is refused here; a damaged archive counts as far as it goes.
 */
void initramfs_inspect(struct image *image, const unsigned char *bytes, size_t size);
