/* SPDX-License-Identifier: BSD-2-Clause */

/* A scheduler in a PD: it gives time to others by capabilities for them (<cspace>). */

#include "cspace.h"

struct shared *shared;

#define TIMER   0
#define SERVER  1
#define SLEEPER 2
#define QUIET   3

#define SLOT(n)     microkit_cspace_root_slot_to_cptr(n)
#define A_SC        SLOT(1)
#define A_TCB       SLOT(2)
#define B_SC        SLOT(3)
#define B_TCB       SLOT(4)
#define OWN_SC      SLOT(5)
#define OWN_TCB     SLOT(6)
#define OWN_VSPACE  SLOT(7)
#define B_VSPACE    SLOT(8)
#define SERVER_SC   SLOT(9)
#define SERVER_TCB  SLOT(10)
#define SLEEPER_TCB SLOT(11)
#define CAPPED_SC   SLOT(12)
#define CAPPED_TCB  SLOT(13)
#define QUIET_SC    SLOT(14)
#define NOTHING     SLOT(20)

#define PRIORITY 50 /* this PD's */
#define TURN     20000ul
#define B_SHARED 0x40000000ul /* where b has `shared` */
#define B_DEVICE 0x50000000ul

#ifdef REMOTE    /* the others are on another core */
#define SLACK 50 /* microseconds that they run on, while this PD goes from one call to the next */
#else
#define SLACK 0
#endif

static uint64_t turn;
static uint64_t begun[2]; /* work that was done when the turn began */

/* ---- What is not there, or is not what the call is for ---- */

static void test_slots(void)
{
    seL4_UserContext regs = {0};

    check_equal("slot_0_is_microkits", SLOT(0), seL4_CapNull);
    check_equal("slot_64_is_none", SLOT(64), seL4_CapNull);
    check_equal("slot_63", seL4_TCB_Resume(SLOT(63)), seL4_NoError);
    check_equal("slot_is_in_the_upper_bits", seL4_TCB_Resume(A_TCB | 0x3ff0000000007ul),
                seL4_NoError);
    check_equal("empty_slot_suspended", seL4_TCB_Suspend(NOTHING), seL4_InvalidCapability);
    check_equal("empty_slot_read", seL4_TCB_ReadRegisters(NOTHING, 0, 0, 1, &regs),
                seL4_InvalidCapability);
    check_equal("empty_slot_written", seL4_TCB_WriteRegisters(NOTHING, 0, 0, 1, &regs),
                seL4_InvalidCapability);
    check_equal("empty_slot_consumed", seL4_SchedContext_Consumed(NOTHING).error,
                seL4_InvalidCapability);
    check_equal("empty_slot_bound", seL4_SchedContext_Bind(NOTHING, A_TCB), seL4_InvalidCapability);
    check_equal("empty_slot_cleaned", seL4_ARM_VSpace_Clean_Data(NOTHING, B_SHARED, B_SHARED + 64),
                seL4_InvalidCapability);
    check_equal("null_consumed", seL4_SchedContext_Consumed(seL4_CapNull).error,
                seL4_InvalidCapability);
    check_equal("context_is_no_thread", seL4_TCB_Suspend(A_SC), seL4_IllegalOperation);
    check_equal("context_is_not_written", seL4_TCB_WriteRegisters(A_SC, 0, 0, 1, &regs),
                seL4_IllegalOperation);
    check_equal("thread_is_no_context", seL4_SchedContext_Consumed(A_TCB).error,
                seL4_IllegalOperation);
    check_equal("space_is_no_context", seL4_SchedContext_Unbind(B_VSPACE), seL4_IllegalOperation);
    check_equal("space_is_no_thread", seL4_TCB_Resume(B_VSPACE), seL4_IllegalOperation);
    check_equal("thread_is_no_space", seL4_ARM_VSpace_Clean_Data(A_TCB, B_SHARED, B_SHARED + 64),
                seL4_IllegalOperation);
    seL4_Signal(A_TCB);
    seL4_Signal(NOTHING);
    check_equal("call_of_an_empty_slot",
                microkit_msginfo_get_label(seL4_Call(NOTHING, microkit_msginfo_new(0, 0))),
                seL4_InvalidCapability);
    check_equal("call_of_a_context",
                microkit_msginfo_get_label(seL4_Call(A_SC, microkit_msginfo_new(0, 0))),
                seL4_IllegalOperation);
}

