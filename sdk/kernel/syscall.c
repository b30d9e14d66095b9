/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The system calls (sel4/syscall.h). Only PDs can make them. Each checks all of its arguments, and
 * answers bad ones with an error, as seL4 does. To send to a capability that the caller does not
 * have does nothing. To invoke one is seL4_InvalidCapability, and one of <cspace> that is of
 * another kind seL4_IllegalOperation. To receive from one, or to name one beyond the capability
 * space, raises a fault of the caller (seL4_Fault_CapFault).
 */

#include <sel4/errors.h>
#include <sel4/invocation.h>
#include <sel4/syscall.h>
#include "arch.h"
#include "fault.h"
#include "gic.h"
#include "ipc.h"
#include "mmu.h"
#include "notification.h"
#include "sched.h"
#include "uart.h"

/* Capability numbers, as in microkit.h: from 10 on, 64 of each kind. */
#define CAP_INPUT   1u
#define CAP_REPLY   4u
#define CAP_MONITOR 5u
#define CAP_TCB_OWN 6u /* in benchmark configs */
#define CAP_SMC     7u
#define CAP_BASE    10u
#define CAP_RANGE   64ul
#define CAP_SPACE   512u
#define SLOT_SHIFT  58 /* of <cspace>: in the highest bits; the others below may be anything */

enum cap_kind {
    CAP_NOTIFICATION,
    CAP_ENDPOINT,
    CAP_IRQ,
    CAP_TCB,
    CAP_VM_TCB,
    CAP_VCPU,
};

#define BADGE_CALL  (1ul << 63)
#define USER_WORDS  (sizeof(seL4_UserContext) / sizeof(seL4_Word))
#define WRITE_WORDS 4u /* of sys_tcb_write that are in registers */
#define SPSR_WORD   2u

/* In vectors.S. */
void firmware_call(uint64_t words[8]);

#define error(code) ((struct result){(code), 0})
#define success     error(seL4_NoError)

/* ---- Capabilities ---- */

/* The caller's channel behind a capability of kind CAP_NOTIFICATION, CAP_ENDPOINT or CAP_IRQ. */
static inline const struct system_channel *find_channel(const struct thread *thread, uint64_t cap,
                                                        enum cap_kind kind)
{
    uint64_t id = cap - CAP_BASE - kind * CAP_RANGE;

    return likely(id < SYSTEM_MAX_CHANNELS) ? &thread->config->channels[id] : NULL;
}

/* The other end of a channel that may be notified, or NULL. */
static inline const struct system_channel *find_notification(const struct thread *thread,
                                                             uint64_t cap)
{
    const struct system_channel *channel = find_channel(thread, cap, CAP_NOTIFICATION);

    if (likely(channel != NULL && channel->kind == SYSTEM_CHANNEL_PD &&
               (channel->flags & SYSTEM_CHANNEL_MAY_NOTIFY))) {
        return channel;
    }
    return NULL;
}

static inline const struct system_channel *find_irq(const struct thread *thread, uint64_t cap)
{
    const struct system_channel *channel = find_channel(thread, cap, CAP_IRQ);

    return channel != NULL && channel->kind == SYSTEM_CHANNEL_IRQ ? channel : NULL;
}

_Static_assert(offsetof(struct system_thread, child_vcpus) ==
                   offsetof(struct system_thread, child_pds) + 2 * CAP_RANGE,
               "find_child");

/* The caller's child PD or vCPU behind a capability of kind CAP_TCB or CAP_VM_TCB, or NULL. */
static inline struct thread *find_child(const struct thread *thread, uint64_t cap)
{
    uint64_t id = cap - CAP_BASE - CAP_TCB * CAP_RANGE;

    /* The two tables are one behind the other, as the two kinds of capabilities are. */
    if (unlikely(id >= 2 * CAP_RANGE)) {
        return NULL;
    }
    const char *children = (const char *)thread->config + offsetof(struct system_thread, child_pds);
    uint16_t child = ((const uint16_t *)children)[id];
    return likely(child != SYSTEM_NONE) ? &threads[child] : NULL;
}

/* The PD behind a capability of <cspace>, or NULL. */
static __attribute__((cold, noinline)) struct thread *
find_in_cspace(const struct thread *thread, uint64_t cap, enum system_cap_kind kind)
{
    const struct system_cap *entry = &thread->config->user_caps[cap >> SLOT_SHIFT];

    if (IS_BENCHMARK && cap == CAP_TCB_OWN && kind == SYSTEM_CAP_TCB) {
        return &threads[thread - threads];
    }
    return entry->kind == kind ? &threads[entry->thread] : NULL;
}

