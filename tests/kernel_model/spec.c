/* SPDX-License-Identifier: BSD-2-Clause */

#include "spec.h"

#include <sel4/faults.h>
#include <string.h>

struct spec spec;

void spec_init(void)
{
    memset(&spec, 0, sizeof spec);
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        struct spec_thread *thread = &spec.thread[i];

        thread->state = model_threads[i].kind == SYSTEM_THREAD_VCPU ? THREAD_STOPPED : THREAD_READY;
        thread->priority = model_threads[i].priority;
        thread->serving = thread->server = -1;
        thread->context = (int16_t)i;
    }
    for (unsigned i = 0; i < MACHINE_CORES; i++) {
        spec.running[i] = -1;
    }
    if (model_header.turn_count != 0) {
        spec.turn_end = model_now() + model_turns[0].duration;
    }
}

void spec_result(int self, uint64_t x0, uint64_t x1)
{
    spec.thread[self].has_result = true;
    spec.thread[self].x0 = x0;
    spec.thread[self].x1 = x1;
    spec.thread[self].has_word = false;
}

/* ---- Contexts that are lent ---- */

/* A server that has been called has its caller's context, if it has none of its own. */
static void lend(int caller, int server)
{
    if (spec.thread[server].passive) {
        for (unsigned i = 0; i < MODEL_THREADS; i++) {
            spec.waited[i][MODEL_THREADS + server] = 0;
        }
        spec.thread[server].context = spec.thread[caller].context;
        spec.thread[caller].context = -1;
    }
}

/*
 * The caller has back what it has lent, from the last of those who serve its call. Those between
 * have lent it on. They have their own again: their calls go on without this caller.
 */
static void take_back(int caller)
{
    struct spec_thread *thread = &spec.thread[caller];
    int holder = thread->server;

    if (thread->context >= 0) {
        return;
    }
    for (; spec.thread[holder].context < 0; holder = spec.thread[holder].server) {
        spec.thread[holder].context = (int16_t)holder;
    }
    thread->context = spec.thread[holder].context;
    spec.thread[holder].context = (int16_t)holder;
}

static void need_context(int thread)
{
    if (spec.thread[thread].context < 0) {
        spec.thread[thread].context = (int16_t)thread;
    }
}

/* ---- Messages ---- */

static void deliver(int sender, int server)
{
    const struct spec_thread *from = &spec.thread[sender];

    spec.thread[sender].state = THREAD_WAITING;
    spec.thread[server].serving = (int16_t)sender;
    if (from->fault == SPEC_CALL) {
        lend(sender, server);
    } else {
        need_context(server);
    }
    spec_result(server, from->badge, from->info);
    spec.thread[server].has_word = from->fault != SPEC_UNKNOWN_SYSCALL;
    spec.thread[server].word =
        from->fault == SPEC_CALL ? SPEC_CALL_WORD(sender) : SPEC_FAULT_WORD(sender);
}

/* Behind those of the same priority. */
static void queue(int sender, int server)
{
    struct spec_thread *to = &spec.thread[server];
    unsigned at = to->senders++;

    while (at > 0 && spec.thread[to->sender[at - 1]].priority < spec.thread[sender].priority) {
        to->sender[at] = to->sender[at - 1];
        at--;
    }
    to->sender[at] = (int16_t)sender;
}

static void unqueue(int sender, int server)
{
    struct spec_thread *to = &spec.thread[server];
    unsigned at = 0;

    while (to->sender[at] != sender) {
        at++;
    }
    to->senders--;
    for (; at < to->senders; at++) {
        to->sender[at] = to->sender[at + 1];
    }
}

static void send(int self, int server)
{
    spec.thread[self].server = (int16_t)server;
    spec.thread[self].has_result = spec.thread[self].has_word = false;
    if (spec.thread[server].state == THREAD_RECEIVING) {
        spec.thread[server].state = THREAD_READY;
        deliver(self, server);
    } else {
        spec.thread[self].state = THREAD_SENDING;
        queue(self, server);
    }
}

