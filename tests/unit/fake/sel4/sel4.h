/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What <microkit.h> brings to a PD of libsel4, for tests on the host: the bundled SDK's types and
 * numbers, and the invocations that fake_microkit.c answers. See ../microkit.h.
 */

#include <sel4/faults.h>
#include <sel4/types.h>
#include <stdint.h>

/* Not all of the SDKs that Braid runs on have these. */
#undef seL4_VCPUReg_ISR
#pragma GCC poison seL4_VCPUReg_PAR seL4_VCPUReg_ISR

seL4_Error seL4_TCB_ReadRegisters(seL4_CPtr tcb, seL4_Bool suspend_source, seL4_Uint8 arch_flags,
                                  seL4_Word count, seL4_UserContext *context);
seL4_Error seL4_TCB_WriteRegisters(seL4_CPtr tcb, seL4_Bool resume_target, seL4_Uint8 arch_flags,
                                   seL4_Word count, seL4_UserContext *context);
void seL4_Send(seL4_CPtr dest,
               seL4_MessageInfo_t message); /* what is deferred; it is counted then */
seL4_Error seL4_TCB_Suspend(seL4_CPtr tcb);
void seL4_Yield(void);
seL4_Error seL4_ARM_VCPU_InjectIRQ(seL4_CPtr vcpu, seL4_Uint16 irq, seL4_Uint8 priority,
                                   seL4_Uint8 group, seL4_Uint8 index);
