/* SPDX-License-Identifier: BSD-2-Clause */

/* From the loader's entry (start.S) to the first thread. */

#include "arch.h"
#include "cpu.h"
#include "domain.h"
#include "gic.h"
#include "irq.h"
#include "mmu.h"
#include "sched.h"
#include "timer.h"
#include "uart.h"

struct core {
    uint8_t stack[CPU_STACK_SIZE];
    struct cpu cpu;
} __attribute__((aligned(4096)));

/* The boot core's is the first. start.S and mmu.c know the layout. */
struct core cores[CONFIG_MAX_NUM_NODES];

_Static_assert(offsetof(struct core, cpu) == CPU_STACK_SIZE, "start.S");
_Static_assert(sizeof(struct core) % 4096 == 0, "mmu.c");

/* Set by the microkit tool; in .data, so that it is in the image. */
__attribute__((section(".data"))) volatile uint64_t system_header_pa = 0;

extern char kernel_end[];

struct cpu *cpu_of_core(uint32_t core)
{
    return &cores[core].cpu;
}

static const struct system_header *check_header(void)
{
    const struct system_header *system = (const struct system_header *)system_header_pa;

    if ((uint64_t)system < (uint64_t)kernel_end || (uint64_t)system % 8 != 0) {
        panic("the boot image is bad: no header (0x%x)", (uint64_t)system);
    }
    mmu_init((uint64_t)system);
    if (system->magic != SYSTEM_MAGIC) {
        panic("the boot image is bad: magic 0x%x, should be 0x%x", system->magic,
              (uint64_t)SYSTEM_MAGIC);
    }
    if (system->version != SYSTEM_VERSION) {
        panic("the boot image is bad: version %u, should be %u", (uint64_t)system->version,
              (uint64_t)SYSTEM_VERSION);
    }
    if (system->thread_count == 0 || system->thread_count > SYSTEM_MAX_THREADS) {
        panic("the boot image is bad: %u threads, should be 1 to %u",
              (uint64_t)system->thread_count, (uint64_t)SYSTEM_MAX_THREADS);
    }
    if (system->core_count == 0 || system->core_count > CONFIG_MAX_NUM_NODES) {
        panic("the boot image is bad: %u cores, should be 1 to %u", (uint64_t)system->core_count,
              (uint64_t)CONFIG_MAX_NUM_NODES);
    }
    return system;
}

/* Whether `count` things of `size` bytes at `address` are in the window. */
static bool in_window(const struct system_header *system, uint64_t address, uint64_t count,
                      uint64_t size)
{
    return address % 8 == 0 && address >= (uint64_t)system && address <= system->window_end &&
           count <= (system->window_end - address) / size;
}

static void check_tables(const struct system_header *system)
{
    if (system->window_end <= (uint64_t)system || system->window_end > system->image_end ||
        !in_window(system, system->threads, system->thread_count, sizeof(struct system_thread)) ||
        !in_window(system, system->zero, system->zero_count, sizeof(struct system_range)) ||
        !in_window(system, system->turns, system->turn_count, sizeof(struct system_turn))) {
        panic("the boot image is bad: tables outside the window up to 0x%x", system->window_end);
    }
}

static void check_turns(const struct system_header *system)
{
    const struct system_turn *turns = (const struct system_turn *)system->turns;

    if (system->turn_count > (IS_SMP ? 0 : SYSTEM_MAX_TURNS)) {
        panic("the boot image is bad: %u turns of domains, should be 0 to %u",
              (uint64_t)system->turn_count, (uint64_t)(IS_SMP ? 0 : SYSTEM_MAX_TURNS));
    }
    for (uint32_t i = 0; i < system->turn_count; i++) {
        if (turns[i].domain >= SYSTEM_MAX_DOMAINS || turns[i].duration == 0 ||
            turns[i].duration > (turns[i].in_ticks ? SYSTEM_MAX_TURN_TICKS : SYSTEM_MAX_TURN_US)) {
            panic("the boot image is bad: turn %u: domain %u, duration 0x%x", (uint64_t)i,
                  (uint64_t)turns[i].domain, turns[i].duration);
        }
    }
}

