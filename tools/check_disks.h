/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * The part of system_check that is about disks: give each machine's disk its slice of the board's.
 * Partitions are looked up if the disk's image exists already.
 */
void disks_check(struct system *system, struct yaml_file *file);
