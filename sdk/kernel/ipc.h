/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Messages to a PD: protected calls, and faults of its children. A PD serves one message at a time.
 * It receives pending notifications first, then messages by their senders' priority. The words of a
 * call are in the IPC buffers of both ends.
 */

#include <stdbool.h>
#include "cpu.h"
#include "sched.h"

#define INFO_LENGTH 0x7ful
#define INFO_LABEL  (~0ul << 12)

/* A message info with no capabilities, and no more words than there are message registers. */
static inline uint64_t ipc_sanitize_info(uint64_t info)
{
    uint64_t length = info & INFO_LENGTH;

    return (info & INFO_LABEL) | (length < seL4_MsgMaxLength ? length : seL4_MsgMaxLength);
}

/* What a system call leaves in x0 and x1. */
struct result {
    uint64_t x0;
    uint64_t x1;
};

/* The current thread, or one that has faulted, sends its `message` and blocks. */
void ipc_send(struct cpu *cpu, struct thread *sender, struct thread *server);

/*
 * Answer the message that the current thread serves: a call with the words of `info`, a fault as
 * its kind provides. Returns the sender if the caller has to make it ready, or NULL.
 */
struct thread *ipc_reply(struct thread *server, uint64_t info);

/* The slow path of ipc_receive: there is a message, the thread is passive, or it does not wait. */
struct result ipc_receive_slowpath(struct cpu *cpu, struct thread *thread, bool wait,
                                   struct thread *ready);

/*
 * The current thread receives. It gives up a message that it is still serving. If there is nothing
 * to receive it blocks, unless `wait` is false. `ready`, unless NULL, is made ready with that.
 */
static inline struct result ipc_receive(struct cpu *cpu, struct thread *thread, bool wait,
                                        struct thread *ready)
{
    if (unlikely(thread->reply_to != NULL || thread->pending != 0 || thread->senders.head != NULL ||
                 thread->passive || !wait)) {
        return ipc_receive_slowpath(cpu, thread, wait, ready);
    }
    thread->state = THREAD_RECEIVING;
    if (ready != NULL) {
        sched_block_and_wake(cpu, thread, ready);
    } else {
        sched_remove(cpu, thread);
    }
    return (struct result){0, 0};
}

/* Withdraw the message of a SENDING or WAITING thread. The caller sets its new state. */
void ipc_cancel(struct thread *thread);

/* A stopped thread restarts the receive or the call that it was stopped in. */
void ipc_restart_receive(struct thread *thread);
void ipc_restart_call(struct thread *thread);
