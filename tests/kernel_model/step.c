/* SPDX-License-Identifier: BSD-2-Clause */

#include <sel4/errors.h>
#include <sel4/faults.h>
#include <sel4/syscall.h>
#include <stdio.h>
#include "sdk/kernel/fault.h"
#include "sdk/kernel/ipc.h"
#include "sdk/kernel/irq.h"
#include "spec.h"

/* Capabilities, as microkit.h numbers them; those of <cspace> by their slot. */
#define CAP_INPUT       1u
#define CAP_REPLY       4u
#define CAP_MONITOR     5u
#define CAP_NOTIFY(id)  (10ul + (id))
#define CAP_CALL(id)    (74ul + (id))
#define CAP_IRQ(id)     (138ul + (id))
#define CAP_TCB(id)     (202ul + (id))
#define CAP_VM_TCB(id)  (266ul + (id))
#define CAP_VCPU(id)    (330ul + (id))
#define CAP_SLOT(slot)  ((uint64_t)(slot) << 58)
#define SLOT_OF_CONTEXT 10u /* and the thread's number (system.c) */

#define NAME(index) model_threads[index].name

#define TIMERS_MAX 3
#define LONG       5 /* ticks: longer than any budget */

struct result sys_call(uint64_t cap, uint64_t info);
struct result sys_recv(uint64_t source, uint64_t unused);
struct result sys_nbrecv(uint64_t source, uint64_t unused);
struct result sys_reply_recv(uint64_t source, uint64_t info, uint64_t reply);
struct result sys_send(uint64_t cap, uint64_t info);
struct result sys_nbsend_recv(uint64_t source, uint64_t info, uint64_t reply, uint64_t dest);
struct result sys_irq_ack(uint64_t cap);
struct result sys_yield(void);
struct result sys_tcb_read(uint64_t cap, uint64_t suspend, uint64_t count);
struct result sys_tcb_write(uint64_t cap, uint64_t resume, uint64_t count, uint64_t pc, uint64_t sp,
                            uint64_t spsr, uint64_t x0);
struct result sys_tcb_suspend(uint64_t cap);
struct result sys_tcb_resume(uint64_t cap);
struct result sys_tcb_set_priority(uint64_t cap, uint64_t priority, uint64_t authority,
                                   uint64_t is_maximum);
struct result sys_sched_context(uint64_t cap, uint64_t operation, uint64_t object);
struct result sys_vcpu_write(uint64_t cap, uint64_t reg, uint64_t value);

struct step step_waiting[MACHINE_CORES];

/* ---- Which steps are possible ---- */

struct list {
    struct step *steps;
    unsigned count;
    uint8_t core;
};

static void add(struct list *list, enum step_kind kind, unsigned a, unsigned b)
{
    demand(list->count < STEPS_MAX, "more than %u steps", STEPS_MAX);
    list->steps[list->count++] = (struct step){(uint8_t)kind, list->core, (uint8_t)a, (uint8_t)b};
}

static void list_children(struct list *list, const struct system_thread *config)
{
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        bool is_tcb = config->user_caps[i].kind == SYSTEM_CAP_TCB;

        if (config->child_pds[i] == SYSTEM_NONE && config->child_vcpus[i] == SYSTEM_NONE &&
            !is_tcb) {
            continue;
        }
        add(list, STEP_SUSPEND, i, 0);
        add(list, STEP_RESUME, i, 0);
        if (!is_tcb) {
            add(list, STEP_RESTART, i, 0);
            add(list, STEP_READ_SUSPEND, i, 0);
        }
        add(list, STEP_PRIORITY, i, 0);
        add(list, STEP_PRIORITY, i, 1);
        if (config->child_vcpus[i] != SYSTEM_NONE) {
            add(list, STEP_VCPU_WRITE, i, 0);
        }
        if (is_tcb) {
            add(list, STEP_BIND, i, 0);
            add(list, STEP_UNBIND, i, 0);
            add(list, STEP_YIELD_TO, i, 0);
            add(list, STEP_CONSUMED, i, 0);
        }
    }
}

