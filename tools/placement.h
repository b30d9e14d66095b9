/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Which core everything runs on. A thread belongs to a core for ever. What the system file does not
 * say is placed by the rule in docs/systems.md:
 *
 *   - a machine with all its vCPUs on the core with the fewest vCPUs, in the file's order;
 *   - a monitor on the core of its machine's first vCPU;
 *   - a switch on the last core;
 *   - all other programs on core 0. The timer's driver always is there: its interrupt is core 0's.
 */

#include "model.h"

#define TIMER_CORE 0u

/*
 * Check `cores` and every `cpu`, report what is wrong, and set vm->cores of all machines and the
 * setting `cpu` of all programs. On one core all of these are 0.
 */
void place(struct system *system, struct yaml_file *file);
