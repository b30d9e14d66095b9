/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/* The part of system_check that is about interfaces and switches. */
void networks_check(struct system *system, struct yaml_file *file);