static void list_channels(struct list *list, const struct system_thread *config)
{
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        if (config->channels[i].flags & SYSTEM_CHANNEL_MAY_NOTIFY) {
            add(list, STEP_NOTIFY, i, 0);
            add(list, STEP_NBSEND_RECV, i, 0);
        }
        if (config->channels[i].flags & SYSTEM_CHANNEL_MAY_CALL) {
            add(list, STEP_CALL, i, 0);
        }
    }
}

/* What the current thread may do. */
static void list_thread(struct list *list, const struct thread *thread)
{
    add(list, STEP_FAULT, 0, 0);
    if (thread->parent != NULL) {
        add(list, STEP_UNKNOWN, 0, 0);
    }
    if (thread->is_vcpu) {
        return;
    }
    add(list, STEP_RECV, 0, 0);
    add(list, STEP_NBRECV, 0, 0);
    if (thread->reply_to != NULL) {
        add(list, STEP_REPLY_RECV, 0, 0);
        add(list, STEP_REPLY_RECV, 1, 0);
    }
    add(list, STEP_YIELD, 0, 0);
    if ((thread->config->flags & SYSTEM_THREAD_PASSIVE) && !thread->passive) {
        add(list, STEP_PASSIVE, 0, 0);
    }
    list_channels(list, thread->config);
    list_children(list, thread->config);
}

/* As interrupts are masked while a core waits for the lock, it has one thing to do then. */
static void list_core(struct list *list)
{
    const struct machine_core *core = &machine_cores[list->core];
    unsigned first = list->count;

    if (core->place == CORE_WAITS) {
        add(list, STEP_GRANT, 0, 0);
        return;
    }
    if (machine_timer_due(core)) {
        add(list, STEP_TIMER, 0, 0);
    }
    if (core->sgi) {
        add(list, STEP_SGI, 0, 0);
    }
    for (unsigned i = 0; i < model_irq_count; i++) {
        bool is_active = core->active & BIT(i);

        if (model_irqs[i].core == list->core && !is_active) {
            add(list, STEP_IRQ, i, 0);
        }
    }
    if (core->place == CORE_IDLES) {
        return;
    }
    const struct thread *thread = cpu_of_core(list->core)->current;
    list_thread(list, thread);
    for (unsigned i = 0; i < model_irq_count; i++) {
        if (model_irqs[i].owner == index_of(thread) && (core->active & BIT(i))) {
            add(list, STEP_ACK, i, 0);
        }
    }
    unsigned end = list->count;
    for (unsigned i = first; IS_SMP && i < end; i++) {
        add(list, (enum step_kind)list->steps[i].kind, list->steps[i].a,
            list->steps[i].b | STEP_CONTENDED);
    }
}

/* Until a timer's interrupt, which must not be late. 0 if time must not pass now. */
static uint64_t time_left(void)
{
    uint64_t left = UINT64_MAX;

    for (unsigned i = 0; i < model_core_count; i++) {
        uint64_t at = machine_timer(&machine_cores[i]);
        uint64_t until = at == UINT64_MAX ? at : at > model_now() ? at - model_now() : 0;

        if (machine_cores[i].place == CORE_WAITS ||
            (machine_cores[i].place == CORE_IDLES && cpu_of_core(i)->next != NULL)) {
            return 0; /* it is on its way */
        }
        left = until < left ? until : left;
    }
    return left;
}

unsigned step_list(struct step *steps)
{
    struct list list = {steps, 0, 0};
    uint64_t left = time_left();

    if (left >= 1) {
        add(&list, STEP_PASS, 1, 0);
    }
    if (left > 1) {
        add(&list, STEP_PASS, left != UINT64_MAX ? 0 : LONG, 0);
    }
    for (; list.core < model_core_count; list.core++) {
        list_core(&list);
    }
    return list.count;
}

/* ---- System calls: for the kernel, then what they mean ---- */

