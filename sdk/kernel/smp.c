/* SPDX-License-Identifier: BSD-2-Clause */

#include "smp.h"

#include "gic.h"
#include "irq.h"
#include "sched.h"
#include "timer.h"
#include "uart.h"
#include "vcpu_switch.h"

/* Arm Power State Coordination Interface (DEN 0022), 5.1.4 and 5.2.2 */
#define PSCI_CPU_ON  0xc4000003ul
#define PSCI_SUCCESS 0ul

/*
 * 1 while a core is in the kernel. vectors.S takes and frees it as well. The boot core begins with
 * it. It is no queue: where the cores are an emulator's threads, the next in a queue may be one
 * that the host does not run, and all would wait for it. No core is kept from it for long: who
 * leaves the kernel runs a thread before it comes again.
 */
uint32_t kernel_lock = 1;

/* Set by smp_start before the core begins. */
static struct cpu *volatile starting;

/* ---- Waiting ---- */

/* Do what the core that holds the lock asks for. Returns whether it has asked. */
static bool serve(struct cpu *cpu)
{
    void (*function)(struct cpu *, void *) = __atomic_load_n(&cpu->call, __ATOMIC_ACQUIRE);

    if (function == NULL) {
        return false;
    }
    function(cpu, cpu->call_argument);
    __atomic_store_n(&cpu->call, NULL, __ATOMIC_RELEASE);
    return true;
}

void smp_lock(struct cpu *cpu)
{
    while (IS_SMP && !try_lock(&kernel_lock)) {
        /* A function's stores may have cleared the monitor: WFE only if there was none. */
        if (!serve(cpu)) {
            wfe();
        }
    }
}

void smp_unlock(void)
{
    if (IS_SMP) {
        __atomic_store_n(&kernel_lock, 0, __ATOMIC_RELEASE);
    }
}

bool smp_enter(struct cpu *cpu, bool is_call)
{
    cpu->withdrawn = false;
    cpu->in_call = is_call;
    smp_lock(cpu);
    cpu->in_call = false;
    return !cpu->withdrawn;
}

/* ---- From core to core ---- */

void smp_call(struct cpu *cpu, void (*function)(struct cpu *cpu, void *argument), void *argument)
{
    cpu->call_argument = argument;
    __atomic_store_n(&cpu->call, function, __ATOMIC_RELEASE);
    dsb();
    sev();
    gic_send_sgi(SMP_SGI, cpu->core);
    while (__atomic_load_n(&cpu->call, __ATOMIC_ACQUIRE) != NULL) {
        spin();
    }
}

void smp_deschedule(struct cpu *cpu, struct thread *thread)
{
    if (!IS_SMP || cpu->current != thread) {
        return;
    }
    if (cpu->in_call) {
        thread->regs.pc -= 4;
        cpu->in_call = false;
    }
    cpu->withdrawn = true;
    thread->regs.tpidr_el0 = read_sysreg(tpidr_el0);
    if (thread->is_vcpu) {
        thread->regs.tpidrro_el0 = read_sysreg(tpidrro_el0);
        vcpu_leave(cpu, cpu->vttbr_empty, CNTKCTL_PD);
    }
    cpu->current = NULL;
}

void smp_wake(struct thread *thread)
{
    struct cpu *cpu = thread->cpu;
    bool was_empty = cpu->inbox.head == NULL;

    thread->state = THREAD_READY;
    thread->in_inbox = true;
    queue_push_tail(&cpu->inbox, thread);
    if (was_empty) {
        dsb();
        gic_send_sgi(SMP_SGI, cpu->core);
    }
}

void smp_inbox_remove(struct thread *thread)
{
    queue_remove(&thread->cpu->inbox, thread);
    thread->in_inbox = false;
}

void smp_interrupt(struct cpu *cpu)
{
    while (cpu->inbox.head != NULL) {
        struct thread *thread = cpu->inbox.head;

        smp_inbox_remove(thread);
        if (thread->is_vcpu) {
            sched_ready_in_front(cpu, thread);
        } else {
            sched_ready(cpu, thread);
        }
    }
}

/* ---- Starting ---- */

/* In start.S and vectors.S. */
void secondary_start(void);
void firmware_call(uint64_t words[8]);

/* The rest of a core's start. It runs what is ready for it once the boot core leaves the kernel. */
void secondary_boot(struct cpu *cpu);
void secondary_boot(struct cpu *cpu)
{
    gic_init_cpu(cpu->core);
    timer_init();
    vcpu_init_cpu(cpu);
    if (IS_BENCHMARK) {
        benchmark_init_cpu();
    }
    irq_init_cpu(cpu);
    starting = NULL;
    smp_lock(cpu);
}

static const uint64_t core_ids[] = {BOARD_CORE_IDS};

/* Where a core without PSCI waits for its struct cpu, past the caches (start.S); by Aff0. */
#ifdef BOARD_RELEASE_ADDRESSES
struct cpu *volatile released_cpus[CONFIG_MAX_NUM_NODES] __attribute__((aligned(64)));
#endif

static void start(struct cpu *cpu)
{
    uint64_t words[8] = {PSCI_CPU_ON, core_ids[cpu->core], (uint64_t)secondary_start,
                         (uint64_t)cpu};
    uint64_t deadline = timer_now() + timer_ticks(1000000);

    starting = cpu;
    dsb();
#ifdef BOARD_RELEASE_ADDRESSES
    released_cpus[cpu->core] = cpu;
    __asm__ volatile("dc civac, %0\n dsb sy\n sev" ::"r"(&released_cpus[cpu->core]) : "memory");
    words[0] = PSCI_SUCCESS;
#else
    firmware_call(words);
#endif
    while (words[0] == PSCI_SUCCESS && starting != NULL && timer_now() < deadline) {
        spin();
    }
    if (starting != NULL) {
        panic("core %u does not start (%x): QEMU needs -smp", (uint64_t)cpu->core, words[0]);
    }
}

void smp_start(uint32_t core_count)
{
    if (core_count > sizeof(core_ids) / sizeof(core_ids[0])) {
        panic("the boot image is bad: %u cores, the board has %u", (uint64_t)core_count,
              sizeof(core_ids) / sizeof(core_ids[0]));
    }
    for (uint32_t core = 1; core < core_count; core++) {
        start(cpu_of_core(core));
    }
}
