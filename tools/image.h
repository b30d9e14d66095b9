/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"
#include "yaml_file.h"

/*
 * Find the files that each VM boots, and check them: a kernel must be an arm64 Image
 * (Linux, Documentation/arm64/booting.rst), an initramfs a cpio archive, maybe compressed.
 */
void images_find(struct system *system);

/*
 * Print the files of packages that a system file names, as PACKAGE/FILE, one a line: of
 * `kernel: package:NAME` the kernel, of `firmware: u-boot` that.
 */
void packages_print(struct yaml_file *file);

/* The path of a file that the system file names; NULL if it is in none of the directories. */
const char *find_file(const struct system *system, const char *name);