static uint64_t cap_of(const struct thread *caller, unsigned thread)
{
    if (caller->config->user_caps[thread].kind == SYSTEM_CAP_TCB) {
        return CAP_SLOT(thread);
    }
    return threads[thread].is_vcpu ? CAP_VM_TCB(thread) : CAP_TCB(thread);
}

static struct result call_context(unsigned thread, uint64_t operation)
{
    return sys_sched_context(CAP_SLOT(SLOT_OF_CONTEXT + thread), operation, CAP_SLOT(thread));
}

static struct result call_kernel(struct thread *caller, struct step step)
{
    uint64_t answer = SPEC_REPLY_LABEL(step.a) | 1;

    switch (step.kind) {
    case STEP_RECV:
        return sys_recv(CAP_INPUT, 0);
    case STEP_NBRECV:
        return sys_nbrecv(CAP_INPUT, 0);
    case STEP_REPLY_RECV:
        caller->words[0] = SPEC_ANSWER_WORD(index_of(caller));
        return sys_reply_recv(CAP_INPUT, answer, CAP_REPLY);
    case STEP_NBSEND_RECV:
        return sys_nbsend_recv(CAP_INPUT, 0, CAP_REPLY, CAP_NOTIFY(step.a));
    case STEP_NOTIFY:
        return sys_send(CAP_NOTIFY(step.a), 0);
    case STEP_CALL:
        caller->words[0] = SPEC_CALL_WORD(index_of(caller));
        return sys_call(CAP_CALL(step.a), 1);
    case STEP_YIELD:
        return sys_yield();
    case STEP_ACK:
        return sys_irq_ack(CAP_IRQ(MODEL_IRQ_ID + step.a));
    case STEP_PASSIVE:
        return sys_send(CAP_MONITOR, 0);
    case STEP_SUSPEND:
        return sys_tcb_suspend(cap_of(caller, step.a));
    case STEP_RESUME:
        return sys_tcb_resume(cap_of(caller, step.a));
    case STEP_RESTART:
        return sys_tcb_write(cap_of(caller, step.a), true, 1, 0, 0, 0, 0);
    case STEP_READ_SUSPEND:
        return sys_tcb_read(cap_of(caller, step.a), true, 1);
    case STEP_PRIORITY:
        return sys_tcb_set_priority(cap_of(caller, step.a),
                                    model_priorities[step.b & ~STEP_CONTENDED],
                                    cap_of(caller, step.a), false);
    case STEP_VCPU_WRITE:
        return sys_vcpu_write(CAP_VCPU(step.a), 0, 0);
    case STEP_BIND:
        return call_context(step.a, seL4_internal_sc_bind);
    case STEP_UNBIND:
        return call_context(step.a, seL4_internal_sc_unbind);
    case STEP_YIELD_TO:
        return call_context(step.a, seL4_internal_sc_yield_to);
    default:
        return call_context(step.a, seL4_internal_sc_consumed);
    }
}

/* Who has a context, or would have it if it were bound; -1: nobody. */
static int holder_of(int context)
{
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        if (spec.thread[i].context == context) {
            return (int)i;
        }
    }
    return -1;
}

static void spec_context_call(int self, struct step step)
{
    struct spec_context *context = &spec.context[step.a];
    int holder = holder_of(step.a);
    bool fails = false;

    switch (step.kind) {
    case STEP_BIND:
        fails = !context->unbound || spec.thread[self].context == step.a;
        break;
    case STEP_UNBIND:
        fails = spec.thread[self].context == step.a;
        break;
    case STEP_YIELD_TO:
        fails = context->unbound || holder < 0 || holder == self ||
                spec.thread[holder].priority > model_threads[self].priority;
        break;
    default:
        spec_result(self, 0, context->consumed);
        context->consumed = 0;
        return;
    }
    spec_result(self, fails ? seL4_IllegalOperation : seL4_NoError, 0);
    if (fails) {
        return;
    }
    if (holder >= 0) {
        spec_moved(holder);
    }
    if (step.kind != STEP_YIELD_TO) {
        spec_bind(step.a, step.kind == STEP_BIND);
    }
}

