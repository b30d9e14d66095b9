/* SPDX-License-Identifier: BSD-2-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "model.h"
#include "sdk/kernel/debug.h"
#include "sdk/kernel/gic.h"
#include "sdk/kernel/mmu.h"
#include "sdk/kernel/smp.h"
#include "sdk/kernel/uart.h"
#include "sdk/kernel/vcpu_switch.h"

struct machine_core machine_cores[MACHINE_CORES];
struct machine_core *machine_core = &machine_cores[0];

static struct cpu cpus[MACHINE_CORES];
static jmp_buf *way_out; /* of the kernel, for WFI and WFE */

struct cpu *cpu_of_core(uint32_t core)
{
    return &cpus[core];
}

void machine_reset(void)
{
    memset(machine_cores, 0, sizeof machine_cores);
    memset(cpus, 0, sizeof cpus);
    for (unsigned i = 0; i < MACHINE_CORES; i++) {
        machine_cores[i].tpidr_el2 = (uint64_t)&cpus[i];
        machine_cores[i].cntfrq_el0 = 1000000; /* a tick is a microsecond */
        machine_cores[i].arriving = 1023;
        cpus[i].core = i;
    }
    machine_enter(0);
}

void machine_enter(unsigned core)
{
    machine_core = &machine_cores[core];
}

void machine_pass(uint64_t ticks)
{
    for (unsigned i = 0; i < MACHINE_CORES; i++) {
        machine_cores[i].cntpct_el0 += ticks;
    }
}

enum machine_end machine_run(void (*function)(struct cpu *cpu, void *argument), struct cpu *cpu,
                             void *argument)
{
    jmp_buf *outer = way_out;
    jmp_buf here;
    int end = _setjmp(here);

    if (end == END_DONE) {
        way_out = &here;
        function(cpu, argument);
    }
    way_out = outer;
    return (enum machine_end)end;
}

void wfi(void)
{
    if (!machine_core->interrupted) {
        _longjmp(*way_out, END_IDLE);
    }
    machine_core->interrupted = false;
}

_Noreturn void wfe(void)
{
    _longjmp(*way_out, END_LOCKED);
}

/* ---- The interrupt controller ---- */

/* Reading GICC_IAR acknowledges. */
uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    uint32_t intid = machine_core->arriving;

    if (registers != BOARD_GICC || offset != GICC_IAR) {
        return 0;
    }
    machine_core->arriving = 1023;
    if (intid - MACHINE_INTID < 64) {
        machine_core->active |= BIT(intid - MACHINE_INTID);
    }
    return intid;
}

void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    if (registers == BOARD_GICC && offset == GICC_DIR && value - MACHINE_INTID < 64) {
        for (unsigned i = 0; i < MACHINE_CORES; i++) {
            machine_cores[i].active &= ~BIT(value - MACHINE_INTID);
        }
    }
    if (registers == BOARD_GICD && offset == GICD_SGIR) {
        machine_cores[value >> 16 & 2 ? 1 : 0].sgi = true;
    }
}

void gic_enable(uint32_t intid, bool edge)
{
    (void)intid;
    (void)edge;
}

void gic_set_target(uint32_t intid, uint32_t core)
{
    (void)intid;
    (void)core;
}

/* ---- vCPUs: which one is loaded, and no registers ---- */

void vcpu_init(struct thread *thread)
{
    thread->regs.spsr = thread_sanitize_spsr(thread, SPSR_EL1H);
}

void vcpu_load(struct cpu *cpu, struct thread *thread)
{
    demand(thread->cpu == cpu, "a vCPU is loaded on another core than its own");
    if (cpu->vcpu_active) {
        vcpu_stop(cpu, &cpu->vcpu_loaded->vcpu);
    }
    cpu->vcpu_loaded = thread;
    cpu->off = 0;
}

void vcpu_unload(struct cpu *cpu)
{
    demand(machine_core->tpidr_el2 == (uint64_t)cpu, "a vCPU is unloaded by another core");
    demand(cpu->vcpu_loaded != NULL, "no vCPU is loaded");
    if (cpu->vcpu_active) {
        vcpu_leave(cpu, cpu->vttbr_empty, CNTKCTL_PD);
    }
    cpu->vcpu_loaded = NULL;
    cpu->vcpu_ready = NULL;
}

void vcpu_disable_gich(struct cpu *cpu)
{
    cpu->off |= OFF_GICH;
    cpu->vcpu_ready = NULL;
}

seL4_Error vcpu_read_register(struct cpu *cpu, struct thread *thread, uint64_t reg, uint64_t *value)
{
    demand(!smp_is_remote(this_cpu(), thread) || cpu->vcpu_loaded != thread,
           "registers of a vCPU that another core has are read");
    *value = reg;
    return seL4_NoError;
}

seL4_Error vcpu_write_register(struct cpu *cpu, struct thread *thread, uint64_t reg, uint64_t value)
{
    return vcpu_read_register(cpu, thread, reg, &value);
}

seL4_Error vcpu_inject(struct cpu *cpu, struct thread *thread, uint64_t interrupt)
{
    return vcpu_read_register(cpu, thread, 0, &interrupt);
}

seL4_Error vcpu_ack_vppi(struct thread *thread, uint64_t intid)
{
    (void)intid;
    thread->vcpu.vtimer_masked = false;
    return seL4_NoError;
}

void vcpu_timer_interrupt(struct cpu *cpu)
{
    (void)cpu;
}

void vcpu_maintenance_interrupt(struct cpu *cpu)
{
    (void)cpu;
}

bool debug_suspend(struct cpu *cpu)
{
    (void)cpu;
    return false;
}

/* ---- What is of no interest here ---- */

void fpu_save(struct fpu *fpu)
{
    (void)fpu;
}

void fpu_restore(const struct fpu *fpu)
{
    (void)fpu;
}

void mmu_maintain(uint64_t vttbr, uint64_t start, uint64_t end, uint64_t operation)
{
    (void)vttbr;
    (void)start;
    (void)end;
    (void)operation;
}

void firmware_call(uint64_t words[8]);
void firmware_call(uint64_t words[8]) /* NOLINT(readability-non-const-parameter): the kernel's */
{
    (void)words;
}

void gic_init_cpu(uint32_t core)
{
    (void)core;
}

void vcpu_init_cpu(struct cpu *cpu)
{
    (void)cpu;
}

void secondary_start(void);
void secondary_start(void)
{
}

void kprint(const char *format, ...)
{
    (void)format;
}

_Noreturn void panic_at(const char *file, int line, const char *format, ...)
{
    (void)format;
    violation("the kernel panics at %s:%d", file, line);
}
