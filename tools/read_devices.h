/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "read.h"

/* Read `devices` of a board's file, of which all else has been read. Errors are reported. */
void devices_read(struct board *board, struct yaml_file *file);
