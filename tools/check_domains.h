/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * Read `domains`, the turns into which the time of a system with one core is divided, and find out
 * in whose turns each machine runs. Errors are reported.
 */
void domains_check(struct system *system, struct yaml_file *file);
