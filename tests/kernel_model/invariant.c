/* SPDX-License-Identifier: BSD-2-Clause */

#include <string.h>
#include "sdk/kernel/domain.h"
#include "sdk/kernel/sched.h"
#include "spec.h"

#define NAME(index) model_threads[index].name

/* ---- Queues: who is where ---- */

/* Which places of the scheduler a thread has been found in, and senders' queues. */
static uint8_t found[MODEL_THREADS], found_sending[MODEL_THREADS];

static void find(const struct cpu *cpu, const struct thread *thread)
{
    if (thread != NULL) {
        found[index_of(thread)]++;
        demand(thread->cpu == cpu, "%s is in a queue of another core", thread->config->name);
    }
}

/* The links of a queue, both ways. Counts its threads up to `found`. */
static void check_links(const struct queue *queue, uint8_t *counts)
{
    const struct thread *before = NULL;

    for (const struct thread *thread = queue->head; thread != NULL; thread = thread->queue_next) {
        demand(thread->queue_prev == before, "a queue's links are wrong at %s",
               thread->config->name);
        demand(counts[index_of(thread)]++ < 4, "a queue has no end");
        before = thread;
    }
    demand(queue->head == NULL || queue->tail == before, "a queue's tail is wrong");
}

static bool is_light(const struct thread *thread)
{
    return thread->sc == &thread->own && spec.context[index_of(thread)].renewals == LIGHT_RENEWALS;
}

static void check_ready_queues(const struct cpu *cpu)
{
    int top = -1;

    for (unsigned i = 0; i < MODEL_PRIORITIES; i++) {
        bool is_marked = cpu->ready_bits[0] & BIT(i);

        check_links(&cpu->ready[i], found);
        demand(is_marked == (cpu->ready[i].head != NULL), "the bit of priority %u is wrong", i);
        top = is_marked ? (int)i : top;
        for (const struct thread *thread = cpu->ready[i].head; thread != NULL;
             thread = thread->queue_next) {
            demand(thread->priority == i && thread->cpu == cpu, "%s is in the queue of priority %u",
                   thread->config->name, i);
            demand(thread->queue_prev == NULL || !is_light(thread) || is_light(thread->queue_prev),
                   "%s is light, and waits behind %s", thread->config->name,
                   thread->queue_prev->config->name);
        }
    }
    demand(cpu->ready_bits[0] >> MODEL_PRIORITIES == 0, "a queue that nobody can be in is marked");
    demand(cpu->ready_words == (cpu->ready_bits[0] != 0), "the word of priorities is wrong");
    demand(cpu->ready_top == top, "the highest priority is %d, not %d", top, cpu->ready_top);
}

static void check_release_queue(const struct cpu *cpu)
{
    uint64_t before = 0;

    for (const struct thread *thread = cpu->release_queue; thread != NULL;
         thread = thread->queue_next) {
        find(cpu, thread);
        demand(found[index_of(thread)] < 4, "the release queue has no end");
        demand(thread->in_release_queue && thread->sc->replenish_at >= before,
               "the release queue is wrong at %s", thread->config->name);
        before = thread->sc->replenish_at;
    }
}

static void check_inbox(const struct cpu *cpu)
{
    check_links(&cpu->inbox, found);
    for (const struct thread *thread = cpu->inbox.head; thread != NULL;
         thread = thread->queue_next) {
        demand(thread->in_inbox && thread->cpu == cpu, "%s is in a wrong inbox",
               thread->config->name);
    }
    demand(cpu->inbox.head == NULL || machine_cores[cpu->core].sgi ||
               (machine_cores[cpu->core].place == CORE_WAITS &&
                step_waiting[cpu->core].kind == STEP_SGI),
           "an inbox is not empty, and its core does not learn of it");
}

static void check_domain_queues(const struct cpu *cpu)
{
    for (unsigned i = 0; i < SYSTEM_MAX_DOMAINS && model_header.turn_count != 0; i++) {
        const struct queue *queue = &domain_queues()[i];

        check_links(queue, found);
        for (const struct thread *thread = queue->head; thread != NULL;
             thread = thread->queue_next) {
            demand(thread->waits_for_turn && thread->domain == i && i != turn.domain,
                   "%s waits for a turn that is not its own", thread->config->name);
            demand(thread->cpu == cpu, "%s waits on another core", thread->config->name);
        }
    }
}

