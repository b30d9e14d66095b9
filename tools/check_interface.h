/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/* The part of system_check that is about machines' interfaces: fills in and checks each of them. */
void interfaces_check(struct system *system, struct yaml_file *file);
