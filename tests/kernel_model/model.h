/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The kernel's scheduler and IPC, on the host, on a machine that is made up. A step is one entry
 * into the kernel, or time that passes. After each step the kernel's structures are compared with
 * each other and with a second account of what must be (spec.h).
 *
 *   system.c      who there is: a few threads, their channels, budgets and children
 *   step.c        which steps can come next, and to do one
 *   spec.c        what each step means, without queues, caches and timers
 *   invariant.c   what holds after each step
 *   state.c       a state as bytes, to go back to and to recognise
 *   main.c        at random; all sequences up to a length
 */

#include "sdk/kernel/cpu.h"
#include "slices.h"

#define MODEL_THREADS    6
#define MODEL_PRIORITIES 8
#define MODEL_IRQS       2
#define MODEL_IRQ_ID     50u /* the channel of the first interrupt */

/* ---- The system ---- */

struct model_system {
    const char *name;
    const char *about;
    void (*build)(void);
    unsigned cores; /* of the kernel that it is for */
    unsigned
        waiting; /* PDs of this priority and above wait from the beginning; passive ones are so */
};

extern const struct model_system model_systems[];
extern const unsigned model_system_count;

struct model_irq {
    int owner;
    unsigned core;
};

/* Of the system that has been built. */
extern struct system_thread model_threads[MODEL_THREADS];
extern struct system_turn model_turns[3];
extern struct system_header model_header;
extern seL4_IPCBuffer model_buffers[MODEL_THREADS];
extern struct model_irq model_irqs[MODEL_IRQS];
extern unsigned model_irq_count, model_core_count;
extern uint8_t model_priorities[2]; /* that parents give their children */

/* Build the system, and boot the kernel with it. */
void model_boot(const struct model_system *system);

/* ---- Violations ---- */

/* Something is not as it must be: say what, and how it came about. */
_Noreturn void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define demand(condition, ...)                                                                     \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            violation(__VA_ARGS__);                                                                \
        }                                                                                          \
    } while (0)

/* ---- Shorthands ---- */

static inline uint64_t model_now(void)
{
    return machine_cores[0].cntpct_el0;
}

static inline int index_of(const struct thread *thread)
{
    return thread != NULL ? (int)(thread - threads) : -1;
}

/* Whose own context this is. */
static inline int owner_of(const struct sched_context *sc)
{
    return sc != NULL ? (int)((const char *)sc - (const char *)threads) / (int)sizeof(struct thread)
                      : -1;
}

/* The queues of threads that wait for their domain's turn (domain.c). */
struct queue *domain_queues(void);

/* ---- Steps ---- */

enum step_kind {
    STEP_PASS, /* `a` ticks pass; 0: as many as until the next interrupt of a timer */
    STEP_TIMER,
    STEP_SGI,
    STEP_IRQ,   /* of device `a` */
    STEP_GRANT, /* the core that waits gets the lock */
    STEP_RECV,
    STEP_NBRECV,
    STEP_REPLY_RECV,  /* with the label `a` */
    STEP_NBSEND_RECV, /* to thread `a` */
    STEP_NOTIFY,
    STEP_CALL,
    STEP_YIELD,
    STEP_ACK,
    STEP_PASSIVE,
    STEP_FAULT,   /* a VMFault */
    STEP_UNKNOWN, /* an unknown system call */
    STEP_SUSPEND, /* thread `a`; so are those behind */
    STEP_RESUME,
    STEP_RESTART,
    STEP_READ_SUSPEND,
    STEP_PRIORITY, /* to model_priorities[b] */
    STEP_VCPU_WRITE,
    STEP_BIND,
    STEP_UNBIND,
    STEP_YIELD_TO,
    STEP_CONSUMED,
};

struct step {
    uint8_t kind;
    uint8_t core;
    uint8_t a;
    uint8_t b; /* bit 7: the core waits for the lock first */
};

#define STEP_CONTENDED 0x80u
#define STEPS_MAX      128

/* What a core will do when it gets the lock. */
extern struct step step_waiting[MACHINE_CORES];

/* All steps that are possible now; `steps` has STEPS_MAX places. Returns how many. */
unsigned step_list(struct step *steps);

/* Do one of them, and demand what must hold then. */
void step_do(struct step step);

/* Print it to standard error. */
void step_print(struct step step);

/* ---- Invariants ---- */

void invariant_check(void);

/* ---- States ---- */

struct state;
extern const size_t state_size;

void state_save(struct state *state);
void state_restore(const struct state *state);

/* The same for two states that behave alike from now on. */
uint64_t state_hash(void);