/* Before all of the ready queues come first `next`, then the cached thread. */
static void check_front(const struct cpu *cpu)
{
    const struct thread *next = cpu->next, *cached = cpu->ready_cache;

    find(cpu, next);
    find(cpu, cached);
    demand(cached == NULL || (next != NULL && cached->priority < next->priority &&
                              cached->priority >= cpu->ready_top),
           "the cached thread is not between the next one and the queues");
    demand(next != NULL || cpu->ready_top < 0, "threads are ready, and none is next");
    demand(next == NULL || next->priority >= cpu->ready_top, "%s is next, and others are above",
           next->config->name);
}

static void check_queues(void)
{
    memset(found, 0, sizeof found);
    memset(found_sending, 0, sizeof found_sending);
    for (unsigned core = 0; core < model_core_count; core++) {
        const struct cpu *cpu = cpu_of_core(core);

        check_front(cpu);
        check_ready_queues(cpu);
        check_release_queue(cpu);
        check_inbox(cpu);
        if (core == 0) {
            check_domain_queues(cpu);
        }
    }
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        check_links(&threads[i].senders, found_sending);
    }
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        const struct thread *thread = &threads[i];

        demand(found[i] == (thread->state == THREAD_READY), "%s is in %u queues in state %u",
               NAME(i), found[i], thread->state);
        demand(found_sending[i] == (thread->state == THREAD_SENDING),
               "%s waits to send in %u queues in state %u", NAME(i), found_sending[i],
               thread->state);
    }
}

/* ---- Threads: as they must be ---- */

/* What is in a thread that is not in use must not look as if it were. */
static void check_flags(unsigned i)
{
    const struct thread *thread = &threads[i];
    bool is_ready = thread->state == THREAD_READY;

    demand(is_ready || (!thread->in_release_queue && !thread->in_inbox && !thread->waits_for_turn),
           "%s is not ready, and is marked to be in a queue", NAME(i));
    demand(thread->in_inbox + thread->in_release_queue + thread->waits_for_turn <= 1,
           "%s is marked to be in two queues", NAME(i));
    demand(!is_ready || thread->sc != NULL, "%s is ready without a context", NAME(i));
    demand(thread->state != THREAD_RECEIVING ||
               (thread->pending == 0 && thread->senders.head == NULL && thread->reply_to == NULL),
           "%s waits, and there is something for it", NAME(i));
}

static void check_senders(unsigned i)
{
    const struct spec_thread *expected = &spec.thread[i];
    const struct thread *sender = threads[i].senders.head;

    for (unsigned at = 0; at < expected->senders; at++) {
        demand(index_of(sender) == expected->sender[at], "%s's sender %u should be %s", NAME(i), at,
               NAME(expected->sender[at]));
        sender = sender->queue_next;
    }
    demand(sender == NULL, "%s has more senders", NAME(i));
}

static void check_result(unsigned i)
{
    const struct spec_thread *expected = &spec.thread[i];
    const struct thread *thread = &threads[i];

    demand(!expected->has_result ||
               (thread->regs.x0 == expected->x0 && thread->regs.x1 == expected->x1),
           "%s has 0x%lx and 0x%lx of its system call, not 0x%lx and 0x%lx", NAME(i),
           thread->regs.x0, thread->regs.x1, expected->x0, expected->x1);
    demand(!expected->has_word || thread->words[0] == expected->word,
           "%s has the message 0x%lx, not 0x%lx", NAME(i), thread->words[0], expected->word);
}

