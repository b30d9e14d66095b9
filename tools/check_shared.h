/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * The part of system_check that is about shared memory: which machines have it, and where. Devices
 * have been checked before.
 */
void shared_check(struct system *system, struct yaml_file *file);

/*
 * Whether a file that may be wrong has shared memory, and a machine whose kernel is one of the
 * distribution's: the default one, or a package's.
 */
bool shared_needs_module(struct yaml_file *file);
