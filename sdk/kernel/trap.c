/* SPDX-License-Identifier: BSD-2-Clause */

#include "trap.h"

#include "fault.h"
#include "irq.h"
#include "sysreg.h"
#include "uart.h"

#define PAGE_LOW 0xffful

#define SERRORS_REPORTED 8u

/*
 * The guest-physical address of a vCPU's abort. HPFAR_EL2 has its page, but not for a permission
 * fault: then an AT instruction walks the guest's own tables. Returns false if these map nothing
 * there (any more): the guest finds that out when it executes the instruction again.
 */
static inline bool guest_address(uint64_t esr, uint64_t *address)
{
    uint64_t far = read_sysreg(far_el2);
    uint64_t page = read_sysreg(hpfar_el2) >> 4 << 12;

    if (FSC_TYPE(ISS_FSC(esr)) == FSC_PERMISSION && !(esr & ISS_S1PTW)) {
        uint64_t par = read_sysreg(par_el1);
        register uint64_t translated __asm__("x0") = far;

        /* A walk faults where there is no memory. Then PAR_EL1 reads as all ones (vectors.S). */
        __asm__ volatile(".global translate_at\n"
                         "translate_at: at s1e1r, x0\n"
                         "isb\n"
                         "mrs x0, par_el1"
                         : "+r"(translated)
                         :
                         : "x16", "x17", "memory");
        write_sysreg(par_el1, par);
        if (translated & PAR_F) {
            return false;
        }
        page = translated & PAR_PA;
    }
    *address = page | (far & PAGE_LOW);
    return true;
}

static inline void memory_abort(struct cpu *cpu, uint64_t esr)
{
    struct thread *thread = cpu->current;
    uint64_t address;

    if (!thread->is_vcpu) {
        address = read_sysreg(far_el2);
    } else if (!guest_address(esr, &address)) {
        return;
    }
    fault_raise(cpu, seL4_Fault_VMFault, seL4_VMFault_Length, thread->regs.pc, address,
                ESR_EC(esr) == EC_INST_ABORT_LOWER, esr);
}

static __attribute__((noinline)) void other_exception(struct cpu *cpu, uint64_t esr)
{
    struct thread *thread = cpu->current;

    switch (ESR_EC(esr)) {
    case EC_FP:
        if (!(thread->config->flags & SYSTEM_THREAD_NO_FPU)) {
            fpu_set_owner(cpu, thread);
            return;
        }
        break;
    case EC_SVC64:
    case EC_HVC64:
        fault_raise_syscall(cpu);
        return;
    case EC_SYS64:
        if (thread->is_vcpu && sysreg_emulate(cpu, esr)) {
            return;
        }
        break;
    case EC_BREAKPOINT_LOWER:
    case EC_STEP_LOWER:
    case EC_WATCHPOINT_LOWER:
        if (!thread->is_vcpu) {
            /* A PD has met a guest's. If not, another core has had that vCPU unloaded meanwhile. */
            (void)debug_suspend(cpu);
            return;
        }
        break;
#ifdef CONFIG_HARDWARE_DEBUG_API
    case EC_BRK64:
        fault_raise(cpu, seL4_Fault_DebugException, seL4_DebugException_ExceptionReason + 1,
                    thread->regs.pc, seL4_SoftwareBreakRequest, 0, 0);
        return;
#endif
    case EC_UNKNOWN:
        fault_raise(cpu, seL4_Fault_UserException, seL4_UserException_Length, thread->regs.pc,
                    thread->regs.sp, thread->regs.spsr, esr);
        return;
    }
    fault_raise(cpu, seL4_Fault_VCPUFault, seL4_VCPUFault_Length, esr, 0, 0, 0);
}

void trap_sync(struct cpu *cpu, uint64_t esr)
{
    if (IS_SMP && !smp_enter(cpu, ESR_EC(esr) == EC_SVC64 || ESR_EC(esr) == EC_HVC64)) {
        return;
    }
    if (likely((ESR_EC(esr) & ~4u) == EC_INST_ABORT_LOWER)) { /* or EC_DATA_ABORT_LOWER */
        memory_abort(cpu, esr);
    } else {
        other_exception(cpu, esr);
    }
}

void trap_irq(struct cpu *cpu)
{
    if (IS_SMP) {
        smp_enter(cpu, false);
    }
    irq_handle(cpu);
}

/*
 * SErrors are masked in the kernel. One that comes before the thread has executed anything since it
 * was resumed, at `resumed`, is not that thread's. It is the kernel's, or a thread's that ran
 * before. Which one cannot be told: it is reported, not too often, and the thread goes on.
 */
void trap_serror(struct cpu *cpu, uint64_t resumed)
{
    static unsigned reported;
    uint64_t esr = read_sysreg(esr_el2);

    if (IS_SMP && !smp_enter(cpu, false)) {
        return; /* it is lost with the thread that has been stopped */
    }
    if (cpu->current->regs.pc == resumed) {
        if (reported < SERRORS_REPORTED) {
            reported++;
            kprint("kernel: asynchronous external abort, esr %x, before '%s' went on\n", esr,
                   cpu->current->config->name);
        }
        return;
    }
    fault_raise(cpu, seL4_Fault_VCPUFault, seL4_VCPUFault_Length, esr, 0, 0, 0);
}

_Noreturn void trap_kernel(uint64_t esr, uint64_t elr, uint64_t far)
{
    const struct thread *thread = this_cpu()->current;

    panic("exception in the kernel: pc %x esr %x far %x, while '%s' was running", elr, esr, far,
          thread != NULL ? thread->config->name : "nobody");
}