static void check_thread(unsigned i)
{
    const struct spec_thread *expected = &spec.thread[i];
    const struct thread *thread = &threads[i];
    bool sends = thread->state == THREAD_SENDING || thread->state == THREAD_WAITING;

    demand(thread->state == expected->state, "%s is in state %u, not %u", NAME(i), thread->state,
           expected->state);
    demand(thread->state != THREAD_STOPPED || thread->resume == expected->resume,
           "%s resumes by %u, not %u", NAME(i), thread->resume, expected->resume);
    demand(thread->priority == expected->priority, "%s's priority is %u, not %u", NAME(i),
           thread->priority, expected->priority);
    demand(thread->pending == expected->pending, "%s has 0x%lx pending, not 0x%lx", NAME(i),
           thread->pending, expected->pending);
    demand(index_of(thread->reply_to) == expected->serving, "%s serves %d, not %d", NAME(i),
           index_of(thread->reply_to), expected->serving);
    demand(thread->passive == expected->passive, "%s is passive or not", NAME(i));
    demand(!sends || (index_of(thread->server) == expected->server &&
                      thread->is_faulted == (expected->fault != SPEC_CALL)),
           "%s has sent another message", NAME(i));
    demand(thread->state != THREAD_WAITING || thread->server->reply_to == thread,
           "%s waits for %s, which does not serve it", NAME(i), NAME(index_of(thread->server)));
    demand(thread->reply_to == NULL || thread->reply_to->state == THREAD_WAITING,
           "%s serves %s, which does not wait", NAME(i), NAME(index_of(thread->reply_to)));
    demand(owner_of(thread->sc) == expected->context, "%s has the context of %d, not of %d",
           NAME(i), owner_of(thread->sc), expected->context);
    check_flags(i);
    check_senders(i);
    check_result(i);
}

/* No two threads have one context. */
static void check_holders(void)
{
    uint64_t held = 0;

    for (unsigned i = 0; i < model_header.thread_count; i++) {
        int context = owner_of(threads[i].sc);

        demand(context < 0 || !(held & BIT(context)), "two threads have the context of %s",
               NAME(context));
        held |= context >= 0 ? BIT(context) : 0;
    }
}

/* ---- Contexts: how much time they have ---- */

/* What the context will have when its time until now has been charged. */
static uint64_t remaining(unsigned i)
{
    const struct thread *thread = &threads[i];
    const struct cpu *cpu = thread->cpu;
    uint64_t left = spec.context[i].unbound ? thread->bound.remaining : thread->own.remaining;
    uint64_t used = model_now() - cpu->charged_since;

    if (!cpu->accounting || cpu->charged != &thread->own) {
        return left;
    }
    return used < left ? left - used : 0;
}

/* When the kernel says that another period ends, a new one has begun now, and not too early. */
static void check_claim(unsigned i)
{
    const struct thread *thread = &threads[i];
    struct spec_context *expected = &spec.context[i];
    uint64_t claim = expected->unbound ? thread->bound.replenish_at : thread->own.replenish_at;

    if (claim == expected->claim) {
        return;
    }
    demand(model_now() >= expected->claim, "%s's period begins anew before its end", NAME(i));
    demand(claim == model_now() + thread->own.period, "%s's period ends in %ld", NAME(i),
           (long)(claim - model_now()));
    expected->claim = claim;
    expected->used = 0;
}

static void check_context(unsigned i)
{
    const struct sched_context *own = &threads[i].own;
    const struct spec_context *expected = &spec.context[i];
    uint64_t left = remaining(i);

    demand(own->limited ==
               (model_threads[i].budget_us < model_threads[i].period_us || expected->unbound),
           "%s's context is limited or not", NAME(i));
    demand(sched_is_bound(&threads[i]) == !expected->unbound, "%s's context is bound or not",
           NAME(i));
    demand(left <= own->budget, "%s's context has %lu left of %lu", NAME(i), left, own->budget);
    spec_slice((int)i, left, own->renewals);
    demand(!expected->unbound || (own->remaining == 0 && own->replenish_at == UINT64_MAX),
           "%s's context is unbound and has time", NAME(i));
    if (own->budget == own->period) {
        return;
    }
    check_claim(i);
    uint64_t due = expected->used < own->budget ? own->budget - expected->used : 0;
    demand(left == due || (left == own->budget && model_now() >= expected->claim),
           "%s's context has %lu left, not %lu", NAME(i), left, due);
}

/* ---- Who runs ---- */

/* Whether the scheduler has to know that this thread could run on its core. */
static bool may_run(unsigned i)
{
    const struct spec_thread *thread = &spec.thread[i];

    return thread->state == THREAD_READY && !threads[i].in_inbox &&
           spec_has_budget(thread->context) &&
           (model_header.turn_count == 0 || threads[i].domain == model_turns[spec.turn].domain);
}

