/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * Follow the references between the model's parts, and check what depends on several keys: connect
 * the interfaces to their switches, give every interface its MAC and IP address, decide which ports
 * may reach which, and compare the sums with the board. Errors are reported. Call it after
 * images_find.
 */
void system_check(struct system *system, struct yaml_file *file);
