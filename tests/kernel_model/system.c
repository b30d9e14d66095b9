/* SPDX-License-Identifier: BSD-2-Clause */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "sdk/kernel/domain.h"
#include "sdk/kernel/irq.h"
#include "sdk/kernel/sched.h"
#include "spec.h"

#define SLICE 3, 3 /* a budget that is a time slice */

struct system_thread model_threads[MODEL_THREADS];
struct system_turn model_turns[3];
struct system_header model_header;
seL4_IPCBuffer model_buffers[MODEL_THREADS];
struct model_irq model_irqs[MODEL_IRQS];
unsigned model_irq_count, model_core_count;
uint8_t model_priorities[2];

/* ---- The parts of a system ---- */

static struct system_thread *add(char letter, uint8_t kind, uint8_t priority, uint64_t budget,
                                 uint64_t period)
{
    unsigned self = model_header.thread_count++;
    struct system_thread *thread = &model_threads[self];

    thread->name[0] = letter;
    thread->kind = kind;
    thread->priority = priority;
    thread->budget_us = budget;
    thread->period_us = period;
    thread->child_id = (uint8_t)self;
    thread->parent = SYSTEM_NONE;
    thread->vmid = (uint16_t)(self + 1);
    thread->ipc_buffer = (uint64_t)&model_buffers[self];
    for (unsigned i = 0; i < SYSTEM_MAX_CHILDREN; i++) {
        thread->child_pds[i] = thread->child_vcpus[i] = SYSTEM_NONE;
    }
    return thread;
}

static unsigned pd(char letter, uint8_t priority, uint64_t budget, uint64_t period)
{
    add(letter, SYSTEM_THREAD_PD, priority, budget, period);
    return model_header.thread_count - 1;
}

static unsigned vcpu(char letter, uint8_t priority, unsigned parent)
{
    struct system_thread *thread = add(letter, SYSTEM_THREAD_VCPU, priority, SLICE);
    unsigned self = model_header.thread_count - 1;

    thread->parent = (uint16_t)parent;
    model_threads[parent].child_vcpus[self] = (uint16_t)self;
    return self;
}

static void child(unsigned self, unsigned parent)
{
    model_threads[self].parent = (uint16_t)parent;
    model_threads[parent].child_pds[self] = (uint16_t)self;
}

/* `flags` are those of the end at `from`: what it may do to `to`. The channel's id is the other
 * end's number. */
static void channel(unsigned from, unsigned to, uint8_t flags)
{
    model_threads[from].channels[to].kind = SYSTEM_CHANNEL_PD;
    model_threads[from].channels[to].flags |= flags;
    model_threads[from].channels[to].peer = (uint16_t)to;
    model_threads[from].channels[to].peer_channel = (uint8_t)from;
}

static void irq(unsigned owner)
{
    struct system_channel *entry = &model_threads[owner].channels[MODEL_IRQ_ID + model_irq_count];

    entry->kind = SYSTEM_CHANNEL_IRQ;
    entry->peer = (uint16_t)(MACHINE_INTID + model_irq_count);
    model_irqs[model_irq_count].owner = (int)owner;
    model_irq_count++;
}

static void capability(unsigned holder, unsigned slot, uint8_t kind, unsigned thread)
{
    model_threads[holder].user_caps[slot] = (struct system_cap){kind, (uint8_t)thread};
}

#define NOTIFY SYSTEM_CHANNEL_MAY_NOTIFY
#define CALL   SYSTEM_CHANNEL_MAY_CALL

/* ---- Systems ---- */

static void build_server(void)
{
    unsigned server = pd('S', 3, SLICE);
    unsigned limited = pd('L', 2, 2, 5);
    unsigned equal = pd('E', 2, SLICE);

    channel(limited, server, NOTIFY | CALL);
    channel(equal, server, NOTIFY | CALL);
    channel(server, limited, NOTIFY);
    channel(server, equal, NOTIFY);
    irq(server);
    irq(equal);
}

static void build_family(void)
{
    unsigned parent = pd('P', 4, SLICE);
    unsigned server = pd('S', 3, 3, 7);
    unsigned one = pd('C', 2, SLICE);
    unsigned two = pd('D', 2, SLICE);

    child(one, parent);
    child(two, parent);
    child(server, parent);
    channel(one, server, CALL);
    channel(two, server, CALL);
    channel(two, one, NOTIFY);
    irq(parent);
    model_priorities[0] = 2;
    model_priorities[1] = 1;
}

