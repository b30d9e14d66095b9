/* SPDX-License-Identifier: BSD-2-Clause */

#include "smp.h"

#ifdef CONFIG_ENABLE_SMP_SUPPORT

#include "gic.h"
#include "irq.h"
#include "sched.h"
#include "spin_table.h"
#include "timer.h"
#include "uart.h"
#include "vcpu_switch.h"

/* Arm Power State Coordination Interface (DEN 0022), 5.1.4 and 5.2.2 */
#define PSCI_CPU_ON  0xc4000003ul
#define PSCI_SUCCESS 0ul

#define CACHE_LINE 64 /* bytes, at least */

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

/*
 * Whether it has got the lock. If not, its monitor watches the lock, and to free that ends this
 * core's next WFE. A store-exclusive may fail for no reason, and then no monitor watches.
 */
static inline bool try_lock(void)
{
    uint32_t held, failed;

    do {
        __asm__ volatile("ldaxr %w0, %1" : "=r"(held) : "Q"(kernel_lock) : "memory");
        if (held) {
            return false;
        }
        __asm__ volatile("stxr %w0, %w2, %1"
                         : "=&r"(failed), "=Q"(kernel_lock)
                         : "r"(1)
                         : "memory");
    } while (failed);
    return true;
}

void smp_lock(struct cpu *cpu)
{
    while (!try_lock()) {
        /* A function's stores may have cleared the monitor: WFE only if there was none. */
        if (!serve(cpu)) {
            __asm__ volatile("wfe" ::: "memory");
        }
    }
}

void smp_unlock(void)
{
    __atomic_store_n(&kernel_lock, 0, __ATOMIC_RELEASE);
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
    __asm__ volatile("sev");
    gic_send_sgi(SMP_SGI, cpu->core);
    while (__atomic_load_n(&cpu->call, __ATOMIC_ACQUIRE) != NULL) {
        __asm__ volatile("yield");
    }
}

void smp_deschedule(struct cpu *cpu, struct thread *thread)
{
    if (cpu->current != thread) {
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
void released_start(void);
void firmware_call(uint64_t words[8]);

/* The rest of a core's start. It runs what is ready for it once the boot core leaves the kernel. */
void secondary_boot(struct cpu *cpu);
void secondary_boot(struct cpu *cpu)
{
    gic_init_cpu(cpu->core);
    timer_init();
    vcpu_init_cpu(cpu);
    irq_init_cpu(cpu);
    starting = NULL;
    smp_lock(cpu);
}

#ifdef BOARD_RELEASE_ADDRESSES

/* For released_start, whose core has no caches yet: in a line of its own. */
struct cpu *volatile released_cpu __attribute__((aligned(CACHE_LINE)));

static uint64_t power_on(struct cpu *cpu)
{
    released_cpu = cpu;
    __asm__ volatile("dc civac, %0" ::"r"(&released_cpu) : "memory");
    dsb();
    spin_table_release(cpu->core, released_start);
    return PSCI_SUCCESS;
}

#else

static uint64_t power_on(struct cpu *cpu)
{
    static const uint64_t core_ids[] = {BOARD_CORE_IDS};
    uint64_t words[8] = {PSCI_CPU_ON, core_ids[cpu->core], (uint64_t)secondary_start,
                         (uint64_t)cpu};

    firmware_call(words);
    return words[0];
}

#endif

static void start(struct cpu *cpu)
{
    uint64_t deadline = timer_now() + timer_ticks(1000000);

    starting = cpu;
    dsb();
    uint64_t answer = power_on(cpu);

    while (answer == PSCI_SUCCESS && starting != NULL && timer_now() < deadline) {
        __asm__ volatile("yield");
    }
    if (starting != NULL) {
        panic("core %u does not start (%x): QEMU needs -smp", (uint64_t)cpu->core, answer);
    }
}

void smp_start(uint32_t core_count)
{
    uint64_t there = sizeof((uint64_t[]){BOARD_CORE_IDS}) / sizeof(uint64_t);

    if (core_count > there) {
        panic("the boot image is bad: %u cores, the board has %u", (uint64_t)core_count, there);
    }
    for (uint32_t core = 1; core < core_count; core++) {
        start(cpu_of_core(core));
    }
}

#endif
