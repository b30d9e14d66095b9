/* SPDX-License-Identifier: BSD-2-Clause */

#include "sched.h"

#include "domain.h"
#include "irq.h"
#include "timer.h"
#include "vcpu_switch.h"

/* ---- Light threads ---- */

/*
 * A thread that has used little of its time slice gets it back when its equals have had much more:
 * RENEWAL_PART times as much, and one of them a whole slice. A thread with LIGHT_RENEWALS of these
 * in a row is light, until it uses up a slice or gives it up. In the ready queue light threads are
 * in front of their equals. So one that wakes often, and runs for a moment, seldom waits for
 * others' slices.
 *
 * A light thread does not take the place of an equal that runs, or has only been interrupted. By
 * renewed slices a thread has 3 % of the core at most. Whoever waits at the queue's end is one
 * place further with each slice that is used up, and between two of these each other thread renews
 * its own once at most.
 */
#ifndef RENEWAL_PART /* tests/kernel_model has smaller ones, which few steps reach */
#define RENEWAL_PART   32u
#define LIGHT_RENEWALS 4u
#endif

static inline bool is_light(const struct thread *thread)
{
    return thread->sc == &thread->own && thread->sc->renewals == LIGHT_RENEWALS;
}

static struct level *level_of(struct cpu *cpu, const struct sched_context *sc)
{
    const char *owner = (const char *)sc - offsetof(struct thread, own);

    return &cpu->levels[((const struct thread *)owner)->priority];
}

/* A time slice begins: what is counted for its renewal counts from here. */
static void mark_level(struct cpu *cpu, struct sched_context *sc)
{
    const struct level *level = level_of(cpu, sc);

    sc->level_used = level->used;
    sc->level_ends = level->ends;
}

/* A thread's slice is over, or it goes on at another priority: it is not light. */
static void begin_slice(struct cpu *cpu, struct sched_context *sc)
{
    mark_level(cpu, sc);
    sc->remaining = sc->budget;
    sc->renewals = 0;
}

/* A thread goes on with its own context, which is not limited. */
static inline void renew_slice(struct cpu *cpu, struct sched_context *sc)
{
    const struct level *level = level_of(cpu, sc);
    uint64_t used = sc->budget - sc->remaining; /* which is in level->used as well */

    if (used == 0 || sc->remaining == 0 || level->ends == sc->level_ends ||
        level->used - sc->level_used < (RENEWAL_PART + 1) * used) {
        return;
    }
    mark_level(cpu, sc);
    sc->remaining = sc->budget;
    if (sc->renewals < LIGHT_RENEWALS) {
        sc->renewals++;
    }
}

void sched_priority_changed(struct cpu *cpu, struct thread *thread)
{
    mark_level(cpu, &thread->own);
    thread->own.renewals = 0;
    if (cpu->accounting && level_of(cpu, cpu->charged) == level_of(cpu, &thread->own)) {
        /* What has been used until now will be charged later. */
        uint64_t used = timer_now() - cpu->charged_since;
        uint64_t left = cpu->charged->remaining;

        thread->own.level_used += used < left ? used : left;
        thread->own.level_ends += left != 0 && used >= left;
    }
}

/* ---- Ready queues ---- */

/* At the head of its queue; one that is not light behind those that are. */
static void enqueue_in_front(struct queue *queue, struct thread *thread)
{
    struct thread *before = NULL;

    if (!is_light(thread)) {
        for (struct thread *next = queue->head; next != NULL && is_light(next);
             next = next->queue_next) {
            before = next;
        }
    }
    queue_insert_behind(queue, before, thread);
}

static void ready_enqueue(struct cpu *cpu, struct thread *thread, bool tail)
{
    unsigned priority = thread->priority;

    if (tail && !is_light(thread)) {
        queue_push_tail(&cpu->ready[priority], thread);
    } else {
        enqueue_in_front(&cpu->ready[priority], thread);
    }
    cpu->ready_bits[priority / 64] |= BIT(priority % 64);
    cpu->ready_words |= BIT(priority / 64);
    if ((int)priority > cpu->ready_top) {
        cpu->ready_top = (int)priority;
    }
}

/* Put the cached thread into its queue. */
static void flush_ready_cache(struct cpu *cpu)
{
    if (cpu->ready_cache != NULL) {
        ready_enqueue(cpu, cpu->ready_cache, false);
        cpu->ready_cache = NULL;
    }
}

