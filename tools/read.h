/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * From files to the model. Errors are reported. The model may be checked further after an error,
 * but it must be laid out only if error_count() is 0.
 */

/*
 * `memory`, unless NULL, replaces what the file says of the board's memory. `official` chooses what
 * the board's file has for official SDKs.
 */
void board_read(struct board *board, const char *path, const char *memory, bool official);

/*
 * Read the description in options->system_path: settings, switches and VMs. A VM with a `count`
 * becomes that many. Names are then unique. References between things are not followed yet.
 */
void system_read(struct system *system, struct yaml_file *file, const struct options *options);

/* "systems/two.yaml" -> "two". */
const char *name_of_path(const char *path);

/* Report a name with other characters than VALUE_STEM allows, and return false: the name becomes
 * part of other files' names and of what make reads. */
bool check_name_of_path(const char *path, const char *name);
