/* SPDX-License-Identifier: BSD-2-Clause */

#include "fpu.h"
#include "irq.h"
#include "sched.h"
#include "timer.h"
#include "vcpu_switch.h"

/* ---- Ready queues ---- */

static void queue_ready(struct cpu *cpu, struct thread *thread, bool tail)
{
    unsigned priority = thread->priority;

    if (tail) {
        queue_push_tail(&cpu->ready[priority], thread);
    } else {
        queue_push_head(&cpu->ready[priority], thread);
    }
    cpu->ready_bits[priority / 64] |= BIT(priority % 64);
    cpu->ready_words |= BIT(priority / 64);
    if ((int)priority > cpu->ready_top) {
        cpu->ready_top = (int)priority;
    }
}

/* Put the standby thread where it would be without that short cut. */
static void dismiss_standby(struct cpu *cpu)
{
    if (cpu->standby != NULL) {
        queue_ready(cpu, cpu->standby, false);
        cpu->standby = NULL;
    }
}

static void ready_push(struct cpu *cpu, struct thread *thread, bool tail)
{
    dismiss_standby(cpu);
    queue_ready(cpu, thread, tail);
}

static void ready_remove(struct cpu *cpu, struct thread *thread)
{
    unsigned priority = thread->priority;

    if (thread == cpu->standby) {
        cpu->standby = NULL;
        return;
    }
    queue_remove(&cpu->ready[priority], thread);
    if (cpu->ready[priority].head != NULL) {
        return;
    }
    cpu->ready_bits[priority / 64] &= ~BIT(priority % 64);
    if (cpu->ready_bits[priority / 64] == 0) {
        cpu->ready_words &= ~BIT(priority / 64);
    }
    cpu->ready_top = -1;
    if (cpu->ready_words != 0) {
        int word = 63 - __builtin_clzl(cpu->ready_words);

        cpu->ready_top = word * 64 + 63 - __builtin_clzl(cpu->ready_bits[word]);
    }
}

static struct thread *ready_take(struct cpu *cpu)
{
    struct thread *thread = cpu->standby;

    if (thread == NULL && cpu->ready_top >= 0) {
        thread = cpu->ready[cpu->ready_top].head;
    }
    if (thread != NULL) {
        ready_remove(cpu, thread);
    }
    return thread;
}

/* ---- Budgets ---- */

/* Put a thread that has no budget left aside until its period ends. */
static void release_insert(struct cpu *cpu, struct thread *thread)
{
    struct thread **link = &cpu->released;

    while (*link != NULL && (*link)->sc->replenish_at <= thread->sc->replenish_at) {
        link = &(*link)->queue_next;
    }
    thread->queue_next = *link;
    thread->release_queued = true;
    *link = thread;
}

static void release_remove(struct cpu *cpu, struct thread *thread)
{
    struct thread **link = &cpu->released;

    while (*link != thread) {
        link = &(*link)->queue_next;
    }
    *link = thread->queue_next;
    thread->release_queued = false;
}

/* A limited context at time `now`: whether it may run. */
static bool has_budget(struct sched_context *sc, uint64_t now)
{
    if (sc->running && now >= sc->replenish_at) {
        sc->running = false;
        sc->remaining = sc->budget;
    }
    return sc->remaining > 0;
}

static void charge(struct cpu *cpu, uint64_t now)
{
    struct sched_context *sc = cpu->charged;
    uint64_t used = now - cpu->charged_since;

    sc->remaining = used < sc->remaining ? sc->remaining - used : 0;
    cpu->charged_since = now;
}

/* Set the timer to the end of the budget that is being used, or of a period that is waited for. */
static void rearm(struct cpu *cpu)
{
    uint64_t deadline = TIMER_NEVER;

    if (cpu->timing) {
        deadline = cpu->charged_since + cpu->charged->remaining;
    }
    if (cpu->released != NULL && cpu->released->sc->replenish_at < deadline) {
        deadline = cpu->released->sc->replenish_at;
    }
    cpu->timer_armed = deadline != TIMER_NEVER;
    if (cpu->timer_armed) {
        timer_set(deadline);
    } else {
        timer_stop();
    }
}

/* Begin to count time for `thread` if that decides anything. */
static void start_timing(struct cpu *cpu, struct thread *thread, uint64_t now)
{
    struct sched_context *sc = thread->sc;

    cpu->timing = sc->limited || cpu->ready_top == thread->priority;
    if (cpu->timing) {
        if (!sc->limited && sc->remaining == 0) {
            sc->remaining = sc->budget;
        }
        if (sc->limited && !sc->running) {
            sc->running = true;
            sc->replenish_at = now + sc->period;
        }
        cpu->charged = sc;
        cpu->charged_since = now;
    }
    rearm(cpu);
}

/* Cease to count time, and charge what has been counted. */
static void stop_timing(struct cpu *cpu, uint64_t now)
{
    if (cpu->timing) {
        charge(cpu, now);
        cpu->timing = false;
    }
}

/*
 * Whether time matters to `thread` as the next one, or has mattered to the one before. It has an
 * equal waiting if the queues' best is as good, as it cannot be better.
 */
static inline bool needs_timing(const struct cpu *cpu, const struct thread *thread)
{
    return cpu->timer_armed || thread->sc->limited || cpu->ready_top == thread->priority;
}