/* The thread behind any capability for one, or NULL. */
static inline struct thread *find_tcb(const struct thread *thread, uint64_t cap)
{
    struct thread *child = find_child(thread, cap);

    return likely(child != NULL) ? child : find_in_cspace(thread, cap, SYSTEM_CAP_TCB);
}

static inline struct thread *find_vcpu(const struct thread *thread, uint64_t cap)
{
    uint64_t id = cap - CAP_BASE - CAP_VCPU * CAP_RANGE;
    uint16_t child = id < CAP_RANGE ? thread->config->child_vcpus[id] : SYSTEM_NONE;

    return child != SYSTEM_NONE ? &threads[child] : NULL;
}

/*
 * The current thread has named a capability that does not exist, in the system call `number`. It
 * faults there. `arguments` are those of its first two that the call has not changed.
 */
static __attribute__((noinline)) struct result cap_fault(uint64_t cap, bool receiving,
                                                         struct result arguments, uint64_t number)
{
    struct cpu *cpu = this_cpu();
    uint64_t pc = read_sysreg(elr_el2) - 4;

    write_sysreg(elr_el2, pc);
    cpu->current->regs.pc = pc;
    cpu->current->regs.sp = read_sysreg(sp_el0);
    cpu->current->regs.x7 = number;
    fault_raise(cpu, seL4_Fault_CapFault, seL4_CapFault_BitsLeft + 1, pc, cap, receiving,
                seL4_MissingCapability);
    return arguments;
}

/* Whether there is no place for such a capability. The slots of <cspace> have one each. */
static inline bool is_beyond(uint64_t cap)
{
    return cap >= CAP_SPACE && cap >> SLOT_SHIFT == 0;
}

/* The current thread has invoked a capability of the wrong kind, or one that does not exist. */
static struct result bad_capability(uint64_t cap, uint64_t argument, uint64_t number)
{
    if (is_beyond(cap)) {
        return cap_fault(cap, false, (struct result){cap, argument}, number);
    }
    return error(this_cpu()->current->config->user_caps[cap >> SLOT_SHIFT].kind == SYSTEM_CAP_NONE
                     ? seL4_InvalidCapability
                     : seL4_IllegalOperation);
}

/* The same for a capability that is an argument. */
static struct result bad_argument(uint64_t cap, uint64_t argument, uint64_t number)
{
    return is_beyond(cap) ? bad_capability(cap, argument, number) : error(seL4_InvalidCapability);
}

/* ---- Messages ---- */

/* A call's answer is a message. */
static __attribute__((cold, noinline)) struct result bad_call(uint64_t cap, uint64_t info)
{
    struct result result = bad_capability(cap, info, seL4_SysCall);

    return is_beyond(cap) ? result : (struct result){0, result.x0 << 12};
}

struct result sys_call(uint64_t cap, uint64_t info)
{
    struct cpu *cpu = this_cpu();
    struct thread *thread = cpu->current;
    const struct system_channel *channel = find_channel(thread, cap, CAP_ENDPOINT);

    if (unlikely(channel == NULL || channel->kind != SYSTEM_CHANNEL_PD ||
                 !(channel->flags & SYSTEM_CHANNEL_MAY_CALL))) {
        return bad_call(cap, info);
    }
    thread->message.badge = BADGE_CALL | channel->peer_channel;
    thread->message.info = ipc_sanitize_info(info);
    thread->is_faulted = false;
    ipc_send(cpu, thread, &threads[channel->peer]);
    return success;
}

struct result sys_recv(uint64_t source, uint64_t unused)
{
    struct cpu *cpu = this_cpu();

    if (unlikely(source != CAP_INPUT)) {
        return cap_fault(source, true, (struct result){source, unused}, seL4_SysRecv);
    }
    return ipc_receive(cpu, cpu->current, true, NULL);
}

struct result sys_nbrecv(uint64_t source, uint64_t unused)
{
    struct cpu *cpu = this_cpu();

    if (unlikely(source != CAP_INPUT)) {
        return cap_fault(source, true, (struct result){source, unused}, seL4_SysNBRecv);
    }
    return ipc_receive(cpu, cpu->current, false, NULL);
}

