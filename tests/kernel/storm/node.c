/* SPDX-License-Identifier: BSD-2-Clause */

/* A node of the storm. Node 0 is the judge. */

#include <string.h>
#include "storm.h"

#define TO_SERVER         10 /* and the server's number */
#define TO_PUMP           20
#define CHILD             1
#define VCPU              0
#define GUEST_RAM         0x40000000ul
#define GUEST_ENTRY       (GUEST_RAM + 0x800)
#define GUEST_BEGINS      0x30
#define GUEST_PSTATE      0x3c5 /* EL1h, D, A, I and F masked */
#define PATTERN           0x5ca1ab1eul
#define PROGRAM_ENTRY     0x200000ul
#define INTID             40
#define CHILDREN_PRIORITY 10 /* the PD's and the vCPU's */
#define SETTLE_MS         200

#define REGISTER_WORDS (sizeof(seL4_UserContext) / sizeof(seL4_Word))

extern const char guest_start[], guest_end[];

static unsigned self;
static uint64_t state;         /* of the random numbers */
static bool pending;           /* an interrupt is in the list register */
static bool child_runs = true; /* it starts by itself */
static bool child_may_be_stopped = true;
static bool started, judged;
static uint64_t thread_id; /* what TPIDR_EL1 was set to */
static uint64_t settled_at;

static uint64_t draw(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* ---- What a node does ---- */

static void notify_one(void)
{
    unsigned other = (unsigned)draw(shared->nodes);

    if (other != self) {
        shared->node[self].sent[other]++;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        microkit_notify(other);
    }
}

static void call_one(void)
{
    unsigned other = (unsigned)draw(shared->nodes);
    uint64_t number = draw(UINT64_MAX);

    microkit_mr_set(0, number);
    microkit_ppcall(TO_SERVER + other, microkit_msginfo_new(0, 1));
    shared->node[self].calls++;
    if (microkit_mr_get(0) != answer_to(number)) {
        shared->node[self].wrong_answers++;
    }
}

static void start_child(void)
{
    child_runs = true;
    child_may_be_stopped = draw(2);
    if (!child_may_be_stopped) {
        shared->node[self].faults_due++;
    }
    microkit_pd_restart(CHILD, PROGRAM_ENTRY);
}

static void stop_child(void)
{
    if (child_runs && child_may_be_stopped) {
        microkit_pd_stop(CHILD);
        shared->node[self].child_stops++;
        start_child();
    }
}

/* Behind its first instructions the guest always has the pattern in x28. */
static void check_guest(const seL4_UserContext *context)
{
    if (context->x28 != PATTERN && context->pc - GUEST_ENTRY > GUEST_BEGINS) {
        shared->node[self].bad_registers++;
    }
}

static void stop_guest(void)
{
    seL4_UserContext context;

    if (pending) {
        return; /* the event of its end would be withdrawn */
    }
    microkit_vcpu_stop(VCPU);
    seL4_TCB_ReadRegisters(BASE_VM_TCB_CAP + VCPU, false, 0, REGISTER_WORDS, &context);
    check_guest(&context);
    shared->node[self].stops++;
    seL4_TCB_Resume(BASE_VM_TCB_CAP + VCPU);
}

static void inject(void)
{
    if (!pending) {
        pending = true;
        shared->node[self].injected++;
        microkit_vcpu_arm_inject_irq(VCPU, INTID, 0, 0, draw(4));
    }
}

static void exchange_register(void)
{
    if (microkit_vcpu_arm_read_reg(VCPU, seL4_VCPUReg_TPIDR_EL1) != thread_id) {
        shared->node[self].bad_registers++;
    }
    thread_id = draw(UINT64_MAX);
    microkit_vcpu_arm_write_reg(VCPU, seL4_VCPUReg_TPIDR_EL1, thread_id);
}

static void read_running(void)
{
    seL4_UserContext context;

    seL4_TCB_ReadRegisters(BASE_VM_TCB_CAP + VCPU, false, 0, REGISTER_WORDS, &context);
    check_guest(&context);
}

/* To another priority and back, wherever the thread is just now. */
static void change_priority(seL4_TCB tcb)
{
    if (seL4_TCB_SetPriority(tcb, tcb, CHILDREN_PRIORITY - 1 - draw(2)) != seL4_NoError ||
        seL4_TCB_SetPriority(tcb, tcb, CHILDREN_PRIORITY) != seL4_NoError) {
        shared->node[self].wrong_answers++;
    }
}

static void act(void)
{
    switch (draw(9)) {
    case 0:
    case 1:
        notify_one();
        break;
    case 2:
        call_one();
        break;
    case 3:
        stop_child();
        break;
    case 4:
        stop_guest();
        break;
    case 5:
        inject();
        break;
    case 6:
        exchange_register();
        break;
    case 7:
        read_running();
        break;
    case 8:
        change_priority(draw(2) ? BASE_TCB_CAP + CHILD : BASE_VM_TCB_CAP + VCPU);
        break;
    }
}

/* ---- Judging ---- */

static bool all_seen(void)
{
    for (unsigned from = 0; from < shared->nodes; from++) {
        for (unsigned to = 0; to < shared->nodes; to++) {
            if (shared->node[from].sent[to] != shared->node[to].seen[from]) {
                return false;
            }
        }
    }
    return true;
}

#define SUM(field)                                                                                 \
    ({                                                                                             \
        uint64_t sum = 0;                                                                          \
        for (unsigned n_ = 0; n_ < shared->nodes; n_++) {                                          \
            sum += shared->node[n_].field;                                                         \
        }                                                                                          \
        sum;                                                                                       \
    })

static uint64_t notifications(void)
{
    uint64_t all = 0;

    for (unsigned n = 0; n < NODES; n++) {
        all += SUM(sent[n]);
    }
    return all;
}

/* On a busy host that takes longer than a storm may be meant to last. */
static bool each_kind_happened(void)
{
    return notifications() >= OFTEN && SUM(calls) >= OFTEN && SUM(faults) >= OFTEN &&
           SUM(child_stops) >= OFTEN && SUM(ended) >= OFTEN && SUM(stops) >= OFTEN &&
           SUM(exits) >= OFTEN;
}

static bool must_end(void)
{
    uint64_t time = now();

    return time >= shared->until &&
           (each_kind_happened() || time >= shared->until + STORM_LIMIT * ticks_in_millisecond());
}

static void judge(void)
{
    check("no_notification_is_lost", all_seen());
    check_equal("no_call_is_lost", SUM(served), SUM(calls));
    check_equal("answers_are_right", SUM(wrong_answers), 0);
    check_equal("no_fault_is_lost", SUM(faults), SUM(faults_due));
    check_equal("no_interrupt_is_lost", SUM(ended), SUM(injected));
    check_equal("registers_are_right", SUM(bad_registers), 0);
    check("each_kind_happened", each_kind_happened());
    say("storm: seed ");
    say_number(shared->seed);
    say(", notifications ");
    say_number(notifications());
    say(", calls ");
    say_number(SUM(calls));
    say(", children's lives ");
    say_number(SUM(lives));
    say(", faults ");
    say_number(SUM(faults));
    say(", their stops ");
    say_number(SUM(child_stops));
    say(", interrupts ");
    say_number(SUM(ended));
    say(", stops ");
    say_number(SUM(stops));
    say(", exits ");
    say_number(SUM(exits));
    say("\n");
    done();
}

/* ---- Events ---- */

/* At EL1, with interrupts masked: microkit_vcpu_restart leaves PSTATE to what it was. */
static void start_guest(void)
{
    seL4_UserContext context = {.pc = GUEST_ENTRY, .spsr = GUEST_PSTATE};

    seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + VCPU, true, 0, 3, &context);
}

