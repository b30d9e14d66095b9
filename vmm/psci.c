/* SPDX-License-Identifier: BSD-2-Clause */

#include "psci.h"

#include "idle.h"
#include "vcpu.h"
#include "vgic.h"
#include "vm.h"

/* Function ids (DEN 0022E, 5.1). */
#define PSCI_VERSION           0x84000000u
#define PSCI_CPU_SUSPEND       0x84000001u
#define PSCI_CPU_OFF           0x84000002u
#define PSCI_CPU_ON            0x84000003u
#define PSCI_AFFINITY_INFO     0x84000004u
#define PSCI_MIGRATE_INFO_TYPE 0x84000006u
#define PSCI_SYSTEM_OFF        0x84000008u
#define PSCI_SYSTEM_RESET      0x84000009u
#define PSCI_FEATURES          0x8400000au

#define PSCI_VERSION_1_1 0x10001

#define PSCI_SUCCESS            0
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_ON_PENDING         (-5)
#define PSCI_INVALID_ADDRESS    (-9)

#define PSCI_AFFINITY_ON         0
#define PSCI_AFFINITY_OFF        1
#define PSCI_AFFINITY_ON_PENDING 2
#define PSCI_NO_TRUSTED_OS       2

/* The vCPU with that MPIDR, or -1. All are in one cluster: Aff0 is the number. */
static int vcpu_of_mpidr(uint64_t mpidr)
{
    return mpidr < vcpu_count() ? (int)mpidr : -1;
}

static int64_t cpu_on(const struct smccc_call *call)
{
    int target = vcpu_of_mpidr(call->argument[0]);
    uint64_t entry = call->argument[1];

    if (target < 0) {
        return PSCI_INVALID_PARAMETERS;
    }
    if (vcpu_state((uint8_t)target) == VCPU_RESETTING) {
        return PSCI_ON_PENDING;
    }
    if (vcpu_state((uint8_t)target) != VCPU_OFF) {
        return PSCI_ALREADY_ON;
    }
    if ((entry & 3) != 0 || !guest_memory_at(vm_memory(), entry, 4)) {
        return PSCI_INVALID_ADDRESS;
    }
    vm_cpu_on((uint8_t)target, entry, call->argument[2]);
    return PSCI_SUCCESS;
}

static int64_t affinity_info(const struct smccc_call *call)
{
    int target = vcpu_of_mpidr(call->argument[0]);

    if (target < 0 || call->argument[1] != 0) {
        return PSCI_INVALID_PARAMETERS; /* no levels above the processors since PSCI 1.0 */
    }
    switch (vcpu_state((uint8_t)target)) {
    case VCPU_OFF:
        return PSCI_AFFINITY_OFF;
    case VCPU_RESETTING:
        return PSCI_AFFINITY_ON_PENDING;
    default:
        return PSCI_AFFINITY_ON;
    }
}

/* Which functions have a 64-bit form. */
static bool has_64bit_form(uint32_t function)
{
    return function == PSCI_CPU_SUSPEND || function == PSCI_CPU_ON ||
           function == PSCI_AFFINITY_INFO;
}

bool psci_supports(uint32_t id)
{
    uint32_t function = id & ~SMCCC_64BIT;

    if ((id & SMCCC_64BIT) && !has_64bit_form(function)) {
        return false;
    }
    switch (function) {
    case PSCI_VERSION:
    case PSCI_CPU_SUSPEND:
    case PSCI_CPU_OFF:
    case PSCI_CPU_ON:
    case PSCI_AFFINITY_INFO:
    case PSCI_MIGRATE_INFO_TYPE:
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case PSCI_FEATURES:
        return true;
    default:
        return false;
    }
}

/* It is asked for SMCCC_VERSION, too: so a kernel learns whether it may call that. */
static int64_t features(const struct smccc_call *call)
{
    uint32_t asked = (uint32_t)call->argument[0];

    return psci_supports(asked) || asked == SMCCC_VERSION ? PSCI_SUCCESS : SMCCC_NOT_SUPPORTED;
}

/* Calls that end with a result. */
static int64_t answer(const struct smccc_call *call)
{
    switch (call->function) {
    case PSCI_VERSION:
        return PSCI_VERSION_1_1;
    case PSCI_CPU_ON:
        return cpu_on(call);
    case PSCI_AFFINITY_INFO:
        return affinity_info(call);
    case PSCI_MIGRATE_INFO_TYPE:
        return PSCI_NO_TRUSTED_OS;
    default: /* PSCI_FEATURES */
        return features(call);
    }
}

/*
 * Every power state is a standby state: the vCPU waits for an interrupt, and keeps its state. Other
 * than a WFI, a call exits even if it has one that wakes it.
 */
static void cpu_suspend(const struct smccc_call *call)
{
    vcpu_set(call->vcpu, call->pc, 0, PSCI_SUCCESS);
    if (vgic_pending(call->vcpu) || !idle_park(call->vcpu)) {
        vcpu_continue(call->vcpu);
    }
}

void psci_call(const struct smccc_call *call)
{
    switch (call->function) {
    case PSCI_CPU_SUSPEND:
        cpu_suspend(call);
        return;
    case PSCI_CPU_OFF:
        vm_cpu_off(call->vcpu);
        return;
    case PSCI_SYSTEM_OFF:
        vm_stop(VM_BY_GUEST);
        return;
    case PSCI_SYSTEM_RESET:
        vm_restart(VM_BY_GUEST);
        return;
    default:
        vcpu_resume_with(call->vcpu, call->pc, 0, (uint64_t)answer(call));
        return;
    }
}
