/* SPDX-License-Identifier: BSD-2-Clause */

#include "arch.h"
#include "registers.h"
#include "sysreg.h"

/* The syndrome of a trapped MSR, MRS or system instruction (Arm DDI 0487, D17.2.37). */
#define ISS_READ     BIT(0)
#define ISS_CRM(esr) ((esr) >> 1 & 0xf)
#define ISS_RT(esr)  ((esr) >> 5 & 0x1f)
#define ISS_CRN(esr) ((esr) >> 10 & 0xf)
#define ISS_OP1(esr) ((esr) >> 14 & 0x7)
#define ISS_OP0(esr) ((esr) >> 20 & 0x3)

static bool is_debug(uint64_t esr)
{
    return ISS_OP0(esr) == 2;
}

static bool is_performance(uint64_t esr)
{
    unsigned crn = ISS_CRN(esr);
    unsigned crm = ISS_CRM(esr);

    if (ISS_OP0(esr) != 3) {
        return false;
    }
    if (ISS_OP1(esr) == 0) {
        return crn == 9 && crm == 14; /* PMINTENSET_EL1, PMINTENCLR_EL1 */
    }
    return ISS_OP1(esr) == 3 && ((crn == 9 && crm >= 12 && crm <= 14) || (crn == 14 && crm >= 8));
}

static bool is_implementation_defined(uint64_t esr)
{
    return (ISS_OP0(esr) == 3 || ISS_OP0(esr) == 1) && (ISS_CRN(esr) == 11 || ISS_CRN(esr) == 15);
}

/* ACTLR_EL1, which has a place in a vCPU's registers. */
static bool is_auxiliary_control(uint64_t esr)
{
    return ISS_OP0(esr) == 3 && ISS_OP1(esr) == 0 && ISS_CRN(esr) == 1 && ISS_CRM(esr) == 0;
}

bool sysreg_emulate(struct thread *thread, uint64_t esr)
{
    if (!is_debug(esr) && !is_performance(esr) && !is_implementation_defined(esr) &&
        !is_auxiliary_control(esr)) {
        return false;
    }
    if (esr & ISS_READ) {
        register_write(thread, ISS_RT(esr), 0);
    }
    thread->regs.pc += 4;
    return true;
}