static void test_self(void)
{
    seL4_UserContext regs = {0};

    check_equal("own_registers_read", seL4_TCB_ReadRegisters(OWN_TCB, 0, 0, 4, &regs),
                seL4_IllegalOperation);
    check_equal("own_registers_none", seL4_TCB_ReadRegisters(OWN_TCB, 0, 0, 0, &regs),
                seL4_RangeError);
    check_equal("own_registers_written", seL4_TCB_WriteRegisters(OWN_TCB, 1, 0, 1, &regs),
                seL4_IllegalOperation);
    check_equal("own_thread_resumed", seL4_TCB_Resume(OWN_TCB), seL4_NoError);
    check_equal("own_priority", seL4_TCB_SetPriority(OWN_TCB, OWN_TCB, PRIORITY), seL4_NoError);
    check_equal("own_priority_higher", seL4_TCB_SetPriority(OWN_TCB, OWN_TCB, PRIORITY + 1),
                seL4_RangeError);
    check_equal("own_maximum_higher", seL4_TCB_SetMCPriority(OWN_TCB, OWN_TCB, PRIORITY + 1),
                seL4_RangeError);
    check_equal("priority_by_a_context", seL4_TCB_SetPriority(A_TCB, A_SC, 1),
                seL4_InvalidCapability);
    check_equal("priority_by_an_empty_slot", seL4_TCB_SetPriority(A_TCB, NOTHING, 1),
                seL4_InvalidCapability);
    check_equal("own_context_unbound", seL4_SchedContext_Unbind(OWN_SC), seL4_IllegalOperation);
    check_equal("own_context_unbound_by_name", seL4_SchedContext_UnbindObject(OWN_SC, OWN_TCB),
                seL4_IllegalOperation);
    check_equal("own_context_yielded_to", seL4_SchedContext_YieldTo(OWN_SC).error,
                seL4_IllegalOperation);
    check_equal("yield_beyond_the_maximum", seL4_SchedContext_YieldTo(SERVER_SC).error,
                seL4_IllegalOperation);
#ifdef CONFIG_HARDWARE_DEBUG_API
    const char *row = "own_breakpoint"; /* not a row of each config */
    seL4_Error error = seL4_TCB_UnsetBreakpoint(OWN_TCB, 0);
    check(row, error == seL4_RangeError || error == seL4_NoError); /* here there are none; seL4 */
#endif
}

static void test_binding(void)
{
    check_equal("bound_twice", seL4_SchedContext_Bind(A_SC, A_TCB), seL4_IllegalOperation);
    check_equal("bound_to_a_bound_thread", seL4_SchedContext_Bind(B_SC, A_TCB),
                seL4_IllegalOperation);
    check_equal("bound_to_a_context", seL4_SchedContext_Bind(B_SC, A_SC), seL4_InvalidCapability);
    check_equal("bound_to_an_empty_slot", seL4_SchedContext_Bind(B_SC, NOTHING),
                seL4_InvalidCapability);
    check_equal("another_unbound", seL4_SchedContext_UnbindObject(A_SC, B_TCB),
                seL4_IllegalOperation);
    check_equal("an_empty_slot_unbound", seL4_SchedContext_UnbindObject(A_SC, NOTHING),
                seL4_InvalidCapability);
}

/* ---- Another's memory ---- */