/* A thread gives no priority above the highest that it can. */
static void set_priority(int self, unsigned thread, unsigned priority)
{
    if (priority > model_threads[thread].priority) {
        spec_result(self, seL4_RangeError, 0);
    } else {
        spec_set_priority((int)thread, priority);
    }
}

static void call_spec(int self, struct step step)
{
    switch (step.kind) {
    case STEP_RECV:
    case STEP_NBRECV:
        spec_receive(self, step.kind == STEP_RECV);
        return;
    case STEP_REPLY_RECV:
        spec_reply(self, step.a);
        spec_receive(self, true);
        return;
    case STEP_NBSEND_RECV:
        spec_raise(step.a, (unsigned)self);
        spec_receive(self, true);
        return;
    case STEP_CALL:
        spec_call(self, step.a);
        return;
    case STEP_BIND:
    case STEP_UNBIND:
    case STEP_YIELD_TO:
    case STEP_CONSUMED:
        spec_context_call(self, step);
        return;
    }
    spec_result(self, 0, 0);
    switch (step.kind) {
    case STEP_NOTIFY:
        spec_raise(step.a, (unsigned)self);
        break;
    case STEP_YIELD:
        spec_yield(self);
        break;
    case STEP_PASSIVE:
        spec_passive(self);
        break;
    case STEP_SUSPEND:
    case STEP_READ_SUSPEND:
        spec_suspend(step.a);
        break;
    case STEP_RESUME:
        spec_resume(step.a);
        break;
    case STEP_RESTART:
        spec_restart(step.a);
        break;
    case STEP_PRIORITY:
        set_priority(self, step.a, model_priorities[step.b & ~STEP_CONTENDED]);
        break;
    }
}

/* ---- Ways into the kernel and out of it, as in vectors.S ---- */

/* To the thread that goes on. */
static void leave(struct cpu *cpu)
{
    if (cpu->current != cpu->next || cpu->current == NULL) {
        cpu_switch(cpu);
    }
    kernel_lock = 0;
}

static void handle_call(struct cpu *cpu, struct step step)
{
    struct thread *caller = cpu->current;
    bool is_next = cpu->next == caller;
    struct result result = call_kernel(caller, step);

    caller->regs.x0 = result.x0;
    caller->regs.x1 = result.x1;
    if (step.kind == STEP_YIELD && !is_next) {
        spec_result(index_of(caller), 0, 0); /* another one above has been made ready meanwhile */
        return;
    }
    call_spec(index_of(caller), step);
}

static void handle_fault(struct cpu *cpu, struct step step)
{
    int self = index_of(cpu->current);

    if (step.kind == STEP_FAULT) {
        fault_raise(cpu, seL4_Fault_VMFault, seL4_VMFault_Length, SPEC_FAULT_WORD(self), 0, 0, 0);
        spec_fault(self, SPEC_VM_FAULT);
    } else {
        fault_raise_syscall(cpu);
        spec_fault(self, SPEC_UNKNOWN_SYSCALL);
    }
}

/* Interrupts find what is pending when the core asks. */
static void handle_irq(struct cpu *cpu, struct step step)
{
    switch (step.kind) {
    case STEP_TIMER:
        machine_core->arriving = INTID_HYP_TIMER;
        spec_turn();
        break;
    case STEP_SGI:
        machine_core->arriving = SMP_SGI;
        machine_core->sgi = false;
        break;
    default:
        machine_core->arriving = MACHINE_INTID + step.a;
        spec_raise(model_irqs[step.a].owner, MODEL_IRQ_ID + step.a);
    }
    irq_handle(cpu);
}

static void handle(struct cpu *cpu, struct step step)
{
    if (step.kind <= STEP_IRQ) {
        handle_irq(cpu, step);
    } else if (step.kind == STEP_FAULT || step.kind == STEP_UNKNOWN) {
        handle_fault(cpu, step);
    } else {
        handle_call(cpu, step);
    }
}