void spec_call(int self, int server)
{
    spec.thread[self].fault = SPEC_CALL;
    spec.thread[self].badge = 1ul << 63 | (unsigned)self;
    spec.thread[self].info = 1;
    send(self, server);
}

void spec_fault(int self, enum spec_fault fault)
{
    struct spec_thread *thread = &spec.thread[self];

    thread->has_result = thread->has_word = false;
    if (model_threads[self].parent == SYSTEM_NONE) {
        thread->state = THREAD_STOPPED;
        thread->resume = RESUME_RUN;
        return;
    }
    thread->fault = (uint8_t)fault;
    thread->badge = 1ul << 62 | (unsigned)self;
    thread->info = fault == SPEC_VM_FAULT
                       ? SPEC_REPLY_LABEL(seL4_Fault_VMFault) | 4
                       : SPEC_REPLY_LABEL(seL4_Fault_UnknownSyscall) | seL4_UnknownSyscall_Length;
    send(self, model_threads[self].parent);
}

/* The message of a SENDING or WAITING thread is no more. */
static void withdraw(int thread)
{
    int server = spec.thread[thread].server;

    if (spec.thread[thread].state == THREAD_SENDING) {
        unqueue(thread, server);
        return;
    }
    take_back(thread);
    spec.thread[server].serving = -1;
}

void spec_reply(int self, unsigned label)
{
    int sender = spec.thread[self].serving;

    if (sender < 0) {
        return;
    }
    spec.thread[self].serving = -1;
    spec.thread[sender].state = THREAD_READY;
    if (spec.thread[sender].fault == SPEC_CALL) {
        take_back(sender);
        spec_result(sender, 0, SPEC_REPLY_LABEL(label) | 1);
        spec.thread[sender].has_word = true;
        spec.thread[sender].word = SPEC_ANSWER_WORD(self);
    } else if (spec.thread[sender].fault == SPEC_UNKNOWN_SYSCALL && label != 0) {
        spec.thread[sender].state = THREAD_STOPPED;
        spec.thread[sender].resume = RESUME_RUN;
    }
}

/* Notifications come first. Returns false if there is nothing. */
static bool take(int self)
{
    struct spec_thread *thread = &spec.thread[self];

    if (thread->pending != 0) {
        spec_result(self, thread->pending, 0);
        thread->pending = 0;
        need_context(self);
        return true;
    }
    if (thread->senders != 0) {
        int sender = thread->sender[0];

        unqueue(sender, self);
        deliver(sender, self);
        return true;
    }
    return false;
}

static void wait(int self)
{
    spec.thread[self].state = THREAD_RECEIVING;
    spec.thread[self].has_result = spec.thread[self].has_word = false;
    if (spec.thread[self].passive) {
        spec.thread[self].context = -1;
    }
}

void spec_receive(int self, bool waits)
{
    int sender = spec.thread[self].serving;

    if (sender >= 0) { /* it is not answered */
        take_back(sender);
        spec.thread[self].serving = -1;
        spec.thread[sender].state = THREAD_STOPPED;
        spec.thread[sender].resume =
            spec.thread[sender].fault == SPEC_CALL ? RESUME_CALL : RESUME_RUN;
    }
    if (take(self)) {
        return;
    }
    if (waits) {
        wait(self);
    } else {
        spec_result(self, 0, 0);
    }
}

void spec_passive(int self)
{
    spec.thread[self].passive = true;
}

void spec_raise(int thread, unsigned channel)
{
    spec.thread[thread].pending |= 1ul << channel;
    if (spec.thread[thread].state == THREAD_RECEIVING) {
        spec.thread[thread].state = THREAD_READY;
        take(thread);
    }
}

/* ---- What parents do ---- */

void spec_moved(int self)
{
    int context = spec.thread[self].context;

    memset(spec.waited[self], 0, sizeof spec.waited[self]);
    for (unsigned i = 0; context >= 0 && i < model_header.thread_count; i++) {
        spec.waited[i][context] = 0;
    }
}