struct result sys_reply_recv(uint64_t source, uint64_t info, uint64_t reply)
{
    struct cpu *cpu = this_cpu();

    if (unlikely(source != CAP_INPUT || reply != CAP_REPLY)) {
        return cap_fault(source != CAP_INPUT ? source : reply, true, (struct result){source, info},
                         seL4_SysReplyRecv);
    }
    return ipc_receive(cpu, cpu->current, true, ipc_reply(cpu->current, info));
}

/* Send without blocking. *woken is the thread that it wakes, or NULL. False: no such capability. */
static inline bool send(struct thread *thread, uint64_t cap, uint64_t info, struct thread **woken)
{
    const struct system_channel *channel = find_notification(thread, cap);

    if (likely(channel != NULL)) {
        *woken = notification_raise(&threads[channel->peer], channel->peer_channel);
        return true;
    }
    *woken = NULL;
    channel = find_irq(thread, cap);
    if (channel != NULL) {
        if (info >> 12 == IRQAckIRQ) {
            gic_deactivate(channel->peer);
        }
        return true;
    }
    if (cap == CAP_MONITOR && (thread->config->flags & SYSTEM_THREAD_PASSIVE)) {
        thread->passive = true;
        return true;
    }
    return false;
}

struct result sys_send(uint64_t cap, uint64_t info)
{
    struct cpu *cpu = this_cpu();
    struct thread *woken;

    if (unlikely(!send(cpu->current, cap, info, &woken))) {
        return bad_capability(cap, info, seL4_SysSend);
    }
    if (woken != NULL) {
        sched_wake(cpu, woken);
    }
    return success;
}

struct result sys_nbsend_recv(uint64_t source, uint64_t info, uint64_t reply, uint64_t dest)
{
    struct cpu *cpu = this_cpu();
    struct thread *woken;

    (void)reply;
    if (unlikely(source != CAP_INPUT)) {
        return cap_fault(source, true, (struct result){source, info}, seL4_SysNBSendRecv);
    }
    /* A failure to send is ignored: this call neither blocks nor faults for it. */
    (void)send(cpu->current, dest, info, &woken);
    return ipc_receive(cpu, cpu->current, true, woken);
}

struct result sys_irq_ack(uint64_t cap)
{
    const struct system_channel *channel = find_irq(this_cpu()->current, cap);

    if (unlikely(channel == NULL)) {
        return bad_capability(cap, 0, seL4_SysIRQAck);
    }
    gic_deactivate(channel->peer);
    return success;
}

/* ---- Threads ---- */

struct result sys_yield(void)
{
    sched_yield(this_cpu());
    return success;
}

/*
 * What a system call does to a child, or to a PD of <cspace>. If the child is on another core, that
 * core does it: the child may be running there, or its call begin anew. Not so a vCPU that is not
 * ready.
 */
struct request {
    struct thread *caller;
    struct thread *thread;
    uint64_t argument[6];
    struct result result;
};

typedef void (*request_function)(struct cpu *cpu, void *request);

static inline struct result execute(struct cpu *cpu, request_function function,
                                    struct request *request)
{
    struct thread *thread = request->thread;

    if (smp_is_remote(cpu, thread) && (thread->state == THREAD_READY || !thread->is_vcpu)) {
        smp_call(thread->cpu, function, request);
    } else {
        function(cpu, request);
    }
    return request->result;
}

/* Take the thread off its core. The caller may name itself, and goes on with its call. */
static inline void take_off(struct cpu *cpu, const struct request *request)
{
    if (IS_SMP && request->thread != request->caller) {
        smp_deschedule(cpu, request->thread);
    }
}

/* A vCPU that another core has stopped leaves its core's registers. */
static inline void unload_stopped(struct cpu *cpu, const struct request *request)
{
    if (cpu->vcpu_loaded == request->thread &&
        smp_is_remote(request->caller->cpu, request->thread)) {
        vcpu_unload(cpu);
    }
}

/* The same for a system call whose first argument names the child. */
static inline struct result on_child(uint64_t cap, uint64_t first, uint64_t second,
                                     request_function function, uint64_t number)
{
    struct cpu *cpu = this_cpu();
    struct request request = {cpu->current, find_tcb(cpu->current, cap), {first, second}, success};

    if (unlikely(request.thread == NULL)) {
        return bad_capability(cap, first, number);
    }
    return execute(cpu, function, &request);
}