static void build_machine(void)
{
    unsigned monitor = pd('M', 3, 2, 5);
    unsigned other = pd('O', 2, SLICE);

    vcpu('V', 1, monitor);
    vcpu('W', 1, monitor);
    channel(other, monitor, NOTIFY | CALL);
    irq(monitor);
    irq(other);
    model_priorities[0] = 1;
    model_priorities[1] = 2;
}

static void build_passive(void)
{
    unsigned parent = pd('P', 5, SLICE);
    unsigned deep = pd('Q', 4, SLICE);
    unsigned server = pd('S', 3, SLICE);
    unsigned one = pd('C', 2, 2, 5);
    unsigned two = pd('D', 2, 2, 4);

    model_threads[deep].flags |= SYSTEM_THREAD_PASSIVE;
    model_threads[server].flags |= SYSTEM_THREAD_PASSIVE;
    child(one, parent);
    child(server, parent);
    child(two, server); /* its faults are a passive PD's to handle */
    channel(one, server, CALL | NOTIFY);
    channel(two, server, CALL);
    channel(server, deep, CALL | NOTIFY);
    irq(parent);
    model_priorities[0] = 2;
    model_priorities[1] = 3;
}

static void build_equals(void)
{
    unsigned equal = pd('U', 3, SLICE);
    unsigned server = pd('S', 3, SLICE);
    unsigned one = pd('E', 2, SLICE);
    unsigned two = pd('F', 2, SLICE);

    model_threads[server].flags |= SYSTEM_THREAD_PASSIVE;
    child(two, server);
    channel(one, server, CALL);
    channel(two, server, CALL);
    irq(equal);
    model_priorities[0] = 2;
    model_priorities[1] = 1;
}

static void build_light(void)
{
    unsigned above = pd('A', 3, SLICE);
    unsigned light = pd('L', 2, SLICE);
    unsigned other = pd('O', 2, SLICE);

    pd('E', 2, SLICE);
    pd('F', 2, SLICE);
    channel(above, light, NOTIFY);
    channel(above, other, NOTIFY);
    irq(above);
    irq(light);
}

static void build_domains(void)
{
    unsigned parent = pd('P', 3, SLICE);
    unsigned limited = pd('L', 2, 2, 5);
    unsigned equal = pd('E', 2, SLICE);
    unsigned there = pd('T', 3, 2, 4);

    child(limited, parent);
    child(equal, parent);
    channel(limited, parent, CALL);
    channel(equal, there, NOTIFY | CALL);
    channel(there, equal, NOTIFY);
    model_threads[there].domain = 1;
    model_threads[equal].domain = 1;
    model_turns[0] = (struct system_turn){4, 1, 0};
    model_turns[1] = (struct system_turn){3, 1, 1};
    model_turns[2] = (struct system_turn){2, 1, 1};
    model_header.turn_count = 3;
    irq(parent);
    irq(there);
    model_priorities[0] = 2;
    model_priorities[1] = 3;
}

static void build_contexts(void)
{
    unsigned scheduler = pd('P', 4, SLICE);
    unsigned server = pd('S', 3, SLICE);
    unsigned limited = pd('L', 2, 2, 5);
    unsigned equal = pd('E', 2, SLICE);

    model_threads[server].flags |= SYSTEM_THREAD_PASSIVE;
    for (unsigned i = server; i <= equal; i++) {
        capability(scheduler, i, SYSTEM_CAP_TCB, i);
        capability(scheduler, i + 10, SYSTEM_CAP_SC, i);
    }
    channel(limited, server, CALL);
    channel(equal, server, CALL);
    irq(scheduler);
    model_priorities[0] = 2;
    model_priorities[1] = 3;
}

static void build_cores(void)
{
    unsigned monitor = pd('M', 3, 2, 5);
    unsigned server = pd('S', 3, SLICE);
    unsigned here = vcpu('V', 1, monitor);
    unsigned there = vcpu('W', 1, monitor);
    unsigned peer = pd('C', 1, SLICE);

    model_threads[server].core = 1;
    model_threads[there].core = 1;
    model_threads[peer].core = 1;
    (void)here;
    child(peer, monitor);
    channel(peer, server, CALL);
    channel(peer, monitor, CALL | NOTIFY);
    channel(monitor, server, NOTIFY | CALL);
    channel(server, monitor, NOTIFY);
    irq(monitor);
    irq(server);
    model_priorities[0] = 1;
    model_priorities[1] = 2;
}