/* See to it that cpu->next has budget, and that its time is counted. */
static void settle(struct cpu *cpu, uint64_t now)
{
    while (cpu->next != NULL && cpu->next->sc->limited && !has_budget(cpu->next->sc, now)) {
        release_insert(cpu, cpu->next);
        cpu->next = ready_take(cpu);
    }
    if (cpu->next != NULL) {
        start_timing(cpu, cpu->next, now);
    } else {
        rearm(cpu);
    }
}

/* ---- What the rest of the kernel calls ---- */

void sched_ready_slowly(struct cpu *cpu, struct thread *thread)
{
    struct thread *next = cpu->next;

    thread->state = THREAD_READY;
    if (thread->sc->limited && !has_budget(thread->sc, timer_now())) {
        release_insert(cpu, thread);
        rearm(cpu);
        return;
    }
    if (next == NULL || thread->priority > next->priority) {
        if (next != NULL) {
            ready_push(cpu, next, false);
        }
        cpu->next = thread;
        return;
    }
    /* Behind its equals if one of them is running, before them otherwise. */
    ready_push(cpu, thread, thread->priority == next->priority);
    if (thread->priority == next->priority && next == cpu->current && !cpu->timing) {
        start_timing(cpu, next, timer_now());
    }
}

void sched_remove_slowly(struct cpu *cpu, struct thread *thread)
{
    if (thread->release_queued) {
        release_remove(cpu, thread);
    } else if (thread == cpu->next) {
        cpu->next = ready_take(cpu);
    } else {
        ready_remove(cpu, thread);
    }
}

void sched_handoff_slowly(struct cpu *cpu, struct thread *from, struct thread *to)
{
    sched_remove(cpu, from);
    sched_ready(cpu, to);
}

void sched_yield(struct cpu *cpu)
{
    struct thread *thread = cpu->current;
    struct sched_context *sc = thread->sc;
    uint64_t now = timer_now();

    stop_timing(cpu, now);
    if (sc->limited) {
        if (!sc->running) {
            sc->running = true;
            sc->replenish_at = now + sc->period;
        }
        sc->remaining = 0;
    } else {
        sc->remaining = sc->budget;
        ready_push(cpu, thread, true);
        cpu->next = ready_take(cpu);
    }
    settle(cpu, now);
}

void sched_context_changed(struct cpu *cpu)
{
    if (cpu->next == cpu->current && (cpu->timing || cpu->current->sc->limited)) {
        uint64_t now = timer_now();

        stop_timing(cpu, now);
        settle(cpu, now);
    }
}

void sched_timer_interrupt(struct cpu *cpu)
{
    uint64_t now = timer_now();
    struct thread *thread = cpu->current;

    stop_timing(cpu, now);
    if (thread != NULL && thread == cpu->next && !thread->sc->limited &&
        thread->sc->remaining == 0) {
        ready_push(cpu, thread, true);
        cpu->next = ready_take(cpu);
    }
    while (cpu->released != NULL && cpu->released->sc->replenish_at <= now) {
        struct thread *released = cpu->released;

        release_remove(cpu, released);
        sched_ready(cpu, released);
    }
    settle(cpu, now);
}

/* ---- The switch ---- */

/* Wait for an interrupt that makes somebody ready. */
static __attribute__((noinline)) void idle(struct cpu *cpu)
{
    cpu->current = NULL;
    if (cpu->vcpu_active) {
        vcpu_leave(cpu, cpu->vcpu_loaded->vttbr);
    }
    vcpu_silence(cpu);
    while (cpu->next == NULL) {
        dsb();
        __asm__ volatile("wfi" ::: "memory");
        irq_handle(cpu);
    }
}

/* The time of the switch, and what it decides. */
static void switch_timing(struct cpu *cpu)
{
    uint64_t now = timer_now();

    stop_timing(cpu, now);
    settle(cpu, now);
}

/* Find a next thread that has budget, idling until there is one. */
static __attribute__((noinline)) void choose(struct cpu *cpu)
{
    for (;;) {
        if (cpu->next != NULL || cpu->timer_armed) {
            switch_timing(cpu);
        }
        if (cpu->next != NULL) {
            return;
        }
        idle(cpu);
    }
}

struct thread *cpu_switch(struct cpu *cpu)
{
    struct thread *previous = cpu->current;

    if (likely(previous != NULL)) {
        previous->regs.tpidr_el0 = read_sysreg(tpidr_el0);
        if (previous->is_vcpu) {
            previous->regs.tpidrro_el0 = read_sysreg(tpidrro_el0);
        }
    }
    if (unlikely(cpu->next == NULL || needs_timing(cpu, cpu->next))) {
        choose(cpu);
    }

    struct thread *next = cpu->next;
    cpu->current = next;
    if (next->is_vcpu) {
        vcpu_enter(cpu, next);
    } else if (cpu->vcpu_active) {
        vcpu_leave(cpu, next->vttbr);
    } else {
        write_sysreg(vttbr_el2, next->vttbr);
    }
    write_sysreg(tpidr_el0, next->regs.tpidr_el0);
    write_sysreg(tpidrro_el0, next->regs.tpidrro_el0);
    fpu_switch(cpu, next);
    return next;
}
