/* SPDX-License-Identifier: BSD-2-Clause */

#include "benchmark.h"

#ifdef CONFIG_BENCHMARK_TRACK_UTILISATION

#include <sel4/benchmark_utilisation_types.h>
#include "cpu.h"
#include "uart.h"

/* Performance monitors (Arm DDI 0487, D17.5). */
#define PMCR_E          BIT(0) /* all counters are enabled */
#define PMCR_P          BIT(1) /* reset those of events */
#define PMCR_C          BIT(2) /* reset that of cycles */
#define PMCR_LC         BIT(6) /* it overflows at 64 bits */
#define PMCNTEN_C       BIT(31)
#define PMCCFILTR_NSH   BIT(27) /* EL2 is counted */
#define PMUSERENR_EN    BIT(0)
#define DFR0_PMU_SHIFT  8 /* ID_AA64DFR0_EL1.PMUVer */
#define DFR0_PMU_OTHER  0xfu
#define MDCR_PMU_CLOSED (MDCR_TPM | MDCR_TPMCR)

static uint64_t cycles(void)
{
    return read_sysreg(pmccntr_el0);
}

void benchmark_init_cpu(void)
{
    unsigned version = read_sysreg(id_aa64dfr0_el1) >> DFR0_PMU_SHIFT & 0xf;

    if (version == 0 || version == DFR0_PMU_OTHER) {
        panic("a benchmark kernel needs a processor with a performance monitoring unit");
    }
    write_sysreg(pmcr_el0, PMCR_E | PMCR_P | PMCR_C | PMCR_LC);
    write_sysreg(pmccfiltr_el0, PMCCFILTR_NSH);
    write_sysreg(pmcntenset_el0, PMCNTEN_C);
    write_sysreg(pmuserenr_el0, PMUSERENR_EN);
    benchmark_close_pmu(false);
}

void benchmark_close_pmu(bool close)
{
    uint64_t mdcr = read_sysreg(mdcr_el2) & ~MDCR_PMU_CLOSED;

    write_sysreg(mdcr_el2, close ? mdcr | MDCR_PMU_CLOSED : mdcr);
}

void benchmark_enter(struct cpu *cpu)
{
    cpu->entered_at = cycles();
}

void benchmark_leave(struct cpu *cpu)
{
    struct benchmark_core *core = &cpu->benchmark;

    if (core->counts) {
        uint64_t used = cycles() - cpu->entered_at;

        core->running->kernel_utilisation += used;
        core->running->kernel_entries++;
        core->kernel_time += used;
        core->kernel_entries++;
    }
}

static void switch_to(struct cpu *cpu, struct benchmark *next)
{
    struct benchmark_core *core = &cpu->benchmark;

    if (core->counts) {
        core->running->utilisation += cpu->entered_at - core->switched_at;
        core->switched_at = cpu->entered_at;
        core->schedules++;
        next->schedules++;
    }
    core->running = next;
}

void benchmark_switch(struct cpu *cpu, struct thread *next)
{
    struct benchmark *benchmark = next != NULL ? &next->benchmark : &cpu->benchmark.idle;

    if (benchmark != cpu->benchmark.running) {
        switch_to(cpu, benchmark);
    }
}

void benchmark_start(struct cpu *cpu)
{
    struct benchmark_core *core = &cpu->benchmark;

    core->idle = (struct benchmark){0, 0, 0, 0};
    core->running->schedules++;
    core->counts = true;
    core->started_at = cpu->entered_at;
    core->switched_at = cpu->entered_at;
    core->schedules = 1;
    core->kernel_time = 0;
    core->kernel_entries = 0;
}

void benchmark_stop(struct cpu *cpu)
{
    struct benchmark_core *core = &cpu->benchmark;
    struct benchmark *running = core->running;

    switch_to(cpu, &core->idle);
    core->running = running;
    core->stopped_at = cpu->entered_at;
    core->counts = false;
}

void benchmark_report(const struct cpu *cpu, const struct thread *thread, seL4_Word *words)
{
    const struct benchmark_core *core = &cpu->benchmark;
    const struct benchmark *own = &thread->benchmark;

    words[BENCHMARK_TCB_UTILISATION] = own->utilisation;
    words[BENCHMARK_TCB_NUMBER_SCHEDULES] = own->schedules;
    words[BENCHMARK_TCB_KERNEL_UTILISATION] = own->kernel_utilisation;
    words[BENCHMARK_TCB_NUMBER_KERNEL_ENTRIES] = own->kernel_entries;
    words[BENCHMARK_IDLE_LOCALCPU_UTILISATION] = core->idle.utilisation;
    words[BENCHMARK_IDLE_TCBCPU_UTILISATION] = thread->cpu->benchmark.idle.utilisation;
    words[BENCHMARK_IDLE_NUMBER_SCHEDULES] = core->idle.schedules;
    words[BENCHMARK_IDLE_KERNEL_UTILISATION] = core->idle.kernel_utilisation;
    words[BENCHMARK_IDLE_NUMBER_KERNEL_ENTRIES] = core->idle.kernel_entries;
    words[BENCHMARK_TOTAL_UTILISATION] = core->stopped_at - core->started_at;
    words[BENCHMARK_TOTAL_NUMBER_SCHEDULES] = core->schedules;
    words[BENCHMARK_TOTAL_KERNEL_UTILISATION] = core->kernel_time;
    words[BENCHMARK_TOTAL_NUMBER_KERNEL_ENTRIES] = core->kernel_entries;
}

void benchmark_reset(struct thread *thread)
{
    thread->benchmark = (struct benchmark){0, 0, 0, 0};
}

#endif