static void build_contexts_of_cores(void)
{
    unsigned scheduler = pd('P', 4, SLICE);
    unsigned server = pd('S', 3, SLICE);
    unsigned limited = pd('L', 2, 2, 5);
    unsigned equal = pd('E', 2, SLICE);

    model_threads[server].flags |= SYSTEM_THREAD_PASSIVE;
    for (unsigned i = server; i <= equal; i++) {
        model_threads[i].core = 1;
        capability(scheduler, i, SYSTEM_CAP_TCB, i);
        capability(scheduler, i + 10, SYSTEM_CAP_SC, i);
    }
    channel(limited, server, CALL);
    channel(equal, server, CALL);
    channel(equal, scheduler, NOTIFY);
    irq(scheduler);
    model_priorities[0] = 2;
    model_priorities[1] = 3;
}

const struct model_system model_systems[] = {
    {"server", "a server, a client with a budget, and its equal", build_server, 1, 99},
    {"family", "a parent, two equal children, and a server among its children", build_family, 1, 4},
    {"machine", "a monitor, two vCPUs of it, and a PD between", build_machine, 1, 3},
    {"passive", "passive servers, one behind the other", build_passive, 1, 3},
    {"equals", "a passive server with an equal, and equal clients", build_equals, 1, 3},
    {"light", "four equals, two of which are woken", build_light, 1, 3},
    {"domains", "two domains in three turns", build_domains, 1, 99},
    {"contexts", "a PD that binds others' contexts", build_contexts, 1, 3},
    {"cores", "a monitor with vCPUs on two cores", build_cores, 2, 3},
    {"contexts2", "a PD that binds another core's contexts", build_contexts_of_cores, 2, 3},
};
const unsigned model_system_count = sizeof model_systems / sizeof model_systems[0];

/* ---- Booting ---- */

static void boot(struct cpu *cpu, void *argument)
{
    (void)argument;
    cpu_switch(cpu);
    kernel_lock = 0;
}

static void reset(void)
{
    memset(model_threads, 0, sizeof model_threads);
    memset(&model_header, 0, sizeof model_header);
    memset(model_buffers, 0, sizeof model_buffers);
    memset(model_irqs, 0, sizeof model_irqs);
    memset(step_waiting, 0, sizeof step_waiting);
    memset(threads, 0, sizeof threads[0] * MODEL_THREADS);
    memset(domain_queues(), 0, SYSTEM_MAX_DOMAINS * sizeof(struct queue));
    memset(&turn, 0, sizeof turn);
    model_irq_count = 0;
    machine_reset();
    machine_pass(1000);
}

/* Those who wait from the beginning do so now. */
static void settle(unsigned core, unsigned priority)
{
    const struct cpu *cpu = cpu_of_core(core);

    while (machine_cores[core].place == CORE_RUNS && cpu->current->priority >= priority) {
        if ((cpu->current->config->flags & SYSTEM_THREAD_PASSIVE) && !cpu->current->passive) {
            step_do((struct step){STEP_PASSIVE, (uint8_t)core, 0, 0});
        }
        step_do((struct step){STEP_RECV, (uint8_t)core, 0, 0});
    }
}

void model_boot(const struct model_system *system)
{
    reset();
    system->build();
    model_core_count = system->cores;
    model_header.threads = (uint64_t)model_threads;
    model_header.turns = (uint64_t)model_turns;
    for (unsigned i = 0; i < model_irq_count; i++) {
        model_irqs[i].core = model_threads[model_irqs[i].owner].core;
    }
    for (unsigned core = 0; core < model_core_count; core++) {
        sched_init(cpu_of_core(core));
    }
    thread_init_all(&model_header);
    irq_init();
    if (model_header.turn_count != 0) {
        domain_init(cpu_of_core(0), &model_header);
    }
    spec_init();
    for (unsigned core = 0; core < model_core_count; core++) {
        machine_enter(core);
        kernel_lock = 1;
        if (machine_run(boot, cpu_of_core(core), NULL) == END_IDLE) {
            machine_cores[core].place = CORE_IDLES;
        } else {
            spec.running[core] = (int16_t)index_of(cpu_of_core(core)->current);
        }
    }
    invariant_check();
    for (unsigned core = 0; core < model_core_count; core++) {
        settle(core, system->waiting);
    }
}