static inline void tcb_read(struct cpu *cpu, void *argument)
{
    struct request *request = argument;
    struct thread *thread = request->thread;
    uint64_t count = request->argument[1];

    if (count < 1 || count > USER_WORDS) {
        request->result = error(seL4_RangeError);
        return;
    }
    if (thread == request->caller) {
        request->result = error(seL4_IllegalOperation);
        return;
    }
    smp_deschedule(cpu, thread);
    if (request->argument[0]) {
        thread_suspend(thread);
        unload_stopped(cpu, request);
    }
    for (uint64_t i = 0; i < count; i++) {
        request->caller->words[i] = ((const uint64_t *)&thread->regs)[i];
    }
}

struct result sys_tcb_read(uint64_t cap, uint64_t suspend, uint64_t count)
{
    return on_child(cap, suspend, count, tcb_read, seL4_SysTCBRead);
}

static __attribute__((noinline)) void write_more(struct thread *thread, const seL4_Word *more,
                                                 uint64_t count, uint64_t sp, uint64_t spsr,
                                                 uint64_t x0)
{
    uint64_t *words = (uint64_t *)&thread->regs;

    thread->regs.sp = sp;
    if (count > SPSR_WORD) {
        thread->regs.spsr = thread_sanitize_spsr(thread, spsr);
    }
    if (count > SPSR_WORD + 1) {
        thread->regs.x0 = x0;
    }
    for (uint64_t i = WRITE_WORDS; i < count; i++) {
        words[i] = more[i];
    }
}

static inline void tcb_write(struct cpu *cpu, void *argument)
{
    struct request *request = argument;
    struct thread *thread = request->thread;
    uint64_t resume = request->argument[0];
    uint64_t count = request->argument[1];

    smp_deschedule(cpu, thread);
    if (likely(count > 0)) {
        /* Its core may note the pc of its exit (debug_suspend) only after this: so a step ends
         * here. */
        if (smp_is_remote(request->caller->cpu, thread) &&
            thread->regs.pc != request->argument[2]) {
            thread->regs.spsr &= ~SPSR_SS;
        }
        thread->regs.pc = request->argument[2];
    }
    if (count > 1) {
        write_more(thread, request->caller->words, count, request->argument[3],
                   request->argument[4], request->argument[5]);
    }
    if (resume) {
        /* Most often it waits in a fault that the caller has received. */
        if (likely(thread->state == THREAD_WAITING && thread->is_faulted)) {
            thread->server->reply_to = NULL;
            sched_wake(cpu, thread);
        } else {
            thread_restart(thread);
        }
    }
}

struct result sys_tcb_write(uint64_t cap, uint64_t resume, uint64_t count, uint64_t pc, uint64_t sp,
                            uint64_t spsr, uint64_t x0)
{
    struct cpu *cpu = this_cpu();
    struct thread *caller = cpu->current;
    struct thread *thread = find_child(caller, cap);

    if (unlikely(thread == NULL)) {
        thread = find_in_cspace(caller, cap, SYSTEM_CAP_TCB);
        if (thread == NULL) {
            return bad_capability(cap, resume, seL4_SysTCBWrite);
        }
        if (thread == caller) {
            return error(count > USER_WORDS ? seL4_TruncatedMessage : seL4_IllegalOperation);
        }
    }
    if (unlikely(count > USER_WORDS)) {
        return error(seL4_TruncatedMessage);
    }
    struct request request = {caller, thread, {resume, count, pc, sp, spsr, x0}, success};

    return execute(cpu, tcb_write, &request);
}

static inline void tcb_suspend(struct cpu *cpu, void *argument)
{
    struct request *request = argument;

    take_off(cpu, request);
    thread_suspend(request->thread);
    if (request->thread == request->caller) {
        /* Resumed, it makes the call again, as on seL4. */
        write_sysreg(elr_el2, read_sysreg(elr_el2) - 4);
        request->thread->regs.x7 = seL4_SysTCBSuspend;
        request->result.x0 = request->argument[1];
    }
    unload_stopped(cpu, request);
}

struct result sys_tcb_suspend(uint64_t cap)
{
    return on_child(cap, 0, cap, tcb_suspend, seL4_SysTCBSuspend);
}

static inline void tcb_resume(struct cpu *cpu, void *argument)
{
    (void)cpu;
    thread_resume(((struct request *)argument)->thread);
}

struct result sys_tcb_resume(uint64_t cap)
{
    return on_child(cap, 0, 0, tcb_resume, seL4_SysTCBResume);
}

