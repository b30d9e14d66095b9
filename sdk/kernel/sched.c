/* SPDX-License-Identifier: BSD-2-Clause */

#include "sched.h"

#include "fpu.h"
#include "irq.h"
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

/* ---- The timer ---- */

/*
 * Interrupt at `deadline` at the latest. An earlier interrupt is left as it is: to take it in vain
 * now and then is cheaper than to set the timer anew at each switch.
 */
static void timer_need(struct cpu *cpu, uint64_t deadline)
{
    if (deadline < cpu->timer_at) {
        cpu->timer_at = deadline;
        timer_set(deadline);
    }
}

static void timer_cancel(struct cpu *cpu)
{
    if (cpu->timer_at != TIMER_NEVER) {
        cpu->timer_at = TIMER_NEVER;
        timer_stop();
    }
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
    timer_need(cpu, thread->sc->replenish_at);
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

/* Whether this context has to wait for the end of its period. */
static bool must_wait(const struct sched_context *sc, uint64_t now)
{
    return sc->limited && sc->remaining == 0 && now < sc->replenish_at;
}

/* A ready thread has used up its budget or its time slice: others of its priority have their turn.
 */
static void end_turn(struct cpu *cpu, struct thread *thread, uint64_t now)
{
    bool is_next = thread == cpu->next;

    if (!is_next) {
        ready_remove(cpu, thread);
    }
    if (must_wait(thread->sc, now)) {
        release_insert(cpu, thread);
    } else {
        thread->sc->remaining = thread->sc->budget;
        ready_push(cpu, thread, true);
    }
    if (is_next) {
        cpu->next = ready_take(cpu);
    }
}

/* The ready thread that has the context which is being charged, or NULL if that waits. */
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
 * Charge the time until `now`, and cease to count; cpu->charged is then whom, or NULL. A turn that
 * ends here is lost also if its thread has just begun to wait: without budget it will be put behind
 * its equals (sched_ready_slowly).
 */
static inline void stop_timing(struct cpu *cpu, uint64_t now)
{
    struct sched_context *sc = cpu->charged;

    if (!cpu->timing) {
        cpu->charged = NULL;
        return;
    }
    uint64_t used = now - cpu->charged_since;

    cpu->timing = false;
    if (likely(used < sc->remaining)) {
        sc->remaining -= used;
        return;
    }
    sc->remaining = 0;
    struct thread *thread = charged_thread(cpu);

    /* A server on its caller's time goes on, and the caller will lose its turn. */
    if (thread != NULL &&
        (sc == &thread->own || sc->limited || cpu->ready_top == thread->priority)) {
        end_turn(cpu, thread, now);
    }
}

/* Whether time matters to `thread`: it has an equal if the queues' best is as good. */
static inline bool needs_timing(const struct cpu *cpu, const struct thread *thread)
{
    return thread->sc->limited || cpu->ready_top == thread->priority;
}

/* Begin to count the time of cpu->next, which has budget. */
static inline void start_timing(struct cpu *cpu, uint64_t now)
{
    struct sched_context *sc = cpu->next->sc;

    if (sc->limited && now >= sc->replenish_at) {
        sc->remaining = sc->budget;
        sc->replenish_at = now + sc->period;
    }
    cpu->timing = true;
    cpu->charged = sc;
    cpu->charged_since = now;
    timer_need(cpu, now + sc->remaining);
}

/*
 * See to it that cpu->next has budget, and that its time is counted if it matters: it does also to
 * a server on the context that was charged until now, for its caller has equals.
 */
static inline void settle(struct cpu *cpu, uint64_t now)
{
    while (cpu->next != NULL && unlikely(must_wait(cpu->next->sc, now))) {
        struct thread *thread = cpu->next;

        cpu->next = ready_take(cpu);
        release_insert(cpu, thread);
    }
    struct thread *next = cpu->next;

    if (next != NULL &&
        (needs_timing(cpu, next) || (next->sc == cpu->charged && next->sc->remaining != 0))) {
        start_timing(cpu, now);
    }
}

/* ---- What the rest of the kernel calls ---- */

void sched_init(struct cpu *cpu)
{
    cpu->ready_top = -1;
    cpu->timer_at = TIMER_NEVER;
}

/* Take up a thread without budget. Returns whether it is ready; then `*turn_lost` says how. */
static bool refill(struct cpu *cpu, struct thread *thread, bool *turn_lost)
{
    struct sched_context *sc = thread->sc;

    *turn_lost = false;
    if (sc->remaining != 0 || (!sc->limited && sc != &thread->own)) {
        return true; /* a turn that is over is its owner's to lose, when it has its time back */
    }
    if (must_wait(sc, timer_now())) {
        release_insert(cpu, thread);
        return false;
    }
    sc->remaining = sc->budget;
    *turn_lost = !sc->limited;
    return true;
}

void sched_ready_slowly(struct cpu *cpu, struct thread *thread)
{
    struct thread *next = cpu->next;
    bool turn_lost;

    thread->state = THREAD_READY;
    if (!refill(cpu, thread, &turn_lost)) {
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
    ready_push(cpu, thread, turn_lost || thread->priority == next->priority);
    if (thread->priority == next->priority && next == cpu->current && !cpu->timing) {
        start_timing(cpu, timer_now());
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

/*
 * `from` leaves, and `to` goes on with the turn that it was in: before its equals, but behind one
 * that has just woken (standby), which is soon done or has the shorter turn.
 */
void sched_handoff_slowly(struct cpu *cpu, struct thread *from, struct thread *to)
{
    struct thread *standby = cpu->standby;

    if (from != cpu->next) {
        /* It may have no context any more, and so must leave whatever queue it is in first. */
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
    if (standby == NULL || standby->priority < to->priority) {
        cpu->next = to;
        return;
    }
    cpu->standby = NULL;
    cpu->next = standby;
    queue_ready(cpu, to, false);
}

void sched_yield(struct cpu *cpu)
{
    struct thread *thread = cpu->current;
    uint64_t now = timer_now();

    stop_timing(cpu, now);
    if (thread == cpu->next) {
        thread->sc->remaining = 0;
        end_turn(cpu, thread, now);
    }
    settle(cpu, now);
}

void sched_context_changed(struct cpu *cpu)
{
    if (cpu->next == cpu->current) {
        uint64_t now = timer_now();

        stop_timing(cpu, now);
        settle(cpu, now);
    }
}

void sched_timer_interrupt(struct cpu *cpu)
{
    uint64_t now = timer_now();

    timer_cancel(cpu);
    stop_timing(cpu, now);
    while (cpu->released != NULL && cpu->released->sc->replenish_at <= now) {
        struct thread *thread = cpu->released;

        release_remove(cpu, thread);
        sched_ready(cpu, thread);
    }
    if (cpu->released != NULL) {
        timer_need(cpu, cpu->released->sc->replenish_at);
    }
    settle(cpu, now);
}

/* ---- The switch ---- */

/* Wait for an interrupt that makes somebody ready. */
static __attribute__((noinline)) void idle(struct cpu *cpu)
{
    cpu->current = NULL;
    if (cpu->vcpu_active) {
        vcpu_leave(cpu, cpu->vttbr_between, CNTKCTL_PD);
    }
    vcpu_silence(cpu);
    if (cpu->released == NULL) {
        timer_cancel(cpu);
    }
    while (cpu->next == NULL) {
        dsb();
        __asm__ volatile("wfi" ::: "memory");
        irq_handle(cpu);
    }
}

/* Account for time, and find a next thread that has budget, idling until there is one. */
static __attribute__((noinline)) void choose(struct cpu *cpu)
{
    for (;;) {
        uint64_t now = timer_now();

        stop_timing(cpu, now);
        settle(cpu, now);
        if (likely(cpu->next != NULL)) {
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
    if (cpu->timing || cpu->next == NULL || needs_timing(cpu, cpu->next)) {
        choose(cpu);
    }

    struct thread *next = cpu->next;
    cpu->current = next;
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
