/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What threads and the kernel use of the processor, in cycles (PMCCNTR_EL0), as seL4 counts it.
 * Only in the configs benchmark and smp-benchmark: in others nothing of this is left.
 *
 * Each core counts for itself, from seL4_BenchmarkResetLog to seL4_BenchmarkFinalizeLog there. A
 * thread's time goes from one entry into the kernel to another. So the kernel's time belongs to the
 * thread that goes on, and the sum of all threads and of idling is the time between both calls.
 */

#include <kernel/gen_config.h>
#include <sel4/simple_types.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef CONFIG_BENCHMARK_TRACK_UTILISATION
#define IS_BENCHMARK 1
#else
#define IS_BENCHMARK 0
#endif

struct cpu;
struct thread;

/* Of a thread, or of a core while it idles. */
struct benchmark {
    uint64_t utilisation;        /* cycles */
    uint64_t schedules;          /* how often it has begun to run */
    uint64_t kernel_utilisation; /* cycles in the kernel, of `utilisation` */
    uint64_t kernel_entries;     /* how often the kernel went on with it */
};

/* A core's. */
struct benchmark_core {
    struct benchmark *running; /* who runs, or `idle` */
    struct benchmark idle;
    bool counts;          /* between the two calls */
    uint64_t switched_at; /* when `running` began to */
    uint64_t started_at;  /* the two calls */
    uint64_t stopped_at;
    uint64_t schedules;
    uint64_t kernel_time;
    uint64_t kernel_entries;
};

/* The core's cycle counter runs, at all exception levels, and PDs may use the performance monitors.
 */
void benchmark_init_cpu(void);

/* Guests may not use them. Called when a vCPU takes over EL1, and when a PD does. */
void benchmark_close_pmu(bool close);

/* The core has entered the kernel from WFI. vectors.S does it for all other entries. */
void benchmark_enter(struct cpu *cpu);

/* The core goes on with a thread, or idles. */
void benchmark_leave(struct cpu *cpu);

/* `next` runs from now on; NULL: the core idles. */
void benchmark_switch(struct cpu *cpu, struct thread *next);

/* Start and stop counting on this core. */
void benchmark_start(struct cpu *cpu);
void benchmark_stop(struct cpu *cpu);

/* Write what is known of a thread and of this core to a message's words, by
 * benchmark_track_util_ipc_index. */
void benchmark_report(const struct cpu *cpu, const struct thread *thread, seL4_Word *words);

/* A thread's counters begin at zero. */
void benchmark_reset(struct thread *thread);