static void test_space(void)
{
    const seL4_Word page = B_SHARED + PAGE;

    for (unsigned i = PAGE; i < 2 * PAGE; i++) {
        ((volatile uint8_t *)shared)[i] = (uint8_t)i;
    }
    check_equal("space_cleaned", seL4_ARM_VSpace_Clean_Data(B_VSPACE, page + 3, page + 5),
                seL4_NoError);
    check_equal("space_invalidated", seL4_ARM_VSpace_Invalidate_Data(B_VSPACE, page, page + PAGE),
                seL4_NoError);
    check_equal("space_cleaned_and_invalidated",
                seL4_ARM_VSpace_CleanInvalidate_Data(B_VSPACE, page + PAGE - 1, page + PAGE),
                seL4_NoError);
    check_equal("space_unified", seL4_ARM_VSpace_Unify_Instruction(B_VSPACE, page, page + PAGE),
                seL4_NoError);
    check_equal("space_own",
                seL4_ARM_VSpace_CleanInvalidate_Data(OWN_VSPACE, (seL4_Word)shared,
                                                     (seL4_Word)shared + PAGE),
                seL4_NoError);
    check_equal("space_of_two_pages", seL4_ARM_VSpace_Clean_Data(B_VSPACE, page - 1, page + 1),
                seL4_RangeError);
    check_equal("space_unmapped",
                seL4_ARM_VSpace_CleanInvalidate_Data(B_VSPACE, 0x60000000, 0x60001000),
                seL4_NoError);
    check_equal(
        "space_of_this_pd_only",
        seL4_ARM_VSpace_CleanInvalidate_Data(B_VSPACE, (seL4_Word)shared, (seL4_Word)shared + PAGE),
        seL4_NoError);
    check_equal("space_empty_range", seL4_ARM_VSpace_Clean_Data(B_VSPACE, page, page),
                seL4_InvalidArgument);
    check_equal("space_reversed_range", seL4_ARM_VSpace_Clean_Data(B_VSPACE, page, page - 1),
                seL4_InvalidArgument);
    check_equal("space_beyond_the_users", seL4_ARM_VSpace_Clean_Data(B_VSPACE, 0, ~0ul),
                seL4_IllegalOperation);
    bool same = true;
    for (unsigned i = PAGE; i < 2 * PAGE; i++) {
        same = same && ((volatile uint8_t *)shared)[i] == (uint8_t)i;
    }
    check("space_is_as_it_was", same);
}

/* ---- Threads that stop and go on by other means ---- */

static void test_sleeper(void)
{
    microkit_notify(SLEEPER);
    check_equal("suspended_itself", shared->suspended, 0);
    check_equal("resumed", seL4_TCB_Resume(SLEEPER_TCB), seL4_NoError);
    check_equal("suspends_itself_again", shared->suspended, 0);

    seL4_UserContext regs;
    seL4_TCB_ReadRegisters(SLEEPER_TCB, 0, 0, sizeof regs / sizeof(seL4_Word), &regs);
    regs.pc += 4;
    check_equal("sent_on_behind_it", seL4_TCB_WriteRegisters(SLEEPER_TCB, 1, 0, 1, &regs),
                seL4_NoError);
    check_equal("has_gone_on", shared->suspended, 1);
}

static void test_server(void)
{
    uint64_t notified = shared->notified;

    microkit_notify(SERVER);
    check_equal("server_runs_at_once", shared->notified, notified + 1);
    check_equal("server_unbound", seL4_SchedContext_Unbind(SERVER_SC), seL4_NoError);
    check_equal("unbound_again", seL4_SchedContext_Unbind(SERVER_SC), seL4_NoError);
    check_equal("unbound_by_name_again", seL4_SchedContext_UnbindObject(SERVER_SC, SERVER_TCB),
                seL4_IllegalOperation);
    check_equal("unbound_yielded_to", seL4_SchedContext_YieldTo(SERVER_SC).error,
                seL4_IllegalOperation);
    microkit_notify(SERVER);
    check_equal("unbound_waits", shared->notified, notified + 1);
    check_equal("unbound_suspended", seL4_TCB_Suspend(SERVER_TCB), seL4_NoError);
    check_equal("server_bound", seL4_SchedContext_Bind(SERVER_SC, SERVER_TCB), seL4_NoError);
    check_equal("suspended_waits", shared->notified, notified + 1);
    check_equal("server_resumed", seL4_TCB_Resume(SERVER_TCB), seL4_NoError);
    check_equal("bound_has_the_notification", shared->notified, notified + 2);
    check_equal("bound_answers",
                microkit_msginfo_get_label(microkit_ppcall(SERVER, microkit_msginfo_new(0, 0))), 7);
}

