/* SPDX-License-Identifier: BSD-2-Clause */

/* Has the kernel count what threads use of the processor: on benchmark configs only. */

#include <sel4/benchmark_tracepoints_types.h>
#include <sel4/benchmark_track_types.h>
#include <sel4/benchmark_utilisation_types.h>
#include "tests/kernel/common/check.h"

#define TIMER  0
#define WORKER 1
#define CHILD  2

#define WORKER_TCB microkit_cspace_root_slot_to_cptr(1)
#define WORKER_SC  microkit_cspace_root_slot_to_cptr(2)
#define CHILD_TCB  (BASE_TCB_CAP + 1)

#define TURN 20000 /* microseconds, of which the others work 6000 and 2000 */

#define WORDS (BENCHMARK_TOTAL_NUMBER_KERNEL_ENTRIES + 1)

struct figures {
    seL4_Word word[WORDS];
};

/*
 * On seL4 the cycle counter stands still at EL2: in the kernel, and where nobody runs. And a thread
 * is scheduled anew for each of its time slices.
 */
#ifdef ON_SEL4
#define WORKER_PERMILLE 750
#define CHILD_PERMILLE  250
#define IDLE_PERMILLE   0
#define KERNEL_COUNTS   false
#define SLICES          6
#define CALL_MIN        1 /* cycles */
#else
#define WORKER_PERMILLE 300
#define CHILD_PERMILLE  100
#define IDLE_PERMILLE   600
#define KERNEL_COUNTS   true
#define SLICES          0
#define CALL_MIN        20
#endif

static uint64_t begun;
static unsigned turn;
static struct figures first;

static uint64_t cycles(void)
{
    uint64_t value;

    __asm__ volatile("isb\n mrs %0, pmccntr_el0" : "=r"(value) : : "memory");
    return value;
}

static void timer_set(uint64_t us)
{
    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(now() + ticks(us)));
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(1ul));
}

static struct figures read(seL4_CPtr tcb)
{
    struct figures figures;

    for (unsigned i = 0; i < WORDS; i++) {
        seL4_SetMR((int)i, 0xbad);
    }
    seL4_BenchmarkGetThreadUtilisation(tcb);
    for (unsigned i = 0; i < WORDS; i++) {
        figures.word[i] = seL4_GetMR((int)i);
    }
    return figures;
}

static bool is_untouched(seL4_CPtr tcb)
{
    struct figures figures = read(tcb);
    bool same = true;

    for (unsigned i = 0; i < WORDS; i++) {
        same = same && figures.word[i] == 0xbad;
    }
    seL4_BenchmarkResetThreadUtilisation(tcb);
    return same;
}

/* Each answer is silence: nothing is written, nobody's counters begin anew, and nobody faults. */
static void test_hostile(void)
{
    check("nobody_by_null", is_untouched(seL4_CapNull));
    check("nobody_by_an_address_space", is_untouched(3));
    check("nobody_by_an_interrupt", is_untouched(BASE_IRQ_CAP + TIMER));
    check("nobody_by_a_child_that_is_not", is_untouched(BASE_TCB_CAP + 2));
    check("nobody_by_a_context", is_untouched(WORKER_SC));
    check("nobody_by_an_empty_slot", is_untouched(microkit_cspace_root_slot_to_cptr(3)));
    check("nobody_beyond_the_space", is_untouched(1ul << 20));
}

static void begin(void)
{
    seL4_BenchmarkResetThreadUtilisation(TCB_CAP);
    seL4_BenchmarkResetThreadUtilisation(WORKER_TCB);
    seL4_BenchmarkResetThreadUtilisation(CHILD_TCB);
    begun = cycles();
    check_equal("reset_log", seL4_BenchmarkResetLog(), seL4_NoError);
    timer_set(TURN);
    microkit_irq_ack(TIMER);
    microkit_notify(WORKER);
    microkit_notify(CHILD);
}

static uint64_t permille(uint64_t part, uint64_t whole)
{
    return part * 1000 / whole;
}

