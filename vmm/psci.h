/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Power management for the guest: PSCI 1.1 (Arm DEN 0022E), by the calls of smccc.h. */

#include <stdbool.h>
#include <stdint.h>
#include "smccc.h"

/* Whether the call with this id is one of PSCI's that there are. */
bool psci_supports(uint32_t id);

/*
 * Do such a call. Resumes the vCPU at the call's `pc` with the result in x0, unless the call stops
 * it.
 */
void psci_call(const struct smccc_call *call);
