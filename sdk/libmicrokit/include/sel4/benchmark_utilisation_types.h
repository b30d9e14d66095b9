/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sel4/config.h>

#if defined(CONFIG_BENCHMARK_TRACK_UTILISATION)
/* Where in the IPC buffer's words seL4_BenchmarkGetThreadUtilisation writes what. Times are in
 * cycles. */
enum benchmark_track_util_ipc_index {
    /* The thread: how long and how often it has run, of that in the kernel, how often it has gone
       on. */
    BENCHMARK_TCB_UTILISATION,
    BENCHMARK_TCB_NUMBER_SCHEDULES,
    BENCHMARK_TCB_KERNEL_UTILISATION,
    BENCHMARK_TCB_NUMBER_KERNEL_ENTRIES,

    /* This core while it has nothing to do; and the core of the thread. */
    BENCHMARK_IDLE_LOCALCPU_UTILISATION,
    BENCHMARK_IDLE_TCBCPU_UTILISATION,
    BENCHMARK_IDLE_NUMBER_SCHEDULES,
    BENCHMARK_IDLE_KERNEL_UTILISATION,
    BENCHMARK_IDLE_NUMBER_KERNEL_ENTRIES,

    /* This core, from seL4_BenchmarkResetLog to seL4_BenchmarkFinalizeLog. */
    BENCHMARK_TOTAL_UTILISATION,
    BENCHMARK_TOTAL_NUMBER_SCHEDULES,
    BENCHMARK_TOTAL_KERNEL_UTILISATION,
    BENCHMARK_TOTAL_NUMBER_KERNEL_ENTRIES,
};
#endif