/* An exception of the current thread; the lock is free. */
static void enter(struct cpu *cpu, void *argument)
{
    kernel_lock = 1;
    handle(cpu, *(const struct step *)argument);
    leave(cpu);
}

/* An interrupt of an idle core. */
static void wake(struct cpu *cpu, void *argument)
{
    const struct step *step = argument;

    if (cpu->next != NULL) {
        enter(cpu, argument); /* a function of another core's has made one ready */
        return;
    }
    switch (step->kind) {
    case STEP_TIMER:
        machine_core->arriving = INTID_HYP_TIMER;
        spec_turn();
        break;
    case STEP_SGI:
        machine_core->arriving = SMP_SGI;
        machine_core->sgi = false;
        break;
    default:
        machine_core->arriving = MACHINE_INTID + step->a;
        spec_raise(model_irqs[step->a].owner, MODEL_IRQ_ID + step->a);
    }
    machine_core->interrupted = true;
    kernel_lock = 1;
    cpu_switch(cpu); /* to the loop of idle(), which takes the interrupt */
    kernel_lock = 0;
}

/* The lock is another core's now. */
static void wait_for_lock(struct cpu *cpu, void *argument)
{
    const struct step *step = argument;
    /* A fault's pc is the instruction, but for an unknown system call's. */
    bool is_call = step->kind > STEP_IRQ && step->kind != STEP_FAULT;

    kernel_lock = 1;
    smp_enter(cpu, is_call);
}

/* It is this core's, at last: the end of smp_enter(). */
static void granted(struct cpu *cpu, void *argument)
{
    kernel_lock = 1;
    cpu->in_call = false;
    if (!cpu->withdrawn || (*(const struct step *)argument).kind <= STEP_IRQ) {
        handle(cpu, *(const struct step *)argument);
    }
    leave(cpu);
}

static void serve(struct cpu *cpu, void *argument)
{
    (void)argument;
    smp_lock(cpu);
}

/* The other core executes the function, from wherever it is, and waits for the lock then. */
void spin(void)
{
    struct machine_core *caller = machine_core;
    unsigned other = caller == &machine_cores[0] ? 1 : 0;
    struct cpu *cpu = cpu_of_core(other);

    demand(machine_cores[other].sgi, "a core is called and not interrupted");
    machine_enter(other);
    if (machine_core->place == CORE_RUNS) {
        machine_core->sgi = false;
        machine_core->place = CORE_WAITS;
        step_waiting[other] = (struct step){STEP_SGI, (uint8_t)other, 0, 0};
        machine_run(wait_for_lock, cpu, &step_waiting[other]);
    } else {
        machine_run(serve, cpu, NULL);
    }
    demand(cpu->call == NULL, "a core that is called does nothing");
    machine_core = caller;
}

/* ---- A step ---- */

static void pass(struct step step)
{
    uint64_t ticks = step.a != 0 ? step.a : time_left();

    spec_pass(ticks);
    machine_pass(ticks);
}

/* Who ran, and whether nothing but one above may take its place. */
struct before {
    int current;
    int context;
    unsigned priority;
    bool keeps;
};

static struct before note(struct step step, const struct cpu *cpu)
{
    int current = index_of(cpu->current);
    bool moves = step.kind == STEP_TIMER || step.kind == STEP_YIELD || step.kind == STEP_YIELD_TO;

    if (IS_SMP || current < 0 || moves || machine_timer_due(&machine_cores[step.core])) {
        return (struct before){0};
    }
    return (struct before){current, spec.thread[current].context, spec.thread[current].priority,
                           true};
}

