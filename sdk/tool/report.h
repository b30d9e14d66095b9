/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The report: what lies where, for people. */

#include "file.h"
#include "layout.h"

/* Writes the report of a system that is laid out. */
void report_write(const struct layout *layout, const char *board, const char *config,
                  struct output *output);