/* A child's priority, or the highest that it can give (seL4's MCP). */
static inline void tcb_set_priority(struct cpu *cpu, void *argument)
{
    struct request *request = argument;
    struct thread *thread = request->thread;
    bool was_ready = thread->state == THREAD_READY;

    take_off(cpu, request);
    if (was_ready) {
        sched_remove(cpu, thread);
    } else if (thread->state == THREAD_SENDING) {
        queue_remove(&thread->server->senders, thread);
    }
    thread->priority = (uint8_t)request->argument[0];
    sched_priority_changed(cpu, thread);
    if (was_ready) {
        sched_ready(cpu, thread);
    } else if (thread->state == THREAD_SENDING) {
        queue_insert_by_priority(&thread->server->senders, thread);
    }
}

struct result sys_tcb_set_priority(uint64_t cap, uint64_t priority, uint64_t authority,
                                   uint64_t is_maximum)
{
    const struct thread *caller = this_cpu()->current;
    struct thread *thread = find_tcb(caller, cap);
    const struct thread *by = find_tcb(caller, authority);

    if (thread == NULL) {
        return bad_capability(cap, priority, seL4_SysTCBSetPriority);
    }
    if (by == NULL) {
        return bad_argument(authority, priority, seL4_SysTCBSetPriority);
    }
    if (priority > by->max_priority) {
        return error(seL4_RangeError);
    }
    if (is_maximum) {
        thread->max_priority = (uint8_t)priority;
        return success;
    }
    return on_child(cap, priority, 0, tcb_set_priority, seL4_SysTCBSetPriority);
}

/* ---- Scheduling contexts and address spaces, of <cspace> ---- */

static void sc_bind(struct cpu *cpu, void *argument)
{
    struct request *request = argument;

    sched_bind(cpu, request->thread, request->argument[0] == seL4_internal_sc_bind);
}

/* Have the context's holder run, if it could now and is not below the caller. */
static struct result sc_yield_to(struct cpu *cpu, struct thread *thread)
{
    struct thread *holder = sched_holder(thread);
    const struct thread *caller = cpu->current;

    if (holder == NULL || holder == caller || holder->priority > caller->max_priority) {
        return error(seL4_IllegalOperation);
    }
    if (holder->state == THREAD_READY && !smp_is_remote(cpu, holder)) {
        sched_remove(cpu, holder);
        sched_ready_in_front(cpu, holder);
    }
    return success;
}

struct result sys_sched_context(uint64_t cap, uint64_t operation, uint64_t object)
{
    struct cpu *cpu = this_cpu();
    struct thread *caller = cpu->current;
    struct thread *thread = find_in_cspace(caller, cap, SYSTEM_CAP_SC);
    struct request request = {caller, thread, {operation}, success};

    if (thread == NULL) {
        return bad_capability(cap, operation, seL4_SysSchedContext);
    }
    if (operation == seL4_internal_sc_consumed) {
        return (struct result){seL4_NoError, sched_consumed(thread)};
    }
    if (operation == seL4_internal_sc_yield_to) {
        return sc_yield_to(cpu, thread);
    }
    bool is_bind = operation == seL4_internal_sc_bind;
    if (is_bind || operation == seL4_internal_sc_unbind_object) {
        const struct thread *named = find_tcb(caller, object);

        if (named == NULL) {
            return bad_argument(object, operation, seL4_SysSchedContext);
        }
        if (named != thread || is_bind == sched_is_bound(thread)) {
            return error(seL4_IllegalOperation);
        }
    }
    if (caller->sc == &thread->own) {
        return error(seL4_IllegalOperation);
    }
    return is_bind || sched_is_bound(thread) ? execute(cpu, sc_bind, &request) : success;
}

/* Cache maintenance of another PD's memory. */
struct result sys_vspace(uint64_t cap, uint64_t start, uint64_t end, uint64_t operation)
{
    const struct thread *thread = find_in_cspace(this_cpu()->current, cap, SYSTEM_CAP_VSPACE);

    if (thread == NULL) {
        return bad_capability(cap, start, seL4_SysVSpace);
    }
    if (start >= end) {
        return error(seL4_InvalidArgument);
    }
    if (end > seL4_UserTop) {
        return error(seL4_IllegalOperation);
    }
    if ((start ^ (end - 1)) >> seL4_PageBits != 0) {
        return error(seL4_RangeError);
    }
    mmu_maintain(thread->vttbr, start, end, operation);
    return success;
}