/* No equal takes the place of a thread that goes on, whoever is woken. */
static void check_kept(const struct before *before, const struct cpu *cpu)
{
    const struct spec_thread *thread = &spec.thread[before->current];
    int current = index_of(cpu->current);

    demand(!before->keeps || current < 0 || current == before->current ||
               thread->state != THREAD_READY || thread->context != before->context ||
               thread->priority != before->priority || !spec_has_budget(thread->context) ||
               spec.thread[current].priority > thread->priority,
           "%s takes the place of %s, which goes on", NAME(current), NAME(before->current));
}

static void enter_kernel(struct step step)
{
    struct machine_core *core = &machine_cores[step.core];
    struct cpu *cpu = cpu_of_core(step.core);
    void (*function)(struct cpu *, void *) = core->place == CORE_IDLES ? wake : enter;

    struct before before = note(step, cpu);

    machine_enter(step.core);
    if (step.kind == STEP_GRANT) {
        step = step_waiting[step.core];
        function = granted;
    } else if (step.b & STEP_CONTENDED) {
        core->place = CORE_WAITS;
        step_waiting[step.core] = step;
        machine_run(wait_for_lock, cpu, &step);
        kernel_lock = 0;
        return;
    }
    core->place = CORE_RUNS;
    if (machine_run(function, cpu, &step) == END_IDLE) {
        core->place = CORE_IDLES;
    }
    spec.running[step.core] =
        cpu->current != NULL ? spec.thread[index_of(cpu->current)].context : -1;
    check_kept(&before, cpu);
}

/* The timer is not set again and again to what has been: the core would do nothing else. */
static void count_timers(struct step step)
{
    for (unsigned i = 0; i < model_core_count; i++) {
        bool counts = step.kind == STEP_TIMER && step.core == i;

        spec.timers[i] = counts ? (uint8_t)(spec.timers[i] + 1) : 0;
        demand(spec.timers[i] <= TIMERS_MAX, "the timer interrupts for ever");
    }
}

void step_do(struct step step)
{
    int self = index_of(cpu_of_core(step.core)->current);

    if (step.kind == STEP_PASS) {
        pass(step);
    } else {
        enter_kernel(step);
    }
    count_timers(step);
    invariant_check();
    if (step.kind == STEP_YIELD && !(step.b & STEP_CONTENDED)) {
        spec_yielded(self, step.core);
    }
}

void step_print(struct step step)
{
    static const char *const names[] = {
        "pass",       "timer",        "sgi",     "irq",      "lock",     "recv", "nbrecv",
        "reply",      "nbsend_recv",  "notify",  "call",     "yield",    "ack",  "passive",
        "fault",      "unknown call", "suspend", "resume",   "restart",  "read", "priority",
        "write vcpu", "bind",         "unbind",  "yield to", "consumed",
    };
    static const bool has_thread[] = {
        [STEP_NBSEND_RECV] = true,  [STEP_NOTIFY] = true,   [STEP_CALL] = true,
        [STEP_SUSPEND] = true,      [STEP_RESUME] = true,   [STEP_RESTART] = true,
        [STEP_READ_SUSPEND] = true, [STEP_PRIORITY] = true, [STEP_VCPU_WRITE] = true,
        [STEP_BIND] = true,         [STEP_UNBIND] = true,   [STEP_YIELD_TO] = true,
        [STEP_CONSUMED] = true,
    };
    const struct thread *current = cpu_of_core(step.core)->current;

    fprintf(stderr, "%6lu ", model_now());
    if (step.kind != STEP_PASS) {
        fprintf(stderr, "core %u ", step.core);
    }
    if (step.kind > STEP_GRANT) {
        fprintf(stderr, "%s: ", current != NULL ? current->config->name : "-");
    }
    fprintf(stderr, "%s", names[step.kind]);
    if (has_thread[step.kind]) {
        fprintf(stderr, " %s", model_threads[step.a].name);
        if (step.kind == STEP_PRIORITY) {
            fprintf(stderr, " %u", model_priorities[step.b & ~STEP_CONTENDED]);
        }
    } else {
        fprintf(stderr, " %u", step.a);
    }
    fprintf(stderr, "%s\n", step.b & STEP_CONTENDED ? ", waits for the lock" : "");
}
