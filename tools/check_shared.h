/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * The part of system_check that is about shared memory: which machines have it, and where. Devices
 * have been checked before.
 */
void shared_check(struct system *system, struct yaml_file *file);