/* ---- Virtual CPUs ---- */

/* What a system call does to a vCPU. If its registers are in another core, that core does it. */
static inline struct result on_vcpu(uint64_t cap, uint64_t first, uint64_t second,
                                    request_function function, uint64_t number)
{
    struct cpu *cpu = this_cpu();
    struct thread *thread = find_vcpu(cpu->current, cap);
    struct request request = {cpu->current, thread, {first, second}, success};

    if (unlikely(thread == NULL)) {
        return bad_capability(cap, first, number);
    }
    if (smp_is_remote(cpu, thread) && thread->cpu->vcpu_loaded == thread) {
        smp_call(thread->cpu, function, &request);
    } else {
        function(smp_core_of(cpu, thread), &request);
    }
    return request.result;
}

static inline void vcpu_do_inject(struct cpu *cpu, void *argument)
{
    struct request *request = argument;

    request->result = error(vcpu_inject(cpu, request->thread, request->argument[0]));
}

struct result sys_vcpu_inject(uint64_t cap, uint64_t interrupt)
{
    return on_vcpu(cap, interrupt, 0, vcpu_do_inject, seL4_SysVCPUInject);
}

static inline void vcpu_do_read(struct cpu *cpu, void *argument)
{
    struct request *request = argument;

    smp_deschedule(cpu, request->thread);
    request->result.x0 =
        vcpu_read_register(cpu, request->thread, request->argument[0], &request->result.x1);
}

struct result sys_vcpu_read(uint64_t cap, uint64_t reg)
{
    return on_vcpu(cap, reg, 0, vcpu_do_read, seL4_SysVCPURead);
}

static inline void vcpu_do_write(struct cpu *cpu, void *argument)
{
    struct request *request = argument;

    smp_deschedule(cpu, request->thread);
    request->result = error(
        vcpu_write_register(cpu, request->thread, request->argument[0], request->argument[1]));
}

struct result sys_vcpu_write(uint64_t cap, uint64_t reg, uint64_t value)
{
    return on_vcpu(cap, reg, value, vcpu_do_write, seL4_SysVCPUWrite);
}

static inline void vcpu_do_ack_vppi(struct cpu *cpu, void *argument)
{
    struct request *request = argument;

    smp_deschedule(cpu, request->thread);
    request->result = error(vcpu_ack_vppi(request->thread, request->argument[0]));
}

struct result sys_vcpu_ack_vppi(uint64_t cap, uint64_t intid)
{
    return on_vcpu(cap, intid, 0, vcpu_do_ack_vppi, seL4_SysVCPUAckVPPI);
}

/* ---- The rest ---- */

struct result sys_debug_putchar(uint64_t c)
{
#ifdef CONFIG_PRINTING
    if ((char)c == '\n') {
        uart_putc('\r');
    }
    uart_putc((char)c);
#else
    (void)c;
#endif
    return success;
}

struct result sys_debug_halt(void)
{
#ifdef CONFIG_DEBUG_BUILD
    panic("'%s' has called seL4_DebugHalt", this_cpu()->current->config->name);
#endif
    return success;
}

#ifdef CONFIG_BENCHMARK_TRACK_UTILISATION
struct result sys_benchmark(uint64_t operation, uint64_t cap)
{
    struct cpu *cpu = this_cpu();
    struct thread *caller = cpu->current;
    struct thread *thread = find_tcb(caller, cap);

    switch (operation) {
    case seL4_internal_benchmark_reset_log:
        benchmark_start(cpu);
        break;
    case seL4_internal_benchmark_finalize_log:
        benchmark_stop(cpu);
        break;
    case seL4_internal_benchmark_get:
        if (thread != NULL) {
            benchmark_report(cpu, thread, caller->words);
        }
        break;
    case seL4_internal_benchmark_reset:
        if (thread != NULL) {
            benchmark_reset(thread);
        }
        break;
    default: /* measures the way into the kernel and out of it */
        break;
    }
    return success;
}
#endif

struct result sys_smc(uint64_t cap)
{
    struct thread *thread = this_cpu()->current;

    if (unlikely(cap != CAP_SMC || !(thread->config->flags & SYSTEM_THREAD_SMC))) {
        return bad_capability(cap, 0, seL4_SysSMC);
    }
    firmware_call(thread->words);
    return success;
}
