/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * Follow `devices` of all machines to the board's, whose disk and network card must have their
 * users already. Errors are reported: a device has one owner, and it is not one of our drivers.
 */
void devices_check(struct system *system, struct yaml_file *file);

/* Check the memory of machines whose devices master the bus. devices_check comes before. */
void devices_check_memory(const struct system *system);