static void ready_push(struct cpu *cpu, struct thread *thread, bool tail)
{
    flush_ready_cache(cpu);
    ready_enqueue(cpu, thread, tail);
}

static void ready_remove(struct cpu *cpu, struct thread *thread)
{
    unsigned priority = thread->priority;

    if (thread == cpu->ready_cache) {
        cpu->ready_cache = NULL;
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
    struct thread *thread = cpu->ready_cache;

    if (thread == NULL && cpu->ready_top >= 0) {
        thread = cpu->ready[cpu->ready_top].head;
    }
    if (thread != NULL) {
        ready_remove(cpu, thread);
    }
    return thread;
}

/* ---- The timer ---- */

/*
 * Have the timer interrupt at `deadline` at the latest. It stays armed for an earlier time: a
 * spurious interrupt now and then is cheaper than to reprogram the timer at each switch.
 */
static void arm_timer(struct cpu *cpu, uint64_t deadline)
{
    if (deadline < cpu->timer_at) {
        cpu->timer_at = deadline;
        timer_set(deadline);
    }
}

static void disarm_timer(struct cpu *cpu)
{
    if (cpu->timer_at != TIMER_NEVER) {
        cpu->timer_at = TIMER_NEVER;
        timer_stop();
    }
}

/* ---- Budgets ---- */

/* A thread without budget waits for its replenishment, at the end of its period. */
static void release_queue_insert(struct cpu *cpu, struct thread *thread)
{
    struct thread **link = &cpu->release_queue;

    while (*link != NULL && (*link)->sc->replenish_at <= thread->sc->replenish_at) {
        link = &(*link)->queue_next;
    }
    thread->queue_next = *link;
    thread->in_release_queue = true;
    *link = thread;
    arm_timer(cpu, thread->sc->replenish_at);
}

static void release_queue_remove(struct cpu *cpu, struct thread *thread)
{
    struct thread **link = &cpu->release_queue;

    while (*link != thread) {
        link = &(*link)->queue_next;
    }
    *link = thread->queue_next;
    thread->in_release_queue = false;
}

/* Whether this context has to wait for its replenishment. */
static bool budget_exhausted(const struct sched_context *sc, uint64_t now)
{
    return sc->limited && sc->remaining == 0 && now < sc->replenish_at;
}

/* Make cpu->next a thread of this turn's domain that has budget, or NULL. */
static __attribute__((cold, noinline)) void keep_to_domain(struct cpu *cpu, uint64_t now)
{
    struct thread *thread = cpu->next;

    while (thread != NULL && (!domain_has_turn(thread) || budget_exhausted(thread->sc, now))) {
        cpu->next = ready_take(cpu);
        if (domain_has_turn(thread)) {
            release_queue_insert(cpu, thread);
        } else {
            domain_wait(thread);
        }
        thread = cpu->next;
    }
}

static inline void keep_to_turn(struct cpu *cpu, uint64_t now)
{
    if (domain_in_use(cpu)) {
        keep_to_domain(cpu, now);
    }
}

/* A ready thread has used up its budget or its time slice: it goes behind its equals. */
static void end_timeslice(struct cpu *cpu, struct thread *thread, uint64_t now)
{
    bool is_next = thread == cpu->next;

    if (!is_next) {
        ready_remove(cpu, thread);
    }
    if (budget_exhausted(thread->sc, now)) {
        release_queue_insert(cpu, thread);
    } else {
        begin_slice(cpu, thread->sc);
        ready_push(cpu, thread, true);
    }
    if (is_next) {
        cpu->next = ready_take(cpu);
        keep_to_turn(cpu, now);
    }
}

/* The ready thread that has the context being charged, or NULL if its thread is blocked. */
static struct thread *charged_thread(const struct cpu *cpu)
{
    struct thread *current = cpu->current;

    if (cpu->next != NULL && cpu->next->sc == cpu->charged) {
        return cpu->next;
    }
    return current != NULL && current->sc == cpu->charged && current->state == THREAD_READY
               ? current
               : NULL;
}

/*
 * Charge the time until `now` and stop accounting. cpu->charged is then the context that has been
 * charged, or NULL. A thread whose time slice ends here loses it even if the thread has just
 * blocked: without budget it goes behind its equals when it is ready again (sched_ready_slowpath).
 */
static inline void stop_accounting(struct cpu *cpu, uint64_t now)
{
    struct sched_context *sc = cpu->charged;

    if (!cpu->accounting) {
        cpu->charged = NULL;
        return;
    }
    uint64_t used = now - cpu->charged_since;

    cpu->accounting = false;
    sc->consumed += used;
    struct level *level = level_of(cpu, sc);
    uint64_t left = sc->remaining;
    sc->remaining = used < left ? left - used : 0;
    level->used += left - sc->remaining;
    if (likely(sc->remaining != 0)) {
        return;
    }
    level->ends += left != 0;
    struct thread *thread = charged_thread(cpu);

    /* A server on its caller's context goes on. The caller will lose its time slice. */
    if (thread != NULL &&
        (sc == &thread->own || sc->limited || cpu->ready_top == thread->priority)) {
        end_timeslice(cpu, thread, now);
    }
}

/* Whether time decides something for `thread`: it has a ready equal if the queues' top is one. */
static inline bool needs_accounting(const struct cpu *cpu, const struct thread *thread)
{
    return thread->sc->accounted || cpu->ready_top == thread->priority;
}

/* Start to account the time of cpu->next, which may run. */
static inline void start_accounting(struct cpu *cpu, uint64_t now)
{
    struct sched_context *sc = cpu->next->sc;

    if (sc->limited && now >= sc->replenish_at) {
        sc->remaining = sc->budget;
        sc->replenish_at = now + sc->period;
    }
    if (sc == &cpu->next->own && !sc->limited) {
        renew_slice(cpu, sc);
    }
    cpu->accounting = true;
    cpu->charged = sc;
    cpu->charged_since = now;
    /* One that has used up its slice, or a caller's whom it serves, goes on until it has equals. */
    if (likely(sc->remaining != 0 || cpu->ready_top == cpu->next->priority)) {
        arm_timer(cpu, now + sc->remaining);
    }
}

/*
 * If the turn has ended, begin the next one. For another domain all ready threads change places,
 * those that go in the order in which they would have run. What is left in the core's registers of
 * a vCPU and of FP/SIMD is saved, so that neither the vCPU's timer nor its first use by another
 * thread takes time of the new domain.
 */
static __attribute__((cold, noinline)) void check_turn(struct cpu *cpu, uint64_t now)
{
    struct thread *thread;

    if (now >= turn.end && domain_next_turn(now)) {
        while ((thread = cpu->next) != NULL) {
            cpu->next = ready_take(cpu);
            domain_wait(thread);
        }
        while ((thread = domain_take()) != NULL) {
            ready_enqueue(cpu, thread, true);
        }
        cpu->next = ready_take(cpu);
        if (cpu->vcpu_loaded != NULL) {
            vcpu_unload(cpu);
        }
        fpu_release(cpu);
    }
    arm_timer(cpu, turn.end);
}

/*
 * Make cpu->next a thread that has budget, or NULL, and account its time if that decides something.
 * It does for a server on the context that was charged until now, too: its caller has equals.
 */
static inline void pick_next(struct cpu *cpu, uint64_t now)
{
    while (cpu->next != NULL && unlikely(budget_exhausted(cpu->next->sc, now))) {
        struct thread *thread = cpu->next;

        cpu->next = ready_take(cpu);
        release_queue_insert(cpu, thread);
    }
    struct thread *next = cpu->next;

    if (next != NULL &&
        (needs_accounting(cpu, next) || (next->sc == cpu->charged && next->sc->remaining != 0))) {
        start_accounting(cpu, now);
    }
}

/* ---- Interface ---- */

void sched_init(struct cpu *cpu)
{
    cpu->ready_top = -1;
    cpu->timer_at = TIMER_NEVER;
}

/*
 * Refill the context of a thread that becomes ready, if it is empty and a replenishment is due.
 * Returns false if the thread has to wait for that: it is in the release queue then. Otherwise
 * `*timeslice_lost` says whether its time slice has ended, so that it goes behind its equals.
 */
static bool refill(struct cpu *cpu, struct thread *thread, bool *timeslice_lost)
{
    struct sched_context *sc = thread->sc;

    *timeslice_lost = false;
    if (sc->remaining != 0 || (!sc->limited && sc != &thread->own)) {
        return true; /* the owner of the context loses the time slice when it has it back */
    }
    if (budget_exhausted(sc, timer_now())) {
        release_queue_insert(cpu, thread);
        return false;
    }
    begin_slice(cpu, sc);
    *timeslice_lost = !sc->limited;
    return true;
}

void sched_ready_slowpath(struct cpu *cpu, struct thread *thread)
{
    struct thread *next = cpu->next;
    bool timeslice_lost;

    thread->state = THREAD_READY;
    if (!refill(cpu, thread, &timeslice_lost)) {
        return;
    }
    if (next == NULL || thread->priority > next->priority) {
        if (next != NULL) {
            ready_push(cpu, next, false);
        }
        cpu->next = thread;
        return;
    }
    /* Behind its equals if one of them is running, in front of them otherwise. */
    ready_push(cpu, thread, timeslice_lost || thread->priority == next->priority);
    if (thread->priority == next->priority && next == cpu->current && !cpu->accounting) {
        start_accounting(cpu, timer_now());
    }
}

void sched_ready_in_front(struct cpu *cpu, struct thread *thread)
{
    struct thread *next = cpu->next;

    if (next == NULL || thread->priority != next->priority || thread->sc->remaining == 0) {
        sched_ready(cpu, thread);
        return;
    }
    thread->state = THREAD_READY;
    ready_push(cpu, next, false);
    cpu->next = thread;
}

void sched_remove_slowpath(struct cpu *cpu, struct thread *thread)
{
    if (IS_SMP && thread->in_inbox) {
        smp_inbox_remove(thread);
        return;
    }
    if (thread->in_release_queue) {
        release_queue_remove(cpu, thread);
    } else if (thread == cpu->next) {
        cpu->next = ready_take(cpu);
    } else if (!IS_SMP && unlikely(thread->waits_for_turn)) {
        domain_remove(thread);
    } else {
        ready_remove(cpu, thread);
    }
}

/*
 * `from` blocks, and `to` goes on with its time slice: in front of its equals, but behind one that
 * has just woken (the cached thread), which is soon done or has less of its slice left.
 */
void sched_handoff_slowpath(struct cpu *cpu, struct thread *from, struct thread *to)
{
    struct thread *cached = cpu->ready_cache;

    if (from != cpu->next) {
        /* It may have donated its context, and so has to leave its queue first. */
        sched_remove(cpu, from);
        sched_ready(cpu, to);
        return;
    }
    if (to->sc->remaining == 0 || to->priority < cpu->ready_top) {
        sched_ready(cpu, to);
        sched_remove(cpu, from);
        return;
    }
    to->state = THREAD_READY;
    if (cached == NULL || cached->priority < to->priority) {
        cpu->next = to;
        return;
    }
    cpu->ready_cache = NULL;
    cpu->next = cached;
    ready_enqueue(cpu, to, false);
}

void sched_yield(struct cpu *cpu)
{
    struct thread *thread = cpu->current;
    uint64_t now = timer_now();

    stop_accounting(cpu, now);
    if (thread == cpu->next) {
        thread->sc->remaining = 0;
        end_timeslice(cpu, thread, now);
    }
    pick_next(cpu, now);
}

void sched_context_changed(struct cpu *cpu)
{
    struct thread *thread = cpu->current;

    if (IS_SMP && thread->in_release_queue) {
        /* It came there while it waited for the lock, for want of budget in the context before. */
        release_queue_remove(cpu, thread);
        sched_ready(cpu, thread);
    }
    if (cpu->next == thread) {
        uint64_t now = timer_now();

        stop_accounting(cpu, now);
        keep_to_turn(cpu, now);
        pick_next(cpu, now);
    }
}

void sched_timer_interrupt(struct cpu *cpu)
{
    uint64_t now = timer_now();

    disarm_timer(cpu);
    stop_accounting(cpu, now);
    if (domain_in_use(cpu)) {
        check_turn(cpu, now);
    }
    while (cpu->release_queue != NULL && cpu->release_queue->sc->replenish_at <= now) {
        struct thread *thread = cpu->release_queue;

        release_queue_remove(cpu, thread);
        sched_ready(cpu, thread);
    }
    if (cpu->release_queue != NULL) {
        arm_timer(cpu, cpu->release_queue->sc->replenish_at);
    }
    keep_to_turn(cpu, now);
    pick_next(cpu, now);
}

/* ---- For a PD that schedules others ---- */

/* Where a thread's own context is, or would be if it were bound; NULL of a passive PD that waits.
 */
static struct thread *context_at(struct thread *thread)
{
    struct thread *holder = thread;

    while (holder->sc == NULL && holder->state == THREAD_WAITING) {
        holder = holder->server;
    }
    return holder->sc == &thread->own ? holder : NULL;
}

struct thread *sched_holder(struct thread *thread)
{
    return sched_is_bound(thread) ? context_at(thread) : NULL;
}

uint64_t sched_consumed(struct thread *thread)
{
    struct sched_context *sc = &thread->own;
    const struct cpu *cpu = thread->cpu;
    uint64_t running = cpu->accounting && cpu->charged == sc ? timer_now() - cpu->charged_since : 0;
    uint64_t us = timer_microseconds(sc->consumed + running);

    /* Below zero while it is running: what is charged later counts from here. */
    sc->consumed -= us != 0 ? timer_ticks(us) : 0;
    return us;
}

void sched_bind(struct cpu *cpu, struct thread *thread, bool bind)
{
    struct sched_context *sc = &thread->own;
    struct thread *holder = context_at(thread);
    bool is_ready = holder != NULL && holder->state == THREAD_READY;
    uint64_t now = timer_now();

    stop_accounting(cpu, now);
    if (is_ready) {
        smp_deschedule(cpu, holder);
        sched_remove(cpu, holder);
    }
    if (bind) {
        sc->remaining = thread->bound.remaining;
        sc->replenish_at = thread->bound.replenish_at;
        sc->limited = sc->budget < sc->period;
    } else {
        thread->bound.remaining = sc->remaining;
        thread->bound.replenish_at = sc->replenish_at;
        sc->remaining = 0;
        sc->replenish_at = TIMER_NEVER;
        sc->limited = true;
    }
    if (is_ready) {
        sched_ready(cpu, holder);
    }
    if (cpu->next == cpu->current) { /* else the switch does this; an idle core may yet have none */
        keep_to_turn(cpu, now);
        pick_next(cpu, now);
    }
}

/* ---- The switch ---- */

/* Wait in WFI for an interrupt that makes a thread ready. */
static __attribute__((noinline)) void idle(struct cpu *cpu)
{
    cpu->current = NULL;
    if (IS_BENCHMARK) {
        benchmark_switch(cpu, NULL);
    }
    if (cpu->vcpu_active) {
        vcpu_leave(cpu, cpu->vttbr_empty, CNTKCTL_PD);
    }
    vcpu_disable_gich(cpu);
    (void)debug_suspend(cpu);
    if (cpu->release_queue == NULL && !domain_in_use(cpu)) {
        disarm_timer(cpu);
    }
    while (cpu->next == NULL) {
        if (IS_BENCHMARK) {
            benchmark_leave(cpu);
        }
        dsb();
        smp_unlock();
        wfi();
        smp_lock(cpu);
        if (IS_BENCHMARK) {
            benchmark_enter(cpu);
        }
        irq_handle(cpu);
    }
}

/* Charge for time and choose a next thread that has budget. The core idles until there is one. */
static __attribute__((noinline)) void schedule(struct cpu *cpu)
{
    for (;;) {
        uint64_t now = timer_now();

        stop_accounting(cpu, now);
        pick_next(cpu, now);
        if (likely(cpu->next != NULL)) {
            return;
        }
        idle(cpu);
    }
}

/* The same, if there are domains. */
static __attribute__((cold, noinline)) void schedule_in_turn(struct cpu *cpu)
{
    for (;;) {
        uint64_t now = timer_now();

        stop_accounting(cpu, now);
        keep_to_domain(cpu, now);
        pick_next(cpu, now);
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
    uint16_t scheduling = cpu->scheduling;

    if (scheduling != 0 || cpu->next == NULL || needs_accounting(cpu, cpu->next)) {
        if (!IS_SMP && unlikely(scheduling & SCHEDULING_DOMAINS)) {
            schedule_in_turn(cpu);
        } else {
            schedule(cpu);
        }
    }

    struct thread *next = cpu->next;
    cpu->current = next;
    if (IS_BENCHMARK) {
        benchmark_switch(cpu, next);
    }
    if (next->is_vcpu) {
        vcpu_enter(cpu, next);
    } else if (cpu->vcpu_active) {
        vcpu_leave(cpu, next->vttbr, next->cntkctl);
    } else {
        write_sysreg(vttbr_el2, next->vttbr);
        write_sysreg(cntkctl_el1, next->cntkctl);
    }
    write_sysreg(tpidr_el0, next->regs.tpidr_el0);
    write_sysreg(tpidrro_el0, next->regs.tpidrro_el0);
    fpu_switch(cpu, next);
    return next;
}
