/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What system calls, faults and interrupts mean for threads, their messages and notifications, and
 * for the time that contexts have left. It has no queues but the order of senders, no current
 * thread, no caches and no timers: who runs is for the scheduler to choose among those who may.
 */

#include "model.h"

enum spec_fault { SPEC_CALL, SPEC_VM_FAULT, SPEC_UNKNOWN_SYSCALL };

struct spec_thread {
    uint8_t state;  /* enum thread_state */
    uint8_t resume; /* if STOPPED */
    uint8_t priority;
    uint8_t fault; /* what its message is */
    bool passive;
    int16_t serving; /* whose message it has, or -1 */
    int16_t server;  /* SENDING, WAITING: to whom */
    int16_t context; /* whose context it has, or -1 */
    uint8_t senders;
    int16_t sender[MODEL_THREADS]; /* in the order in which they are served */
    bool has_result;               /* x0, x1 are what its system call has to return */
    bool has_word;                 /* `word` must be in its first message register */
    uint64_t x0, x1, word;
    uint64_t pending;
    uint64_t badge, info; /* of its message */
};

struct spec_context {
    bool unbound;
    uint64_t claim;    /* when the kernel says that its period ends */
    uint64_t used;     /* since that began */
    uint64_t consumed; /* since somebody has asked */

    /* For its time slice, if it is not limited. */
    uint64_t left;    /* after the step before */
    uint64_t others;  /* ticks that its owner's equals have run since it began */
    bool other_ended; /* one of them has used up a slice or a budget since then */
    bool given_up;    /* in this step */
    uint8_t renewals; /* since it was used up or given up */
};

struct spec {
    struct spec_thread thread[MODEL_THREADS];
    struct spec_context context[MODEL_THREADS];
    int16_t running[MACHINE_CORES]; /* whose context time is spent of */
    /* How long a ready thread has waited for an equal on its own context; from MODEL_THREADS on, on
     * one that has been lent to it. */
    uint16_t waited[MODEL_THREADS][2 * MODEL_THREADS];
    uint8_t timers[MACHINE_CORES]; /* interrupts of the timer, with nothing else since */
    uint8_t turn;
    uint64_t turn_end;
};

extern struct spec spec;

void spec_init(void);

/* Thread `self` makes a system call. */
void spec_call(int self, int server);
void spec_receive(int self, bool wait);
void spec_reply(int self, unsigned label);
void spec_passive(int self);
void spec_yield(int self);

/* Thread `self` faults. */
void spec_fault(int self, enum spec_fault fault);

/* A channel of this thread is raised. */
void spec_raise(int thread, unsigned channel);

/* What somebody does to thread `self`. */
void spec_suspend(int self);
void spec_resume(int self);
void spec_restart(int self);
void spec_set_priority(int self, unsigned priority);
void spec_bind(int thread, bool bind);

/* Somebody has put thread `self` into another place among its equals. */
void spec_moved(int self);

/* A system call of `self` has to return this. */
void spec_result(int self, uint64_t x0, uint64_t x1);

/* The domains' next turn begins if this one has ended. */
void spec_turn(void);

/* Servers that have equals now may renew their callers' slices. */
void spec_share(void);

/* `self` has just yielded on this core: none of its equals may still wait. */
void spec_yielded(int self, unsigned core);

/* So much time is going to pass, for those who run. */
void spec_pass(uint64_t ticks);

/* After a step: so much is left of a context, and it has been renewed so often, says the kernel. */
void spec_slice(int context, uint64_t left, unsigned renewals);

/* Whether the context may be used now, by the time that it was used before. */
bool spec_has_budget(int context);

/* The words that calls, answers and faults carry. */
#define SPEC_CALL_WORD(thread)   (0x100ul + (unsigned)(thread))
#define SPEC_ANSWER_WORD(thread) (0x200ul + (unsigned)(thread))
#define SPEC_FAULT_WORD(thread)  (0x300ul + (unsigned)(thread))
#define SPEC_REPLY_LABEL(label)  ((uint64_t)(label) << 12)
