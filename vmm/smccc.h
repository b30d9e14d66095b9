/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A guest's calls by SMC or HVC: the SMC Calling Convention 1.1 (Arm DEN 0028). There are its
 * discovery calls, PSCI (psci.h), and of the vendor-specific hypervisor service the questions who
 * the hypervisor is and of what revision.
 */

#include <stdint.h>

#define SMCCC_64BIT   0x40000000u /* in an id: the arguments have 64 bits */
#define SMCCC_VERSION 0x80000000u

#define SMCCC_NOT_SUPPORTED (-1)

/* A call: its id without the width bit, and its arguments cut to that width. */
struct smccc_call {
    uint32_t id;
    uint32_t function;
    uint64_t argument[3];
    uint8_t vcpu;
    uint64_t pc; /* behind the call */
};

/*
 * The vCPU has faulted on a call with its function id in x0. Resumes it at `pc`, behind the
 * call, with the result in x0 (of the hypervisor's UID in x0 to x3), unless the call stops it.
 */
void smccc_call(uint8_t vcpu, uint64_t pc);
