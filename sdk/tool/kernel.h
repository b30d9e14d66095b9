/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The SDK's kernel, which becomes the start of the boot image. */

#include "board.h"
#include "program.h"

/* Reads the kernel and checks that it begins with its entry, and has the variable system_header_pa
 * and the constant system_board. Ends the tool if not. */
struct program *kernel_read(const char *path);

/* The board that the kernel was built for. Ends the tool if the description makes no sense. */
const struct board *kernel_board(const struct program *kernel);

/* Stores the physical address of struct system_header in the kernel. */
void kernel_set_header(struct program *kernel, uint64_t address);
