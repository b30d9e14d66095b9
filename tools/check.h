/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "model.h"

/*
 * Follow the references between the model's parts and check what no single key can tell: plug the
 * interfaces into their switches, give every interface its MAC and address, decide who reaches
 * whom, and compare the sums with the board. Errors are reported. Call after images_find.
 */
void system_check(struct system *system, struct yaml_file *file);