/* That a thread may run again, or no longer, is known from the timer's interrupt on. */
static void check_choice(unsigned core)
{
    const struct cpu *cpu = cpu_of_core(core);
    int current = index_of(cpu->current);

    demand(cpu->current == cpu->next, "the core has not switched");
    demand(current < 0 || may_run((unsigned)current), "%s runs and must not", NAME(current));
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        if (threads[i].cpu != cpu || !may_run(i)) {
            continue;
        }
        demand(current >= 0, "%s is ready, and the core idles", NAME(i));
        demand(spec.thread[i].priority <= spec.thread[current].priority,
               "%s runs, and %s is above it", NAME(current), NAME(i));
    }
}

/* The timer interrupts in time for all that time decides. */
static void check_timer(unsigned core)
{
    const struct cpu *cpu = cpu_of_core(core);
    uint64_t at = machine_timer(&machine_cores[core]);
    int context = spec.running[core];

    demand(cpu->timer_at == at, "the timer is not set to what the core believes");
    demand(model_header.turn_count == 0 || at <= spec.turn_end, "a turn ends without the timer");
    demand(cpu->release_queue == NULL || spec.context[owner_of(cpu->release_queue->sc)].unbound ||
               at <= cpu->release_queue->sc->replenish_at,
           "a budget is replenished without the timer");
    if (cpu->current != NULL && !spec.context[context].unbound &&
        model_threads[context].budget_us < model_threads[context].period_us) {
        demand(at <= model_now() + remaining((unsigned)context),
               "%s's budget ends without the timer", NAME(context));
    }
}

/* A vCPU's registers are in the core while it runs, and not while another core may want them. */
static void check_vcpu(unsigned core)
{
    const struct cpu *cpu = cpu_of_core(core);
    const struct thread *loaded = cpu->vcpu_loaded;

    demand(!cpu->vcpu_active || loaded != NULL, "EL1 is set up for no vCPU");
    demand(loaded == NULL || loaded->cpu == cpu, "another core's vCPU is loaded");
    demand(cpu->vcpu_ready == NULL || cpu->vcpu_ready == loaded, "another vCPU is ready");
    demand(loaded == NULL || loaded->parent->cpu == cpu || loaded->state == THREAD_READY,
           "%s is stopped by another core, and loaded", loaded->config->name);
    if (machine_cores[core].place == CORE_RUNS) {
        demand(cpu->vcpu_active == cpu->current->is_vcpu, "EL1 is another thread's");
        demand(!cpu->vcpu_active || loaded == cpu->current, "%s runs with another's registers",
               cpu->current->config->name);
        demand(machine_cores[core].vttbr_el2 == cpu->current->vttbr, "%s runs in another's memory",
               cpu->current->config->name);
    }
}

static void check_core(unsigned core)
{
    const struct cpu *cpu = cpu_of_core(core);

    demand((machine_cores[core].place == CORE_IDLES) <= (cpu->current == NULL),
           "an idle core has a thread");
    check_vcpu(core);
    if (machine_cores[core].place == CORE_WAITS) {
        return;
    }
    if (machine_cores[core].place == CORE_IDLES && cpu->next != NULL) {
        demand(machine_cores[core].sgi, "a thread is next on an idle core that sleeps on");
        return;
    }
    check_timer(core);
    if (!machine_timer_due(&machine_cores[core])) {
        check_choice(core);
    }
}

/*
 * Who runs, or does not wait to run, has not waited. Nor has one whose slice has ended just as it
 * was answered, behind an equal: it will be behind its equals once more.
 */
static void reset_waits(void)
{
    spec_share();
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        const struct spec_thread *thread = &spec.thread[i];

        if (thread->state != THREAD_READY || threads[i].in_inbox ||
            threads[i].cpu->current == &threads[i] || !spec_has_budget(thread->context) ||
            (thread->context == (int)i && threads[i].own.remaining == 0)) {
            memset(spec.waited[i], 0, sizeof spec.waited[i]);
        }
    }
}

void invariant_check(void)
{
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        check_thread(i);
        check_context(i);
    }
    check_holders();
    check_queues();
    for (unsigned core = 0; core < model_core_count; core++) {
        check_core(core);
    }
    demand(model_header.turn_count == 0 || (turn.index == spec.turn && turn.end == spec.turn_end &&
                                            turn.domain == model_turns[spec.turn].domain),
           "another turn is under way");
    reset_waits();
}
