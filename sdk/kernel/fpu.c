/* SPDX-License-Identifier: BSD-2-Clause */

#include "cpu.h"
#include "fpu.h"

void fpu_trap(struct cpu *cpu)
{
    cpu->cptr = CPTR_RES1;
    write_sysreg(cptr_el2, cpu->cptr);
    isb();
    if (cpu->fpu_owner != NULL) {
        fpu_save(&cpu->fpu_owner->fpu);
    }
    fpu_restore(&cpu->current->fpu);
    cpu->fpu_owner = cpu->current;
}
