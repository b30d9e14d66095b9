/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What `rate` says: of an interface, and of a machine's disk. */

#include "model.h"

/*
 * Read `rate`, if it is given, into `of_rate`, which holds the defaults. What it does not say
 * stays. Errors name `where`.
 */
void interface_rate_read(struct yaml_file *file, const char *where,
                         struct interface_settings *settings);
void slice_rate_read(struct yaml_file *file, const char *where, struct slice_settings *settings);
