/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Starts the phases, in the turns of its own domain ("here"), and judges what workers have noted.
 * The turns of the other ("there") come behind, and then those of a third one, in which nobody has
 * anything to do.
 */

#include <stddef.h>
#include "domains.h"

#define CHILD_ID 1

extern const char guest_begin[], guest_end[];

uint64_t *ram;

static unsigned phase;
static uint64_t due;

static void wake_at(uint64_t time)
{
    due = time;
    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(time));
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(1ul));
}

static void sleep_for(uint64_t us)
{
    wake_at(now() + ticks(us));
}

static void begin(uint64_t us, unsigned workers)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        shared->count[i] = 0;
        shared->work[i] = workers >> i & 1;
        if (shared->work[i]) {
            microkit_notify(i);
        }
    }
    sleep_for(us);
}

static void end(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        shared->work[i] = 0;
    }
    sleep_for(4 * CYCLE);
}

static uint64_t length(const struct run *run)
{
    return microseconds(run->end - run->begin);
}

/* A run of a worker in which `time` is, with a little on both sides, or NULL. */
static const struct run *run_at(unsigned worker, uint64_t time)
{
    for (uint64_t i = 0; i < shared->count[worker]; i++) {
        const struct run *run = &shared->runs[worker][i];

        if (time + ticks(GAP) >= run->begin && time <= run->end + ticks(GAP)) {
            return run;
        }
    }
    return NULL;
}

/* The whole runs of a worker, which are neither the first nor the last: the shortest and longest.
 */
static void extremes(unsigned worker, uint64_t *shortest, uint64_t *longest)
{
    *shortest = UINT64_MAX;
    *longest = 0;
    for (uint64_t i = 1; i + 1 < shared->count[worker]; i++) {
        uint64_t us = length(&shared->runs[worker][i]);

        *shortest = us < *shortest ? us : *shortest;
        *longest = us > *longest ? us : *longest;
    }
}

/* The time from the beginning of a worker's first run to that of the last, in microseconds per
 * run. */
static uint64_t cycle(unsigned worker)
{
    uint64_t last = shared->count[worker] - 1;
    const struct run *runs = shared->runs[worker];

    return microseconds(runs[last].begin - runs[1].begin) / (last - 1);
}

static uint64_t total(unsigned worker)
{
    uint64_t us = 0;

    for (uint64_t i = 0; i < shared->count[worker]; i++) {
        us += length(&shared->runs[worker][i]);
    }
    return us;
}

/* How many runs of one worker overlap one of another. */
static unsigned overlaps(unsigned one, unsigned other)
{
    unsigned count = 0;

    for (uint64_t i = 0; i < shared->count[one]; i++) {
        for (uint64_t j = 0; j < shared->count[other]; j++) {
            const struct run *a = &shared->runs[one][i], *b = &shared->runs[other][j];

            count += a->begin < b->end && b->begin < a->end;
        }
    }
    return count;
}

/* Between the end of the other domain's turn and the next of ours nobody has the core. */
static uint64_t pause_behind(const struct run *there)
{
    for (uint64_t i = 0; i < shared->count[HERE]; i++) {
        if (shared->runs[HERE][i].begin > there->end) {
            return microseconds(shared->runs[HERE][i].begin - there->end);
        }
    }
    return 0;
}

static void judge_turns(void)
{
    uint64_t shortest, longest;

    check_range("turns", shared->count[THERE], 9, 12);
    extremes(HERE, &shortest, &longest);
    check_range("turn_of_lower_priority", shortest, TURN_HERE - 30, TURN_HERE + 5);
    check_range("turn_of_lower_priority_longest", longest, TURN_HERE - 30, TURN_HERE + 5);
    extremes(THERE, &shortest, &longest);
    check_range("turn_of_higher_priority", shortest, TURN_THERE - 30, TURN_THERE + 5);
    check_range("turn_of_higher_priority_longest", longest, TURN_THERE - 30, TURN_THERE + 5);
    check_range("turns_repeat", cycle(THERE), CYCLE - 30, CYCLE + 10);
    check_equal("priority_is_within_a_domain", overlaps(HERE, THERE), 0);
    check_range("nobody_runs_in_an_empty_turn", pause_behind(&shared->runs[THERE][2]),
                TURN_EMPTY - 30, TURN_EMPTY + 30);
}

/* A call: when it was made, served and answered. */
struct call {
    uint64_t called, served, answered;
};

static struct call do_call(microkit_channel server)
{
    struct call call;

    call.called = now();
    microkit_ppcall(server, microkit_msginfo_new(0, 0));
    call.answered = now();
    call.served = microkit_mr_get(0);
    return call;
}

static uint64_t sent;
static struct call active, passive;

/* Calls are made at the beginning of a turn of ours, or in the middle. */
static void judge_messages(void)
{
    check("signal_reaches_the_other_domain", shared->woken > sent);
    check("signal_waits_for_the_turn", run_at(THERE, shared->woken) != NULL);
    check_range("signal_takes_the_rest_of_the_turn", microseconds(shared->woken - sent), 1,
                TURN_HERE + 50);

    check("call_waits_for_the_turn", run_at(THERE, active.served) != NULL);
    check_range("call_takes_the_rest_of_the_turn", microseconds(active.served - active.called), 1,
                TURN_HERE + 50);
    check("answer_waits_for_the_turn", run_at(THERE, active.answered) == NULL);
    check_range("answer_takes_the_others_turns", microseconds(active.answered - active.served),
                TURN_THERE + TURN_EMPTY - 100, TURN_THERE + TURN_EMPTY + 50);

    check("passive_server_waits_for_the_turn", run_at(THERE, passive.served) != NULL);
    check_range("passive_server_takes_the_rest_of_the_turn",
                microseconds(passive.served - passive.called), 1, TURN_HERE + 50);
    check_range("answer_of_passive_server_takes_turns",
                microseconds(passive.answered - passive.served), TURN_THERE + TURN_EMPTY - 100,
                TURN_THERE + TURN_EMPTY + 50);
}

