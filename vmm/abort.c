/* SPDX-License-Identifier: BSD-2-Clause */

#include "abort.h"

#include <microkit.h>
#include "lib/esr.h"
#include "vcpu.h"

#define SCTLR_M     (1u << 0)
#define SCTLR_SPAN  (1u << 23)
#define SCTLR_DSSBS (1ull << 44)

#define VECTOR_SIZE 0x80u

/* Offset of the vector for a synchronous exception taken to EL1. */
static uint64_t vector_offset(uint64_t pstate)
{
    if (pstate & PSTATE_AARCH32) {
        return 0x600;
    }
    switch (pstate & PSTATE_MODE_MASK) {
    case PSTATE_MODE_EL1T:
        return 0x000;
    case PSTATE_MODE_EL1H:
        return 0x200;
    default:
        return 0x400;
    }
}

static bool from_el1(uint64_t pstate)
{
    return !(pstate & PSTATE_AARCH32) && (pstate & PSTATE_MODE_MASK) != PSTATE_MODE_EL0T;
}

/* PSTATE after AArch64.TakeException. Bits that the processor does not have do nothing. */
static uint64_t pstate_in_handler(uint64_t pstate, uint64_t sctlr)
{
    uint64_t pan = (sctlr & SCTLR_SPAN) ? pstate & PSTATE_PAN : PSTATE_PAN;
    uint64_t ssbs = (sctlr & SCTLR_DSSBS) ? PSTATE_SSBS : 0;

    return PSTATE_MODE_EL1H | PSTATE_DAIF | PSTATE_TCO | pan | ssbs |
           (pstate & (PSTATE_NZCV | PSTATE_DIT));
}

static bool take_exception(uint8_t vcpu, struct vcpu_frame from, uint64_t syndrome)
{
    uint64_t vectors = microkit_vcpu_arm_read_reg(vcpu, seL4_VCPUReg_VBAR);
    uint64_t sctlr = microkit_vcpu_arm_read_reg(vcpu, seL4_VCPUReg_SCTLR);
    struct vcpu_frame to = {
        .pc = vectors + vector_offset(from.pstate),
        .pstate = pstate_in_handler(from.pstate, sctlr),
    };

    /* An exception in the vector of that exception would recur for ever. */
    if (vectors == 0 || from.pc - to.pc < VECTOR_SIZE) {
        return false;
    }
    microkit_vcpu_arm_write_reg(vcpu, seL4_VCPUReg_ELR_EL1, from.pc);
    microkit_vcpu_arm_write_reg(vcpu, seL4_VCPUReg_SPSR_EL1, from.pstate);
    microkit_vcpu_arm_write_reg(vcpu, seL4_VCPUReg_ESR, syndrome);
    vcpu_resume_frame(vcpu, to);
    return true;
}

/*
 * The kernel reports the guest-physical address only. While the guest's MMU is off that is the
 * virtual address, too. Otherwise ESR_EL1.FnV says that FAR_EL1 is not valid, as the architecture
 * allows for this abort.
 */
static bool take_abort(uint8_t vcpu, uint32_t ec, uint64_t gpa, uint32_t iss, int walk_level)
{
    struct vcpu_frame from = vcpu_get_frame(vcpu);
    uint64_t sctlr = microkit_vcpu_arm_read_reg(vcpu, seL4_VCPUReg_SCTLR);

    if (from_el1(from.pstate)) {
        ec |= EC_ABORT_SAME;
    }
    if (walk_level >= 0) {
        iss |= FSC_EXTERNAL_WALK + (uint32_t)walk_level;
    } else {
        iss |= FSC_EXTERNAL | ((sctlr & SCTLR_M) ? ISS_FNV : 0);
    }
    microkit_vcpu_arm_write_reg(vcpu, seL4_VCPUReg_FAR, gpa);
    return take_exception(vcpu, from, (uint64_t)ec << ESR_EC_SHIFT | ESR_IL | iss);
}

bool abort_inject_data(uint8_t vcpu, uint64_t gpa, bool write, int walk_level)
{
    return take_abort(vcpu, EC_DATA_ABORT_LOWER, gpa, write ? ISS_WNR : 0, walk_level);
}

bool abort_inject_fetch(uint8_t vcpu, uint64_t gpa, int walk_level)
{
    return take_abort(vcpu, EC_INST_ABORT_LOWER, gpa, 0, walk_level);
}

bool abort_inject_undefined(uint8_t vcpu)
{
    return take_exception(vcpu, vcpu_get_frame(vcpu),
                          (uint64_t)EC_UNKNOWN << ESR_EC_SHIFT | ESR_IL);
}
