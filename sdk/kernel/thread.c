/* SPDX-License-Identifier: BSD-2-Clause */

#include "thread.h"

#include "cpu.h"
#include "fault.h"
#include "ipc.h"
#include "registers.h"
#include "sched.h"
#include "timer.h"

struct thread threads[SYSTEM_MAX_THREADS];
uint32_t thread_count;

const uint8_t register_position[31] = {3,  4,  5,  6,  7,  8,  9,  10, 11, 17, 18,
                                       19, 20, 21, 22, 23, 12, 13, 14, 24, 25, 26,
                                       27, 28, 29, 30, 31, 32, 33, 15, 16};

/* ---- Queues ---- */

void queue_push_tail(struct queue *queue, struct thread *thread)
{
    thread->queue_next = NULL;
    thread->queue_prev = queue->tail;
    if (queue->tail != NULL) {
        queue->tail->queue_next = thread;
    } else {
        queue->head = thread;
    }
    queue->tail = thread;
}

void queue_insert_behind(struct queue *queue, struct thread *before, struct thread *thread)
{
    thread->queue_prev = before;
    thread->queue_next = before != NULL ? before->queue_next : queue->head;
    *(thread->queue_next != NULL ? &thread->queue_next->queue_prev : &queue->tail) = thread;
    *(before != NULL ? &before->queue_next : &queue->head) = thread;
}

void queue_insert_by_priority(struct queue *queue, struct thread *thread)
{
    struct thread *before = queue->tail;

    while (before != NULL && before->priority < thread->priority) {
        before = before->queue_prev;
    }
    queue_insert_behind(queue, before, thread);
}

void queue_remove(struct queue *queue, struct thread *thread)
{
    if (thread->queue_prev != NULL) {
        thread->queue_prev->queue_next = thread->queue_next;
    } else {
        queue->head = thread->queue_next;
    }
    if (thread->queue_next != NULL) {
        thread->queue_next->queue_prev = thread->queue_prev;
    } else {
        queue->tail = thread->queue_prev;
    }
}

/* ---- From the boot image ---- */

static void init_one(struct thread *thread, const struct system_thread *config)
{
    thread->cpu = cpu_of_core(config->core);
    thread->domain = (uint8_t)config->domain;
    thread->config = config;
    thread->vttbr = (uint64_t)config->vmid << 48 | config->stage2_root;
    thread->cntkctl = CNTKCTL_PD;
    thread->is_vcpu = config->kind == SYSTEM_THREAD_VCPU;
    thread->priority = config->priority;
    thread->max_priority = config->priority;
    thread->parent = config->parent == SYSTEM_NONE ? NULL : &threads[config->parent];
    thread->fault_badge = FAULT_BADGE | config->child_id;
    thread->sc = &thread->own;
    thread->state = THREAD_STOPPED;
    thread->resume = RESUME_RUN;
    thread->own.budget = timer_ticks(config->budget_us);
    thread->own.period = timer_ticks(config->period_us);
    thread->own.remaining = thread->own.budget;
    thread->own.limited = thread->own.budget < thread->own.period;
    thread->own.accounted |= thread->own.limited;
    for (unsigned slot = 0; slot < SYSTEM_MAX_USER_CAPS; slot++) {
        if (config->user_caps[slot].kind == SYSTEM_CAP_SC) {
            threads[config->user_caps[slot].thread].own.accounted = true;
        }
    }
    if (thread->is_vcpu) {
        vcpu_init(thread);
    } else {
        thread->regs.pc = config->entry;
        thread->regs.sp = config->stack_top;
        thread->regs.spsr = thread_sanitize_spsr(thread, 0);
        thread->words = ((seL4_IPCBuffer *)config->ipc_buffer)->msg;
        sched_ready(thread->cpu, thread);
    }
}

void thread_init_all(const struct system_header *system)
{
    const struct system_thread *table = (const struct system_thread *)system->threads;

    thread_count = system->thread_count;
    for (uint32_t i = 0; i < thread_count; i++) {
        init_one(&threads[i], &table[i]);
    }
}

/* ---- Suspend and resume ---- */

void thread_suspend(struct thread *thread)
{
    switch (thread->state) {
    case THREAD_READY:
        sched_remove(thread->cpu, thread);
        thread->resume = RESUME_RUN;
        break;
    case THREAD_RECEIVING:
        thread->resume = RESUME_RECEIVE;
        break;
    case THREAD_SENDING:
    case THREAD_WAITING:
        thread->resume = thread->is_faulted ? RESUME_RUN : RESUME_CALL;
        ipc_cancel(thread);
        break;
    case THREAD_STOPPED:
        break;
    }
    thread->state = THREAD_STOPPED;
}

void thread_restart(struct thread *thread)
{
    if (thread->state == THREAD_READY) {
        return;
    }
    if (thread->state == THREAD_SENDING || thread->state == THREAD_WAITING) {
        ipc_cancel(thread);
    }
    if (thread->sc == NULL) {
        thread->sc = &thread->own; /* a passive PD that waited had no context */
    }
    sched_wake(this_cpu(), thread);
}

void thread_resume(struct thread *thread)
{
    if (thread->state == THREAD_READY || thread->state == THREAD_RECEIVING) {
        return;
    }
    if (thread->state != THREAD_STOPPED) {
        thread_suspend(thread);
    }
    switch (thread->resume) {
    case RESUME_RUN:
        thread_restart(thread);
        break;
    case RESUME_RECEIVE:
        ipc_restart_receive(thread);
        break;
    case RESUME_CALL:
        ipc_restart_call(thread);
        break;
    }
}

uint64_t thread_sanitize_spsr(const struct thread *thread, uint64_t spsr)
{
    if (!thread->is_vcpu) {
        return (spsr & SPSR_OF_EL0) | SPSR_F | SPSR_EL0T;
    }
    if ((spsr & SPSR_AARCH32) && (read_sysreg(id_aa64pfr0_el1) & 0xf) == PFR0_EL0_AARCH32) {
        return (spsr & SPSR_OF_USER32) | SPSR_AARCH32;
    }
    uint64_t mode = spsr & (SPSR_AARCH32 | SPSR_MODE);
    if (mode != SPSR_EL0T && mode != SPSR_EL1T) {
        mode = SPSR_EL1H;
    }
    return (spsr & SPSR_OF_EL1) | mode;
}
