/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Exceptions injected into the guest, in place of an access that hardware would refuse (Arm DDI
 * 0487, D1.3). Each finishes the exit. They return false, and have changed nothing, if the guest
 * cannot take the exception: it has no vectors, or the fault was in the vector itself.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * A synchronous external abort of a data access at guest-physical `gpa`. `walk_level` is -1, or the
 * level of the translation table walk that met it.
 */
bool abort_inject_data(uint8_t vcpu, uint64_t gpa, bool write, int walk_level);

/* The same of an instruction fetch. */
bool abort_inject_fetch(uint8_t vcpu, uint64_t gpa, int walk_level);

/* The instruction is undefined. */
bool abort_inject_undefined(uint8_t vcpu);
