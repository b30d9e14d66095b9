/* SPDX-License-Identifier: BSD-2-Clause */

#include "smccc.h"

#include <stdbool.h>
#include "lib/log.h"
#include "psci.h"
#include "vcpu.h"

/* Function ids (DEN 0028, 6.2 and 7). */
#define SMCCC_ARCH_FEATURES       0x80000001u
#define SMCCC_VENDOR_HYP_UID      0x8600ff01u
#define SMCCC_VENDOR_HYP_REVISION 0x8600ff03u

#define SMCCC_VERSION_1_1 0x10001
#define SMCCC_SUCCESS     0

/* Services that kernels probe for by calling them. What we do not have of them is not logged. */
#define SMCCC_OWNER_SHIFT        24
#define SMCCC_OWNER_MASK         0x3fu
#define SMCCC_OWNER_ARCH         0u
#define SMCCC_OWNER_STANDARD     4u
#define SMCCC_OWNER_STANDARD_HYP 5u
#define SMCCC_OWNER_VENDOR_HYP   6u

/*
 * Braid's UID, 74504012-65c1-410a-8947-e05cb8cb8965: its bytes in the order of RFC 4122, four to a
 * register, the first in bits 7:0. No call of ours is behind it today. The revision counts those.
 */
static const uint64_t uid[] = {0x12405074, 0x0a41c165, 0x5ce04789, 0x6589cbb8};
static const uint64_t revision[] = {1, 0};

static bool is_probe(uint32_t id)
{
    uint32_t owner = (id >> SMCCC_OWNER_SHIFT) & SMCCC_OWNER_MASK;

    return owner == SMCCC_OWNER_ARCH || owner == SMCCC_OWNER_STANDARD ||
           owner == SMCCC_OWNER_STANDARD_HYP || owner == SMCCC_OWNER_VENDOR_HYP;
}

/* Calls that end with one result. */
static int64_t answer(const struct smccc_call *call)
{
    uint32_t asked = (uint32_t)call->argument[0];

    switch (call->id) {
    case SMCCC_VERSION:
        return SMCCC_VERSION_1_1;
    case SMCCC_ARCH_FEATURES:
        return asked == SMCCC_VERSION || asked == SMCCC_ARCH_FEATURES ? SMCCC_SUCCESS
                                                                      : SMCCC_NOT_SUPPORTED;
    default:
        if (!is_probe(call->id)) {
            log_limited("vCPU %u at 0x%llx: call of the unknown function 0x%08x", call->vcpu,
                        (unsigned long long)call->pc - 4, (unsigned)call->id);
        }
        return SMCCC_NOT_SUPPORTED;
    }
}

void smccc_call(uint8_t vcpu, uint64_t pc)
{
    uint64_t x[4];
    struct smccc_call call = {.vcpu = vcpu, .pc = pc};

    vcpu_get_arguments(vcpu, x, 4);
    call.id = (uint32_t)x[0];
    call.function = call.id & ~SMCCC_64BIT;
    for (unsigned i = 0; i < 3; i++) {
        call.argument[i] = (call.id & SMCCC_64BIT) ? x[i + 1] : (uint32_t)x[i + 1];
    }
    if (psci_supports(call.id)) {
        psci_call(&call);
    } else if (call.id == SMCCC_VENDOR_HYP_UID) {
        vcpu_resume_with_arguments(vcpu, pc, uid, 4);
    } else if (call.id == SMCCC_VENDOR_HYP_REVISION) {
        vcpu_resume_with_arguments(vcpu, pc, revision, 2);
    } else {
        vcpu_resume_with(vcpu, pc, 0, (uint64_t)answer(&call));
    }
}