static void test_counts(void)
{
    check_equal("finalized", seL4_BenchmarkFinalizeLog(), 0);
    uint64_t elapsed = cycles() - begun;
    struct figures own = read(TCB_CAP), worker = read(WORKER_TCB), child = read(CHILD_TCB);
    uint64_t total = own.word[BENCHMARK_TOTAL_UTILISATION];
    uint64_t idle = own.word[BENCHMARK_IDLE_LOCALCPU_UTILISATION];

    check_range("total_is_the_time_in_permille", permille(total, elapsed), 990, 1000);
    check_range("worker_in_permille", permille(worker.word[BENCHMARK_TCB_UTILISATION], total),
                WORKER_PERMILLE - 5, WORKER_PERMILLE + 5);
    check_range("child_in_permille", permille(child.word[BENCHMARK_TCB_UTILISATION], total),
                CHILD_PERMILLE - 2, CHILD_PERMILLE + 3);
    check_range("idle_in_permille", permille(idle, total), IDLE_PERMILLE * 39 / 40,
                IDLE_PERMILLE * 121 / 120);
    check_equal("sum_is_the_total",
                own.word[BENCHMARK_TCB_UTILISATION] + worker.word[BENCHMARK_TCB_UTILISATION] +
                    child.word[BENCHMARK_TCB_UTILISATION] + idle,
                total);
    check_equal("idle_of_the_threads_core", own.word[BENCHMARK_IDLE_TCBCPU_UTILISATION], idle);
    check_range("schedules", worker.word[BENCHMARK_TCB_NUMBER_SCHEDULES], 1, 1 + SLICES);
    check_equal(
        "schedules_in_all", own.word[BENCHMARK_TOTAL_NUMBER_SCHEDULES],
        own.word[BENCHMARK_TCB_NUMBER_SCHEDULES] + worker.word[BENCHMARK_TCB_NUMBER_SCHEDULES] +
            child.word[BENCHMARK_TCB_NUMBER_SCHEDULES] + own.word[BENCHMARK_IDLE_NUMBER_SCHEDULES]);
    check_equal("kernel_is_the_sum", own.word[BENCHMARK_TOTAL_KERNEL_UTILISATION],
                own.word[BENCHMARK_TCB_KERNEL_UTILISATION] +
                    worker.word[BENCHMARK_TCB_KERNEL_UTILISATION] +
                    child.word[BENCHMARK_TCB_KERNEL_UTILISATION] +
                    own.word[BENCHMARK_IDLE_KERNEL_UTILISATION]);
    check_equal("entries_are_the_sum", own.word[BENCHMARK_TOTAL_NUMBER_KERNEL_ENTRIES],
                own.word[BENCHMARK_TCB_NUMBER_KERNEL_ENTRIES] +
                    worker.word[BENCHMARK_TCB_NUMBER_KERNEL_ENTRIES] +
                    child.word[BENCHMARK_TCB_NUMBER_KERNEL_ENTRIES] +
                    own.word[BENCHMARK_IDLE_NUMBER_KERNEL_ENTRIES]);
    check("kernel_is_used",
          (own.word[BENCHMARK_TCB_KERNEL_UTILISATION] > 0) == KERNEL_COUNTS &&
              own.word[BENCHMARK_TCB_KERNEL_UTILISATION] < own.word[BENCHMARK_TCB_UTILISATION]);
    /* ResetLog, the acknowledgement, two notifications, the receive's return. */
    check_range("kernel_entries", own.word[BENCHMARK_TCB_NUMBER_KERNEL_ENTRIES], 5, 6);
    first = own;
}

/* What is not being counted stays as it was. */
static void test_stopped(void)
{
    struct figures own = read(TCB_CAP), worker = read(WORKER_TCB);
    bool same = true;

    for (unsigned i = 0; i < WORDS; i++) {
        same = same && own.word[i] == first.word[i];
    }
    check("nothing_is_counted_behind_the_end", same);
    test_hostile();
    check_equal("counters_are_as_they_were", read(WORKER_TCB).word[BENCHMARK_TCB_UTILISATION],
                worker.word[BENCHMARK_TCB_UTILISATION]);
    seL4_BenchmarkResetThreadUtilisation(WORKER_TCB);
    worker = read(WORKER_TCB);
    check("thread_begins_at_zero", worker.word[BENCHMARK_TCB_UTILISATION] == 0 &&
                                       worker.word[BENCHMARK_TCB_NUMBER_SCHEDULES] == 0 &&
                                       worker.word[BENCHMARK_TCB_KERNEL_UTILISATION] == 0 &&
                                       worker.word[BENCHMARK_TCB_NUMBER_KERNEL_ENTRIES] == 0);
    check("others_do_not", read(CHILD_TCB).word[BENCHMARK_TCB_UTILISATION] != 0);
    seL4_BenchmarkFinalizeLog(); /* a second time */
    check_equal("ended_twice", read(WORKER_TCB).word[BENCHMARK_TCB_NUMBER_SCHEDULES], 0);
}

/* A PD counts events by itself. */
static void test_monitors(void)
{
    uint64_t before, after, control;

    __asm__ volatile("mrs %0, pmcr_el0" : "=r"(control));
    check("monitor_has_counters", (control >> 11 & 0x1f) > 0);
    __asm__ volatile("msr pmevtyper0_el0, %0\n" /* CPU_CYCLES */
                     "msr pmcntenset_el0, %1\n"
                     "isb\n"
                     :
                     : "r"(0x11ul), "r"(1ul));
    __asm__ volatile("mrs %0, pmevcntr0_el0" : "=r"(before));
    spin_for(100);
    __asm__ volatile("mrs %0, pmevcntr0_el0" : "=r"(after));
    check("monitor_counts", after > before);
    before = cycles();
    seL4_BenchmarkNullSyscall();
    check_range("null_call_in_cycles", cycles() - before, CALL_MIN, 1000);
}

void init(void)
{
    test_monitors();
    begin();
}

void notified(microkit_channel ch)
{
    (void)ch;
    if (turn++ == 0) {
        test_counts();
        timer_set(1000);
        microkit_irq_ack(TIMER);
        return;
    }
    test_stopped();
    done();
}
