/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Power management for the guest: PSCI 1.1 (Arm DEN 0022E) and the discovery calls of SMCCC 1.1
 * (Arm DEN 0028), by SMC or HVC.
 */

#include <stdint.h>

/*
 * The vCPU has faulted on a call with its function id in x0. Resumes it at `pc`, behind the
 * call, with the result in x0, unless the call stops it.
 */
void psci_call(uint8_t vcpu, uint64_t pc);