void spec_suspend(int self)
{
    struct spec_thread *thread = &spec.thread[self];

    switch (thread->state) {
    case THREAD_READY:
        thread->resume = RESUME_RUN;
        break;
    case THREAD_RECEIVING:
        thread->resume = RESUME_RECEIVE;
        break;
    case THREAD_SENDING:
    case THREAD_WAITING:
        withdraw(self);
        thread->resume = thread->fault == SPEC_CALL ? RESUME_CALL : RESUME_RUN;
        break;
    default:
        break;
    }
    thread->state = THREAD_STOPPED;
    spec_moved(self);
}

void spec_restart(int self)
{
    struct spec_thread *thread = &spec.thread[self];

    if (thread->state == THREAD_SENDING || thread->state == THREAD_WAITING) {
        withdraw(self);
    }
    if (thread->state != THREAD_READY) {
        need_context(self);
        thread->has_result = thread->has_word = false;
    }
    thread->state = THREAD_READY;
    spec_moved(self);
}

void spec_resume(int self)
{
    struct spec_thread *thread = &spec.thread[self];

    if (thread->state == THREAD_READY || thread->state == THREAD_RECEIVING) {
        return;
    }
    spec_suspend(self);
    switch (thread->resume) {
    case RESUME_RUN:
        need_context(self);
        thread->state = THREAD_READY;
        break;
    case RESUME_RECEIVE:
        if (take(self)) {
            thread->state = THREAD_READY;
        } else {
            wait(self);
        }
        break;
    default:
        send(self, thread->server);
        break;
    }
}

static uint64_t budget_of(int context)
{
    return model_threads[context].budget_us;
}

static bool share_level(int context, int other)
{
    return context != other && spec.thread[context].priority == spec.thread[other].priority &&
           model_threads[context].core == model_threads[other].core;
}

/* The equals of a context's owner have seen it used for so long, and used up or not. */
static void tell_equals(int context, uint64_t ticks, bool ends)
{
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        if (share_level((int)i, context)) {
            spec.context[i].others += ticks;
            spec.context[i].other_ended |= ends;
        }
    }
}

/* A time slice begins, or goes on among others. */
static void begin_slice(struct spec_context *entry)
{
    entry->others = 0;
    entry->other_ended = false;
    entry->renewals = 0;
}

void spec_set_priority(int self, unsigned priority)
{
    struct spec_thread *thread = &spec.thread[self];

    spec_moved(self);
    thread->priority = (uint8_t)priority;
    begin_slice(&spec.context[self]);
    /* What it has used so far may be charged to its equals' account when it is stopped. */
    tell_equals(self, budget_of(self), true);
    if (thread->state == THREAD_SENDING) {
        unqueue(self, thread->server);
        queue(self, thread->server);
    }
}

void spec_bind(int thread, bool bind)
{
    spec.context[thread].unbound = !bind;
}

/* ---- Time ---- */

static bool is_limited(int context)
{
    return model_threads[context].budget_us < model_threads[context].period_us;
}

/*
 * A server among equals shares the core with them by its caller's slices. So it may renew a slice,
 * and its caller goes on with that.
 */
static void renew_slice(int self)
{
    int context = spec.thread[self].context;

    for (unsigned i = 0; context != self && i < model_header.thread_count; i++) {
        spec.waited[i][context] = 0;
    }
}

void spec_yield(int self)
{
    int context = spec.thread[self].context;

    if (is_limited(context)) {
        spec.context[context].used = budget_of(context);
    }
    renew_slice(self);
    spec.context[context].given_up = true;
    for (unsigned i = 0; i < MODEL_THREADS; i++) {
        spec.waited[i][MODEL_THREADS + self] = 0;
    }
}

bool spec_has_budget(int context)
{
    const struct spec_context *entry = &spec.context[context];

    return !entry->unbound && (!is_limited(context) || entry->used < budget_of(context) ||
                               model_now() >= entry->claim);
}

void spec_turn(void)
{
    if (model_header.turn_count != 0 && model_now() >= spec.turn_end) {
        spec.turn = (uint8_t)((spec.turn + 1u) % model_header.turn_count);
        spec.turn_end = model_now() + model_turns[spec.turn].duration;
    }
}

/* ---- Time slices that are renewed ---- */