static void begin(void)
{
    started = true;
    state = shared->seed + self * 0x9e3779b97f4a7c15ul + 1;
    /* cppcheck-suppress comparePointers ; two symbols of one section */
    memcpy((void *)GUEST_RAM, guest_start, (size_t)(guest_end - guest_start));
    __asm__ volatile("dsb sy");
    start_guest();
    if (!child_runs) {
        start_child();
    }
}

static void pumped(void)
{
    if (shared->until == 0) {
        microkit_notify(TO_PUMP);
        return;
    }
    if (!started) {
        begin();
    }
    if (self == 0 && !shared->over && must_end()) {
        shared->over = true;
    }
    if (!shared->over) {
        for (uint64_t left = 1 + draw(64); left > 0; left--) {
            act();
        }
    } else if (!pending && !child_runs) {
        __atomic_fetch_or(&shared->quiet, 1ul << self, __ATOMIC_SEQ_CST);
    }
    if (self == 0 && !judged && shared->quiet == (1ul << shared->nodes) - 1) {
        if (settled_at == 0) {
            settled_at = now() + SETTLE_MS * ticks_in_millisecond();
        } else if (now() > settled_at) {
            judged = true;
            judge();
        }
    }
    microkit_notify(TO_PUMP);
}

void init(void)
{
    self = number_in_name();
    if (self == 0) {
        shared->nodes = STORM_NODES;
        shared->seed = STORM_SEED;
        shared->until = now() + STORM_MILLISECONDS * ticks_in_millisecond();
    }
    microkit_notify(TO_PUMP);
}

void notified(microkit_channel ch)
{
    if (ch == TO_PUMP) {
        pumped();
        return;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    shared->node[self].seen[ch] = shared->node[ch].sent[self];
}

static void child_fault(void)
{
    child_runs = false;
    if (!child_may_be_stopped) {
        shared->node[self].faults++;
    }
    if (started && !shared->over) {
        start_child();
    }
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply)
{
    seL4_UserContext context;

    *reply = microkit_msginfo_new(0, 0);
    if (child == CHILD) {
        child_fault();
        return seL4_False;
    }
    switch (microkit_msginfo_get_label(msginfo)) {
    case seL4_Fault_VGICMaintenance:
        pending = false;
        shared->node[self].ended++;
        return seL4_True;
    case seL4_Fault_VCPUFault:
        shared->node[self].exits++;
        /* pc, sp, spsr, x0: the first words */
        seL4_TCB_ReadRegisters(BASE_VM_TCB_CAP + VCPU, false, 0, 4, &context);
        context.pc += 4;
        seL4_TCB_WriteRegisters(BASE_VM_TCB_CAP + VCPU, false, 0, 1, &context);
        return seL4_True;
    default:
        say("storm: unexpected fault ");
        say_number(microkit_msginfo_get_label(msginfo));
        say("\n");
        return seL4_False;
    }
}