/*
 * A passive PD is called on its caller's context. On seL4 it keeps its own until it first waits
 * again, and so for its first call.
 */
static void test_quiet(void)
{
    uint64_t notified = shared->notified;

    microkit_ppcall(QUIET, microkit_msginfo_new(0, 0));
    seL4_SchedContext_Consumed(OWN_SC);
    seL4_SchedContext_Consumed(QUIET_SC);
    microkit_ppcall(QUIET, microkit_msginfo_new(1000, 0));
    microkit_notify(SERVER); /* seL4 counts up to the last switch of contexts */
    check_range("call_is_the_callers_time", seL4_SchedContext_Consumed(OWN_SC).consumed, 1000,
                1100);
    check_equal("call_is_not_the_servers_time", seL4_SchedContext_Consumed(QUIET_SC).consumed, 0);
    check_equal("quiet_unbound", seL4_SchedContext_Unbind(QUIET_SC), seL4_NoError);
    microkit_notify(QUIET);
    check_equal("quiet_unbound_waits", shared->notified, notified + 1);
}

/* ---- Turns ---- */

static void timer_set(uint64_t us)
{
    __asm__ volatile("msr cntp_cval_el0, %0" : : "r"(now() + ticks(us)));
    __asm__ volatile("msr cntp_ctl_el0, %0\n isb" : : "r"(1ul));
}

static void begin_turn(void)
{
    begun[0] = shared->work[0];
    begun[1] = shared->work[1];
    seL4_SchedContext_Consumed(A_SC);
    seL4_SchedContext_Consumed(B_SC);
    seL4_SchedContext_Consumed(CAPPED_SC);
    timer_set(TURN);
    microkit_irq_ack(TIMER);
}

/* A turn belongs to a or to b, or neither, and their contexts say so. */
static void check_turn(const char *name_a, bool a, const char *name_b, bool b)
{
    uint64_t time_a = seL4_SchedContext_Consumed(A_SC).consumed;
    uint64_t time_b = seL4_SchedContext_Consumed(B_SC).consumed;

    check_range(name_a, time_a, a ? TURN * 98 / 100 : 0, (a ? TURN : 0) + SLACK);
    check_range(name_b, time_b, b ? TURN * 98 / 100 : 0, (b ? TURN : 0) + SLACK);
#ifndef REMOTE
    check("turns_work", a == (shared->work[0] != begun[0]) && b == (shared->work[1] != begun[1]));
#endif
}

static void test_equals(void)
{
    uint64_t before = shared->work[0];

    check_equal("yield_to_a_lower", seL4_SchedContext_YieldTo(A_SC).error, seL4_NoError);
    check_equal("lower_waits", shared->work[0], before);
    check_equal("own_priority_lower", seL4_TCB_SetPriority(OWN_TCB, OWN_TCB, 20), seL4_NoError);
    before = shared->work[0];
    seL4_SchedContext_YieldTo_t yielded = seL4_SchedContext_YieldTo(A_SC);
    check_equal("yielded", yielded.error, seL4_NoError);
    check_range("yielded_time", yielded.consumed, 1, 2100);
    check("yielded_work", shared->work[0] != before);
    check_equal("own_priority_back", seL4_TCB_SetPriority(OWN_TCB, OWN_TCB, PRIORITY),
                seL4_NoError);
}

