/* SPDX-License-Identifier: BSD-2-Clause */

#include "ipc.h"

#include "fault.h"
#include "notification.h"

static inline void copy_words(struct thread *to, const struct thread *from, uint64_t info)
{
    for (uint64_t i = 0; i < (info & INFO_LENGTH); i++) {
        to->words[i] = from->words[i];
    }
}

/* ---- Donation of scheduling contexts to passive PDs ---- */

/* A passive server has its caller's context while it serves the call. */
static inline void donate_context(struct thread *caller, struct thread *server)
{
    if (unlikely(server->passive)) {
        server->sc = caller->sc;
        caller->sc = NULL;
    }
}

/* The caller has its context back, from whichever server it has been donated on to. */
static void return_context(struct thread *caller)
{
    struct thread *holder = caller->server;

    if (likely(caller->sc != NULL)) {
        return;
    }
    while (holder->sc == NULL) { /* its own call goes on without this caller */
        holder->sc = &holder->own;
        holder = holder->server;
    }
    bool was_ready = holder->state == THREAD_READY && holder != holder->cpu->current;
    if (was_ready) {
        sched_remove(holder->cpu, holder);
    }
    caller->sc = holder->sc;
    holder->sc = &holder->own;
    if (was_ready) {
        sched_ready(holder->cpu, holder);
    }
}

/* ---- Sending ---- */

/* Deliver `sender`'s message to `server`. Returns what the server's receive returns. */
static inline struct result deliver(struct thread *server, struct thread *sender)
{
    struct message *message = &sender->message;

    sender->state = THREAD_WAITING;
    server->reply_to = sender;
    if (sender->is_faulted) {
        fault_write(sender, server->words);
    } else {
        copy_words(server, sender, message->info);
        donate_context(sender, server);
    }
    return (struct result){message->badge, message->info};
}

void ipc_send(struct cpu *cpu, struct thread *sender, struct thread *server)
{
    sender->server = server;
    if (likely(server->state == THREAD_RECEIVING)) {
        struct result result = deliver(server, sender);

        server->regs.x0 = result.x0;
        server->regs.x1 = result.x1;
        if (unlikely(server->sc == NULL)) {
            server->sc = &server->own; /* a passive PD, and a fault */
        }
        sched_block_and_wake(cpu, sender, server);
        return;
    }
    if (sender->is_vcpu && smp_is_remote(cpu, server)) {
        vcpu_unload(cpu);
    }
    sched_remove(cpu, sender);
    sender->state = THREAD_SENDING;
    queue_insert_by_priority(&server->senders, sender);
}

void ipc_cancel(struct thread *thread)
{
    struct thread *server = thread->server;

    if (thread->state == THREAD_SENDING) {
        queue_remove(&server->senders, thread);
        return;
    }
    const struct thread *current = thread->cpu->current;
    const struct sched_context *before = current != NULL ? current->sc : NULL;

    return_context(thread);
    server->reply_to = NULL;
    if (current != NULL && current->sc != before) {
        sched_context_changed(thread->cpu); /* it has stopped its own caller, and goes on */
    }
}

/* ---- Answering ---- */

struct thread *ipc_reply(struct thread *server, uint64_t info)
{
    struct thread *sender = server->reply_to;

    if (unlikely(sender == NULL)) {
        return NULL;
    }
    server->reply_to = NULL;
    info = ipc_sanitize_info(info);
    if (sender->is_faulted) {
        if (!fault_reply(sender, server->words, info)) {
            sender->state = THREAD_STOPPED;
            sender->resume = RESUME_RUN;
            return NULL;
        }
        return sender;
    }
    copy_words(sender, server, info);
    sender->regs.x0 = 0;
    sender->regs.x1 = info;
    return_context(sender);
    return sender;
}

/* ---- Receiving ---- */

/* The message that is being served will not be answered: its sender is stopped. */
static void abandon(struct thread *server)
{
    struct thread *sender = server->reply_to;

    server->reply_to = NULL;
    return_context(sender);
    sender->state = THREAD_STOPPED;
    sender->resume = sender->is_faulted ? RESUME_RUN : RESUME_CALL;
}

/* Receive what is pending. Returns false if there is nothing; otherwise *result is it. */
static inline bool take(struct thread *thread, struct result *result)
{
    if (thread->pending != 0) {
        *result = (struct result){thread->pending, 0};
        thread->pending = 0;
        return true;
    }
    if (thread->senders.head != NULL) {
        struct thread *sender = thread->senders.head;

        queue_remove(&thread->senders, sender);
        *result = deliver(thread, sender);
        return true;
    }
    return false;
}

struct result ipc_receive_slowpath(struct cpu *cpu, struct thread *thread, bool wait,
                                   struct thread *ready)
{
    struct result result = {0, 0};

    if (thread->reply_to != NULL) {
        abandon(thread);
    }
    if (!take(thread, &result) && wait) {
        if (ready != NULL) {
            sched_block_and_wake(cpu, thread, ready);
        } else {
            sched_remove(cpu, thread);
        }
        thread->state = THREAD_RECEIVING;
        if (thread->passive) {
            thread->sc = NULL;
        }
        return result;
    }
    if (thread->passive) {
        if (thread->sc == NULL) {
            thread->sc = &thread->own;
        }
        sched_context_changed(cpu);
    }
    if (ready != NULL) {
        sched_wake(cpu, ready);
    }
    return result;
}

void ipc_restart_receive(struct thread *thread)
{
    struct result result;

    if (!take(thread, &result)) {
        thread->state = THREAD_RECEIVING;
        return;
    }
    thread->regs.x0 = result.x0;
    thread->regs.x1 = result.x1;
    thread_restart(thread);
}

void ipc_restart_call(struct thread *thread)
{
    /* ipc_send expects a sender that is ready. */
    sched_ready(thread->cpu, thread);
    ipc_send(thread->cpu, thread, thread->server);
}
