/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * From files to the model. Errors are reported; what is read afterwards is fit to be checked
 * further, not to be laid out, unless error_count() is 0.
 */

/* `memory`, unless NULL, replaces what the file says of the board's memory. */
void board_read(struct board *board, const char *path, const char *memory);

/*
 * Read the description in options->system_path: settings, switches and VMs, `count` written out.
 * Names are unique and references between them are not yet followed.
 */
void system_read(struct system *system, struct yaml_file *file, const struct options *options);

/* "systems/two.yaml" -> "two". */
const char *name_of_path(const char *path);

/* Report such a name that is none (then false): it becomes part of other files' names and of what
 * make reads. */
bool check_name_of_path(const char *path, const char *name);
