/* SPDX-License-Identifier: BSD-2-Clause */

#include "fpu.h"

#include "cpu.h"

void fpu_set_owner(struct cpu *cpu, struct thread *thread)
{
    cpu->cptr &= ~CPTR_TFP;
    write_sysreg(cptr_el2, cpu->cptr);
    isb();
    if (cpu->fpu_owner != NULL) {
        fpu_save(&cpu->fpu_owner->fpu);
    }
    fpu_restore(&thread->fpu);
    cpu->fpu_owner = thread;
}

void fpu_release(struct cpu *cpu)
{
    if (cpu->fpu_owner == NULL) {
        return;
    }
    cpu->cptr &= ~CPTR_TFP;
    write_sysreg(cptr_el2, cpu->cptr);
    isb();
    fpu_save(&cpu->fpu_owner->fpu);
    cpu->fpu_owner = NULL;
}