static void next_turn(void)
{
    switch (turn++) {
    case 0:
        check_turn("higher_has_the_turn", true, "lower_has_none", false);
        check_equal("raised", seL4_TCB_SetPriority(B_TCB, OWN_TCB, 30), seL4_NoError);
        break;
    case 1:
        check_turn("passed_has_none", false, "raised_has_the_turn", true);
        check_equal("suspended", seL4_TCB_Suspend(B_TCB), seL4_NoError);
        check_equal("suspended_twice", seL4_TCB_Suspend(B_TCB), seL4_NoError);
        break;
    case 2:
        check_turn("left_has_the_turn", true, "suspended_has_none", false);
        check_equal("turn_resumed", seL4_TCB_Resume(B_TCB), seL4_NoError);
        break;
    case 3:
        check_turn("lower_again_has_none", false, "resumed_has_the_turn", true);
        check_equal("turn_unbound", seL4_SchedContext_UnbindObject(B_SC, B_TCB), seL4_NoError);
        check_equal("unbound_not_for_another", seL4_SchedContext_Bind(B_SC, A_TCB),
                    seL4_IllegalOperation);
        check_equal("unbound_resumed", seL4_TCB_Resume(B_TCB), seL4_NoError);
        break;
    case 4:
        check_turn("other_has_the_turn", true, "unbound_has_none", false);
        check_equal("turn_suspended", seL4_TCB_Suspend(A_TCB), seL4_NoError);
        break;
    case 5:
        check_turn("nobody_suspended", false, "nobody_unbound", false);
        check_equal("turn_bound", seL4_SchedContext_Bind(B_SC, B_TCB), seL4_NoError);
        break;
    case 6:
        check_turn("still_suspended", false, "bound_has_the_turn", true);
        check_equal("turn_resumed_again", seL4_TCB_Resume(A_TCB), seL4_NoError);
        check_equal("equal", seL4_TCB_SetPriority(B_TCB, OWN_TCB, 20), seL4_NoError);
        break;
    case 7:
        check_range("equals_share_a", seL4_SchedContext_Consumed(A_SC).consumed, TURN * 45 / 100,
                    TURN * 55 / 100);
        check_range("equals_share_b", seL4_SchedContext_Consumed(B_SC).consumed, TURN * 45 / 100,
                    TURN * 55 / 100);
#ifndef REMOTE
        test_equals();
#endif
        check_equal("capped_resumed", seL4_TCB_Resume(CAPPED_TCB), seL4_NoError);
        break;
    case 8:
        check_range("capped_has_its_budget", seL4_SchedContext_Consumed(CAPPED_SC).consumed, 1900,
                    2100);
        check_equal("capped_unbound", seL4_SchedContext_Unbind(CAPPED_SC), seL4_NoError);
        check_equal("capped_bound", seL4_SchedContext_Bind(CAPPED_SC, CAPPED_TCB), seL4_NoError);
        break;
    case 9:
        /* Two periods have begun in two turns, or the third: no more for having been bound anew. */
        check_range("bound_anew_has_no_more", seL4_SchedContext_Consumed(CAPPED_SC).consumed, 0,
                    4100);
        for (unsigned i = 0; i < 100; i++) {
            seL4_SchedContext_Unbind(CAPPED_SC);
            seL4_SchedContext_Bind(CAPPED_SC, CAPPED_TCB);
        }
        break;
    default:
        check_range("bound_often_has_no_more", seL4_SchedContext_Consumed(CAPPED_SC).consumed, 0,
                    4100);
        done();
        return;
    }
    begin_turn();
}

void init(void)
{
    seL4_TCB_Suspend(CAPPED_TCB);
    test_slots();
    test_self();
    test_binding();
    test_space();
#ifndef REMOTE
    test_sleeper();
    test_server();
    test_quiet();
#endif
    begin_turn();
}

void notified(microkit_channel ch)
{
    (void)ch;
    next_turn();
}
