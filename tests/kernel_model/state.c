/* SPDX-License-Identifier: BSD-2-Clause */

#include <string.h>
#include "sdk/kernel/domain.h"
#include "spec.h"

/* ---- To go back to ---- */

#define THREAD_BYTES offsetof(struct thread, vcpu) /* what follows is of no interest */
#define CPU_BYTES    offsetof(struct cpu, ready)
#define CPU_REST     offsetof(struct cpu, core)

struct state {
    uint8_t thread[MODEL_THREADS][THREAD_BYTES];
    struct {
        uint8_t front[CPU_BYTES];
        struct queue ready[MODEL_PRIORITIES];
        struct level levels[MODEL_PRIORITIES];
        uint8_t rest[sizeof(struct cpu) - CPU_REST];
    } cpu[MACHINE_CORES];
    struct machine_core core[MACHINE_CORES];
    struct step waiting[MACHINE_CORES];
    struct turn turn;
    struct queue domain[2];
    uint64_t word[MODEL_THREADS];
    struct spec spec;
};

const size_t state_size = sizeof(struct state);

void state_save(struct state *state)
{
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        memcpy(state->thread[i], &threads[i], THREAD_BYTES);
        state->word[i] = model_buffers[i].msg[0];
    }
    for (unsigned i = 0; i < model_core_count; i++) {
        const struct cpu *cpu = cpu_of_core(i);

        memcpy(state->cpu[i].front, cpu, CPU_BYTES);
        memcpy(state->cpu[i].ready, cpu->ready, sizeof state->cpu[i].ready);
        memcpy(state->cpu[i].levels, cpu->levels, sizeof state->cpu[i].levels);
        memcpy(state->cpu[i].rest, (const char *)cpu + CPU_REST, sizeof state->cpu[i].rest);
    }
    memcpy(state->core, machine_cores, sizeof state->core);
    memcpy(state->waiting, step_waiting, sizeof state->waiting);
    memcpy(state->domain, domain_queues(), sizeof state->domain);
    state->turn = turn;
    state->spec = spec;
}

void state_restore(const struct state *state)
{
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        memcpy(&threads[i], state->thread[i], THREAD_BYTES);
        model_buffers[i].msg[0] = state->word[i];
    }
    for (unsigned i = 0; i < model_core_count; i++) {
        struct cpu *cpu = cpu_of_core(i);

        memcpy(cpu, state->cpu[i].front, CPU_BYTES);
        memcpy(cpu->ready, state->cpu[i].ready, sizeof state->cpu[i].ready);
        memcpy(cpu->levels, state->cpu[i].levels, sizeof state->cpu[i].levels);
        memcpy((char *)cpu + CPU_REST, state->cpu[i].rest, sizeof state->cpu[i].rest);
    }
    memcpy(machine_cores, state->core, sizeof state->core);
    memcpy(step_waiting, state->waiting, sizeof state->waiting);
    memcpy(domain_queues(), state->domain, sizeof state->domain);
    turn = state->turn;
    spec = state->spec;
}

/* ---- To recognise ---- */

static uint64_t hash;

static inline void put(uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15ul;
    hash ^= hash >> 29;
}

/* A time that is to come, from now on; one that has been is as good as any other. */
static inline void put_time(uint64_t time)
{
    put(time == UINT64_MAX ? time : time > model_now() ? time - model_now() : 0);
}