static void check_channels(const struct system_header *system, const struct system_thread *thread)
{
    for (unsigned i = 0; i < SYSTEM_MAX_CHANNELS; i++) {
        const struct system_channel *channel = &thread->channels[i];
        bool good = channel->kind == SYSTEM_CHANNEL_NONE ||
                    (channel->kind == SYSTEM_CHANNEL_PD && channel->peer < system->thread_count &&
                     channel->peer_channel < SYSTEM_MAX_CHANNELS) ||
                    (channel->kind == SYSTEM_CHANNEL_IRQ && channel->peer < gic_intid_count());

        if (!good) {
            panic("the boot image is bad: PD '%s': channel %u: kind %u, peer %u", thread->name,
                  (uint64_t)i, (uint64_t)channel->kind, (uint64_t)channel->peer);
        }
    }
}

static void check_thread(const struct system_header *system, const struct system_thread *thread)
{
    bool good = thread->kind <= SYSTEM_THREAD_VCPU && thread->priority < CPU_PRIORITIES - 1 &&
                thread->core < system->core_count && thread->domain < SYSTEM_MAX_DOMAINS &&
                (thread->parent == SYSTEM_NONE || thread->parent < system->thread_count) &&
                thread->budget_us > 0 && thread->budget_us <= thread->period_us &&
                thread->vmid > 0 && thread->vmid <= 255 && thread->stage2_root % 8192 == 0 &&
                thread->name[SYSTEM_NAME_LENGTH - 1] == '\0';

    for (unsigned i = 0; i < SYSTEM_MAX_CHILDREN; i++) {
        uint16_t pd = thread->child_pds[i];
        uint16_t vcpu = thread->child_vcpus[i];

        good = good && (thread->kind == SYSTEM_THREAD_VCPU ||
                        ((pd == SYSTEM_NONE || pd < system->thread_count) &&
                         (vcpu == SYSTEM_NONE || vcpu < system->thread_count)));
    }
    for (unsigned i = 0; i < SYSTEM_MAX_USER_CAPS; i++) {
        const struct system_cap *cap = &thread->user_caps[i];

        good = good && cap->kind <= SYSTEM_CAP_VSPACE && cap->thread < system->thread_count;
    }
    if (!good) {
        panic("the boot image is bad: thread '%s'", thread->name);
    }
    if (thread->kind == SYSTEM_THREAD_PD) {
        check_channels(system, thread);
    }
}

#ifdef BOARD_RELEASE_ADDRESSES
/* In start.S. */
void released_start(void);
void parked(void);

/*
 * A board without PSCI has a spin table: firmware has each core but the first wait in WFE until
 * there is an address in a word of its own, and jump there. The memory that this loop is in is not
 * ours. So all are called out of it while the MMU is off. Those without a thread go into WFI for
 * good: WFE would cost energy, and in an emulator the time of the others.
 */
static void take_cores(void)
{
    static const uint64_t addresses[] = {BOARD_RELEASE_ADDRESSES};
    const struct system_header *system = (const struct system_header *)system_header_pa;

    for (uint32_t core = 1; core < sizeof(addresses) / sizeof(addresses[0]); core++) {
        *(volatile uint64_t *)addresses[core] =
            (uint64_t)(core < system->core_count ? released_start : parked);
    }
    dsb();
    __asm__ volatile("sev");
}
#endif

void boot(void);
void boot(void)
{
    uart_init();
#ifdef BOARD_RELEASE_ADDRESSES
    take_cores();
#endif

    struct cpu *cpu = &cores[0].cpu;
    const struct system_header *system = check_header();

    check_tables(system);
    mmu_map_window(system);
    check_turns(system);
    for (uint32_t i = 0; i < system->thread_count; i++) {
        check_thread(system, &((const struct system_thread *)system->threads)[i]);
    }

    const struct system_range *zero = (const struct system_range *)system->zero;
    for (uint32_t i = 0; i < system->zero_count; i++) {
        mmu_zero(zero[i].base, zero[i].size);
    }

    gic_init();
    gic_init_cpu(0);
    timer_init();
    vcpu_init_cpu(cpu);
    if (IS_BENCHMARK) {
        benchmark_init_cpu();
    }
    for (uint32_t core = 0; core < system->core_count; core++) {
        sched_init(&cores[core].cpu);
        cores[core].cpu.core = core;
    }
    thread_init_all(system);
    irq_init();
    irq_init_cpu(cpu);
    if (IS_SMP) {
        smp_start(system->core_count);
    } else if (system->turn_count != 0) {
        domain_init(cpu, system);
    }
}
