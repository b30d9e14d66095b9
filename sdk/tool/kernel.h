/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The SDK's kernel, which becomes the start of the boot image. */

#include "program.h"

/* Reads the kernel and checks that it is linked for SYSTEM_LOAD_ADDRESS, begins with its entry and
 * has the variable system_header_pa. Ends the tool if not. */
struct program *kernel_read(const char *path);

/* Stores the physical address of struct system_header in the kernel. */
void kernel_set_header(struct program *kernel, uint64_t address);
