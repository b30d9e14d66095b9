/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A thread: a PD's, or a vCPU. There are as many as the boot image names, from boot on. */

#include <sel4/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "benchmark.h"
#include "fpu.h"
#include "system.h"
#include "vcpu.h"

struct cpu;
struct thread;

enum thread_state {
    THREAD_STOPPED,   /* until it is resumed */
    THREAD_READY,     /* runs, is in a ready queue, or waits for its budget or turn */
    THREAD_RECEIVING, /* waits for a notification, call or fault */
    THREAD_SENDING,   /* its call or fault is in a server's queue */
    THREAD_WAITING,   /* its call or fault is being served */
};

/* What a stopped thread does when it is resumed. */
enum thread_resume { RESUME_RUN, RESUME_RECEIVE, RESUME_CALL };

/*
 * A scheduling context: `budget` counter ticks in every `period`. If they are equal, the budget is
 * a time slice for round robin among threads of one priority. Otherwise a period begins when a full
 * budget is first used. A thread that has used it up waits for the replenishment at its end.
 */
struct sched_context {
    uint64_t budget;
    uint64_t period;
    uint64_t remaining;
    uint64_t replenish_at; /* end of the period, on the counter */
    bool limited;          /* budget < period */
    bool accounted;        /* its time is always charged: it is limited, or a PD asks for it */
    uint64_t consumed;     /* ticks charged, since a PD has asked for it; if `accounted` */

    /* If it is not limited: see "Light threads" in sched.c. */
    uint8_t renewals;    /* of its time slice, since one was used up; LIGHT_RENEWALS at most */
    uint64_t level_used; /* of its thread's priority (struct level), when its slice began */
    uint64_t level_ends;
};

/* A message to a server: a call's or a fault's. */
struct message {
    uint64_t badge;
    uint64_t info;     /* seL4_MessageInfo_t */
    uint64_t fault[4]; /* the words of most faults; an unknown system call's are registers */
};

struct queue {
    struct thread *head;
    struct thread *tail;
};

struct thread {
    seL4_UserContext regs; /* first: the vectors know */

    struct cpu *cpu;
    uint64_t vttbr;   /* VTTBR_EL2: stage-2 root and VMID */
    uint64_t cntkctl; /* CNTKCTL_EL1 of a PD: the physical timer is its owner's alone */
    uint8_t state;
    uint8_t priority;
    uint8_t max_priority; /* that it may give: seL4's MCP */
    bool is_vcpu;
    bool passive;    /* runs on its own context only for notifications and faults */
    bool is_faulted; /* `message` is a fault's, not a call's */
    uint8_t resume;  /* enum thread_resume; if STOPPED */
    bool in_release_queue;
    bool in_inbox;            /* of its core; READY */
    bool waits_for_turn;      /* in its domain's queue; READY (domain.h) */
    uint8_t domain;           /* in whose turns it runs */
    struct sched_context *sc; /* NULL: a passive PD that waits, or a thread that has donated it */

    uint64_t pending;          /* channels notified and not yet received */
    seL4_Word *words;          /* its message registers, in the kernel window */
    struct queue senders;      /* whose messages wait for this thread, by priority */
    struct thread *reply_to;   /* whose message it is serving */
    struct thread *server;     /* SENDING, WAITING: where it has sent `message` */
    struct thread *queue_next; /* in the one queue that it is in */
    struct thread *queue_prev;
    struct thread *parent;
    uint64_t fault_badge; /* what its parent receives with its faults */
    struct message message;

    const struct system_thread *config;
    struct sched_context own;
    struct {
        uint64_t remaining;
        uint64_t replenish_at;
    } bound; /* what `own` had before it was unbound (sched_bind) */
#ifdef CONFIG_BENCHMARK_TRACK_UTILISATION
    struct benchmark benchmark;
#endif
    struct vcpu vcpu; /* only if is_vcpu */
    struct fpu fpu;
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct thread, regs) == 0, "vectors.S");

extern struct thread threads[SYSTEM_MAX_THREADS];
extern uint32_t thread_count;

/* Make all threads from the table of a checked boot image. vCPUs are stopped, PDs are ready. */
void thread_init_all(const struct system_header *system);

/* Stop a thread in any state. thread_resume goes on with what it was doing. */
void thread_suspend(struct thread *thread);

/* Make a thread go on: one that is stopped or faulted runs, a blocked call begins anew. */
void thread_resume(struct thread *thread);

/* Make a thread run from its registers' pc, whatever it was doing. */
void thread_restart(struct thread *thread);

/* `spsr`, reduced to what this thread may have: PSTATE bits of its own, and its own modes. */
uint64_t thread_sanitize_spsr(const struct thread *thread, uint64_t spsr);

/* Insert or remove. A thread is in one queue at most. Behind NULL is at the head. */
void queue_push_tail(struct queue *queue, struct thread *thread);
void queue_insert_behind(struct queue *queue, struct thread *before, struct thread *thread);
void queue_insert_by_priority(struct queue *queue, struct thread *thread);
void queue_remove(struct queue *queue, struct thread *thread);