static void renew(int context)
{
    struct spec_context *entry = &spec.context[context];
    uint64_t used = budget_of(context) - entry->left;
    uint8_t renewals;

    demand(entry->other_ended && entry->others >= RENEWAL_PART * used,
           "%s's slice is renewed after %lu ticks of others, and %lu of its own",
           model_threads[context].name, entry->others, used);
    renewals = (uint8_t)(entry->renewals + (entry->renewals < LIGHT_RENEWALS));
    begin_slice(entry);
    entry->renewals = renewals;
    for (unsigned i = 0; i < MODEL_THREADS; i++) {
        spec.waited[i][context] = 0;
    }
}

void spec_slice(int context, uint64_t left, unsigned renewals)
{
    struct spec_context *entry = &spec.context[context];

    if (left == 0 && entry->left != 0) {
        tell_equals(context, 0, true);
        begin_slice(entry);
    }
    if (entry->given_up) {
        begin_slice(entry);
    } else if (left > entry->left && entry->left != 0 && !is_limited(context)) {
        renew(context);
    }
    entry->given_up = false;
    entry->left = left;
    /* That nothing is left the kernel may not know before the timer interrupts. */
    demand(left == 0 || renewals <= entry->renewals, "%s's slice has been renewed %u times, not %u",
           model_threads[context].name, renewals, entry->renewals);
}

/* `waiting` could run as well as `current`, which runs. */
static bool is_equal(int waiting, int current)
{
    const struct spec_thread *thread = &spec.thread[waiting];

    return waiting != current && thread->state == THREAD_READY &&
           thread->priority == spec.thread[current].priority &&
           model_threads[waiting].core == model_threads[current].core &&
           model_threads[waiting].domain == model_threads[current].domain &&
           !threads[waiting].in_inbox && spec_has_budget(thread->context);
}

/*
 * The ready equals of `current` wait. No slice of its context is longer than the budget. Where a
 * core may wait for the lock, a thread can be moved to other equals before it is known that its
 * slice has ended. It is behind these twice then.
 */
static void wait_for(int current, int context, uint64_t ticks)
{
    bool is_lent = context != current;

    for (unsigned i = 0; !is_limited(context) && i < model_header.thread_count; i++) {
        uint16_t *waited = &spec.waited[i][is_lent ? MODEL_THREADS + current : context];

        if (!is_equal((int)i, current)) {
            continue;
        }
        *waited = (uint16_t)(*waited + ticks);
        demand(*waited <= budget_of(context) * CONFIG_MAX_NUM_NODES,
               "%s waits for its equal %s longer than a time slice", model_threads[i].name,
               model_threads[current].name);
    }
}

void spec_pass(uint64_t ticks)
{
    for (unsigned core = 0; core < model_core_count; core++) {
        int current = index_of(cpu_of_core(core)->current);
        int context = spec.running[core];

        if (current < 0) {
            continue;
        }
        spec.context[context].used += ticks;
        tell_equals(context, ticks, false);
        spec.context[context].consumed += ticks;
        demand(!is_limited(context) || spec.context[context].used <= budget_of(context),
               "%s's context has been used for %lu in a period of which it has %lu",
               model_threads[context].name, spec.context[context].used, budget_of(context));
        wait_for(current, context, ticks);
    }
}

void spec_yielded(int self, unsigned core)
{
    if (IS_SMP || index_of(cpu_of_core(core)->current) != self ||
        machine_timer_due(&machine_cores[core])) {
        return; /* on several cores the others' slices may have ended as well: see wait_for */
    }
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        demand(!is_equal((int)i, self), "%s has yielded, and goes on before %s",
               model_threads[self].name, model_threads[i].name);
    }
}

void spec_share(void)
{
    for (unsigned i = 0; i < model_header.thread_count * model_header.thread_count; i++) {
        int waiting = (int)(i % model_header.thread_count);
        int server = (int)(i / model_header.thread_count);

        if (spec.thread[server].state == THREAD_READY && spec.thread[server].context != server &&
            is_equal(waiting, server)) {
            renew_slice(server);
        }
    }
}
