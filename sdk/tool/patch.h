/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The variables of a program that the tool writes: libmicrokit's, and what setvar attributes name.
 */

#include "program.h"
#include "sdf.h"

/* Writes all variables of the PD's program. Physical addresses are not known yet: their variables
 * are set to a value that is not zero, so that their pages are stored in the image. */
void patch_variables(const struct sdf_system *system, const struct sdf_pd *pd,
                     struct program *program, const struct program *symbols);

/* Writes the variables that hold the physical address of `region`. */
void patch_addresses(const struct sdf_pd *pd, struct program *program,
                     const struct program *symbols, const struct sdf_region *region,
                     uint64_t address);
