/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The few things a PD asks of the processor itself. On the host the unit tests' fake supplies
 * them (tests/unit/fake).
 *
 * The clock of all PDs is the physical counter. The virtual counter is not for them: its offset is
 * whatever the vCPU that ran last has, and seL4 does not let user level read it.
 */

#include <stddef.h>
#include <stdint.h>

#if defined(__aarch64__)

#define CPU_CACHE_LINE 64u /* bytes; the smallest line of any supported core */

/* CNTPCT_EL0, in ticks of cpu_counter_frequency(). */
static inline uint64_t cpu_counter(void)
{
    uint64_t ticks;

    __asm__ volatile("isb\n\tmrs %0, cntpct_el0" : "=r"(ticks)::"memory");
    return ticks;
}

/* CNTFRQ_EL0, in Hz. */
static inline uint64_t cpu_counter_frequency(void)
{
    uint64_t hertz;

    __asm__("mrs %0, cntfrq_el0" : "=r"(hertz));
    return hertz;
}

/* An operation on each line of the caches; of a large range on four in each round. */
#define CPU_FOR_LINES(operation, start, size)                                                      \
    do {                                                                                           \
        uintptr_t line = (uintptr_t)(start) & ~(uintptr_t)(CPU_CACHE_LINE - 1);                    \
        uintptr_t end = (uintptr_t)(start) + (size);                                               \
                                                                                                   \
        for (; end - line >= 4ul * CPU_CACHE_LINE; line += 4ul * CPU_CACHE_LINE) {                 \
            __asm__ volatile(operation ", %0\n\t" operation ", %1\n\t" operation                   \
                                       ", %2\n\t" operation ", %3" ::"r"(line),                    \
                             "r"(line + CPU_CACHE_LINE), "r"(line + 2ul * CPU_CACHE_LINE),         \
                             "r"(line + 3ul * CPU_CACHE_LINE)                                      \
                             : "memory");                                                          \
        }                                                                                          \
        for (; line < end; line += CPU_CACHE_LINE) {                                               \
            __asm__ volatile(operation ", %0" ::"r"(line) : "memory");                             \
        }                                                                                          \
    } while (0)

/*
 * Clean and invalidate `size` bytes in the data caches, to the point of coherency. A guest whose
 * MMU is off reads memory past the caches.
 */
static inline void cpu_clean_and_invalidate_dcache(const void *start, size_t size)
{
    CPU_FOR_LINES("dc civac", start, size);
    __asm__ volatile("dsb sy" ::: "memory");
}

/*
 * Invalidate `size` bytes in the instruction cache. They are a guest's program, which has been
 * written and cleaned to the point of coherency. Where that cache is indexed by virtual addresses
 * it may hold them at others as well; vmm/reset_program.h invalidates those.
 */
static inline void cpu_invalidate_icache(const void *start, size_t size)
{
    CPU_FOR_LINES("ic ivau", start, size);
    __asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

/*
 * Order all accesses before it and all behind it, as seen by a device that reads and writes the
 * same memory, or whose registers are among them.
 */
static inline void cpu_device_barrier(void)
{
    __asm__ volatile("dmb osh" ::: "memory");
}

#else

static inline void cpu_device_barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

uint64_t cpu_counter(void);
uint64_t cpu_counter_frequency(void);
void cpu_clean_and_invalidate_dcache(const void *start, size_t size);
void cpu_invalidate_icache(const void *start, size_t size);

#endif