static void start_guest(void)
{
    seL4_UserContext context = {0};

    uintptr_t size = (uintptr_t)guest_end - (uintptr_t)guest_begin;

    for (uintptr_t i = 0; i < size; i++) {
        ((volatile char *)ram)[i] = guest_begin[i];
    }
    context.pc = 0x40000000;
    context.spsr = 0x3c5;
    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP, true, 0, sizeof context / sizeof(seL4_Word), &context);
}

static void judge_guest(void)
{
    uint64_t moved = 0, shortest, longest;

    for (uint64_t i = 1; i + 1 < shared->count[THERE]; i++) {
        moved += shared->runs[THERE][i].guest_end - shared->runs[THERE][i].guest_begin;
    }
    check("guest_computes", shared->guest > 1000000);
    check_equal("guest_stands_still_in_the_others_turn", moved, 0);
    extremes(THERE, &shortest, &longest);
    check_range("guest_takes_nothing_of_the_others_turn", shortest, TURN_THERE - 30,
                TURN_THERE + 5);
    check_range("guest_does_not_move_the_turns", cycle(THERE), CYCLE - 30, CYCLE + 10);
}

static void judge_budgets(void)
{
    uint64_t shortest, longest;

    /* A period lasts 10 ms, and the next turn is 12 ms behind the one in which it began. */
    extremes(LIMITED, &shortest, &longest);
    check_range("budget_in_a_turn", longest, 450, 505);
    check_range("budget_in_all_turns", total(LIMITED), 4 * 450, 6 * 505);
    check_range("budget_rest_is_another_s", total(THERE), 9 * TURN_THERE - 6 * 505,
                11 * TURN_THERE);
}

static void judge_long_budgets(void)
{
    uint64_t shortest, longest;

    /* 4 ms of each 12 ms: a whole turn, and a third of the next one. */
    extremes(LONG, &shortest, &longest);
    check_range("budget_lasts_a_turn", longest, TURN_THERE - 50, TURN_THERE + 5);
    check_range("budget_goes_on_in_the_next", shortest, 900, 1050);
    check_range("long_budget_in_all_turns", total(LONG), 4 * 3900, 6 * 4050);
}

static void next_phase(void)
{
    static uint64_t at;

    switch (phase++) {
    case 0:
        sleep_for(4 * CYCLE);
        break;
    case 1:
        begin(10 * CYCLE, 1 << HERE | 1 << THERE);
        break;
    case 2:
        judge_turns();
        end();
        break;
    case 3:
        begin(2 * CYCLE, 1 << HERE | 1 << THERE);
        break;
    case 4: /* due in the middle of the other's turn */
        at = shared->runs[THERE][shared->count[THERE] - 1].begin;
        wake_at(at + ticks(3 * CYCLE + 1000));
        break;
    case 5:
        check_range("interrupt_waits_for_the_turn", microseconds(now() - due),
                    TURN_THERE + TURN_EMPTY - 1000 - 100, TURN_THERE + TURN_EMPTY - 1000 + 50);
        sent = now();
        shared->woken = 0;
        microkit_notify(SLEEPER);
        sleep_for(2 * CYCLE);
        break;
    case 6:
        active = do_call(SERVER);
        passive = do_call(PASSIVE);
        sleep_for(CYCLE);
        break;
    case 7:
        end();
        break;
    case 8:
        judge_messages();
        begin(10 * CYCLE, 1 << LIMITED | 1 << THERE);
        break;
    case 9:
        end();
        break;
    case 10:
        judge_budgets();
        begin(10 * CYCLE, 1 << LONG);
        break;
    case 11:
        end();
        break;
    case 12:
        judge_long_budgets();
        begin(2 * CYCLE, 0);
        break;
    case 13: /* the child waits for its turn */
        microkit_pd_stop(CHILD_ID);
        at = now();
        sleep_for(3 * CYCLE);
        break;
    case 14:
        check("stopped_while_it_waits_for_its_turn", shared->last < at);
        microkit_pd_resume(CHILD_ID);
        check("resumed_it_waits_for_its_turn", shared->last < at);
        sleep_for(2 * CYCLE);
        break;
    case 15:
        check("resumed_it_has_turns", shared->last > at);
        microkit_pd_stop(CHILD_ID);
        begin(10 * CYCLE, 1 << THERE);
        start_guest();
        break;
    case 16:
        microkit_vcpu_stop(0);
        end();
        break;
    case 17:
        judge_guest();
        check_equal("fp_registers_lost", shared->lost, 0);
        done();
        break;
    }
}

void init(void)
{
    sleep_for(1000);
}

void notified(microkit_channel ch)
{
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(0ul));
    next_phase();
    microkit_irq_ack(ch);
}

seL4_Bool fault(microkit_child child, microkit_msginfo info, microkit_msginfo *reply)
{
    (void)child, (void)info, (void)reply;
    say("not ok fault_expected: of a child\n");
    return seL4_False;
}