static void put_queue(const struct thread *head)
{
    for (; head != NULL; head = head->queue_next) {
        put((uint64_t)index_of(head));
    }
    put(UINT64_MAX);
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

/* What equals have had: more than enough for a renewal is as good as enough. */
static void put_slice(unsigned i)
{
    const struct thread *thread = &threads[i];
    const struct sched_context *own = &thread->own;
    const struct spec_context *expected = &spec.context[i];
    const struct level *level = &thread->cpu->levels[thread->priority];
    uint64_t enough = (RENEWAL_PART + 1) * own->budget;

    put(own->renewals | (uint64_t)(level->ends != own->level_ends) << 8 |
        (uint64_t)expected->other_ended << 9 | (uint64_t)expected->renewals << 16);
    put(at_most(level->used - own->level_used, enough) << 32 | at_most(expected->others, enough));
    put(expected->left);
}

static void put_context(unsigned i)
{
    const struct thread *thread = &threads[i];

    put(thread->own.remaining);
    put(thread->own.limited);
    put_time(thread->own.replenish_at);
    if (spec.context[i].unbound) {
        put(thread->bound.remaining);
        put_time(thread->bound.replenish_at);
    }
    if (thread->own.budget < thread->own.period) {
        put(spec.context[i].used);
    }
    put_time(spec.context[i].claim);
    put_slice(i);
}

static void put_thread(unsigned i)
{
    const struct thread *thread = &threads[i];
    const struct spec_thread *expected = &spec.thread[i];
    bool sends = thread->state == THREAD_SENDING || thread->state == THREAD_WAITING ||
                 (thread->state == THREAD_STOPPED && thread->resume == RESUME_CALL);

    put(thread->state | (uint64_t)thread->priority << 8 | (uint64_t)thread->passive << 16 |
        (uint64_t)thread->max_priority << 24 |
        (uint64_t)(thread->state == THREAD_STOPPED ? thread->resume : 0) << 32 |
        (uint64_t)thread->in_release_queue << 40 | (uint64_t)thread->in_inbox << 41 |
        (uint64_t)thread->waits_for_turn << 42 |
        (uint64_t)(expected->has_result << 1 | expected->has_word) << 48);
    put(thread->pending);
    put((uint64_t)owner_of(thread->sc));
    put((uint64_t)index_of(thread->reply_to));
    if (sends) {
        put((uint64_t)index_of(thread->server) | (uint64_t)expected->fault << 32);
    }
    if (expected->has_result) {
        put(expected->x0);
        put(expected->x1);
    }
    put_queue(thread->senders.head);
    put_context(i);
    for (unsigned j = 0; j < 2 * MODEL_THREADS; j += 4) {
        uint64_t four;

        memcpy(&four, &spec.waited[i][j], sizeof four);
        put(four);
    }
}

static void put_core(unsigned core)
{
    const struct cpu *cpu = cpu_of_core(core);
    const struct machine_core *machine = &machine_cores[core];
    struct step waiting = step_waiting[core];

    put((uint64_t)index_of(cpu->current) << 32 | (uint32_t)index_of(cpu->next));
    put((uint64_t)index_of(cpu->ready_cache) << 32 | (uint32_t)index_of(cpu->vcpu_loaded));
    put((uint64_t)index_of(cpu->vcpu_ready) << 32 | cpu->vcpu_active | (uint64_t)cpu->off << 8 |
        (uint64_t)machine->place << 16);
    for (unsigned i = 0; i < MODEL_PRIORITIES; i++) {
        put_queue(cpu->ready[i].head);
    }
    put_queue(cpu->release_queue);
    put_queue(cpu->inbox.head);
    if (cpu->accounting) {
        put((uint64_t)owner_of(cpu->charged));
        put(model_now() - cpu->charged_since);
    }
    put_time(cpu->timer_at);
    put_time(machine_timer(machine));
    put(machine->active << 1 | machine->sgi);
    if (machine->place == CORE_WAITS) {
        put(waiting.kind | (uint64_t)waiting.a << 8 | (uint64_t)waiting.b << 16 |
            (uint64_t)cpu->withdrawn << 24 | (uint64_t)cpu->in_call << 25);
    }
    put((uint64_t)spec.running[core] << 8 | spec.timers[core]);
}

uint64_t state_hash(void)
{
    hash = 0x243f6a8885a308d3ul;
    for (unsigned i = 0; i < model_header.thread_count; i++) {
        put_thread(i);
    }
    for (unsigned i = 0; i < model_core_count; i++) {
        put_core(i);
    }
    if (model_header.turn_count != 0) {
        put(turn.index);
        put_time(turn.end);
        put_queue(domain_queues()[0].head);
        put_queue(domain_queues()[1].head);
    }
    return hash ^ hash >> 32;
}
