/* SPDX-License-Identifier: BSD-2-Clause */

#include "domain.h"

#include "timer.h"

struct turn turn;

static struct queue waiting[SYSTEM_MAX_DOMAINS];

static void begin(uint32_t index, uint64_t now)
{
    const struct system_turn *entry = &turn.schedule[index];

    turn.index = index;
    turn.domain = entry->domain;
    turn.end = now + (entry->in_ticks ? entry->duration : timer_ticks(entry->duration));
}

void domain_init(struct cpu *cpu, const struct system_header *system)
{
    cpu->has_domains = true;
    turn.schedule = (const struct system_turn *)system->turns;
    turn.count = system->turn_count;
    begin(0, timer_now());
    cpu->timer_at = turn.end;
    timer_set(turn.end);
}

bool domain_next_turn(uint64_t now)
{
    uint32_t before = turn.domain;

    begin(turn.index + 1 < turn.count ? turn.index + 1 : 0, now);
    return turn.domain != before;
}

void domain_wait(struct thread *thread)
{
    queue_push_tail(&waiting[thread->domain], thread);
    thread->waits_for_turn = true;
}

void domain_remove(struct thread *thread)
{
    queue_remove(&waiting[thread->domain], thread);
    thread->waits_for_turn = false;
}

struct thread *domain_take(void)
{
    struct thread *thread = waiting[turn.domain].head;

    if (thread != NULL) {
        domain_remove(thread);
    }
    return thread;
}
