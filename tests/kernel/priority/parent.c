/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A parent gives its children other priorities. It may give what the thread may that it names as
 * authority, and that is one of its children: a PD has no capability for itself.
 */

#include "priority.h"

struct shared *shared;

/* Ids of the children and of the channels to them. */
#define A 1
#define B 2

#define PRIORITY_A 80
#define PRIORITY_B 60
#define PRIORITY   50 /* this PD's */
#define CAP_VSPACE 3
#define TCB(child) (BASE_TCB_CAP + (child))

static uint64_t faults;

static void test_authority(void)
{
    check_equal("priority_beyond_its_own", seL4_TCB_SetPriority(TCB(B), TCB(B), PRIORITY_B + 1),
                seL4_RangeError);
    check_equal("priority_beyond_the_authoritys",
                seL4_TCB_SetPriority(TCB(B), TCB(A), PRIORITY_A + 1), seL4_RangeError);
    check_equal("priority_that_is_none", seL4_TCB_SetPriority(TCB(A), TCB(A), 1ul << 32),
                seL4_RangeError);
    check_equal("priority_by_what_is_no_thread", seL4_TCB_SetPriority(TCB(A), CAP_VSPACE, 1),
                seL4_InvalidCapability);
    check_equal("priority_of_what_is_no_thread", seL4_TCB_SetPriority(TCB(9), TCB(A), 1),
                seL4_InvalidCapability);
    check_equal("maximum_beyond_the_authoritys",
                seL4_TCB_SetMCPriority(TCB(A), TCB(B), PRIORITY_B + 1), seL4_RangeError);
}

/* The children are ready, and below this PD; then one is above it. */
static void test_order(void)
{
    microkit_notify(A);
    check_equal("higher_child_runs_at_once", shared->order, 'a');
    check_equal("priority_lower", seL4_TCB_SetPriority(TCB(A), TCB(A), PRIORITY - 10),
                seL4_NoError);
    seL4_TCB_SetPriority(TCB(B), TCB(B), PRIORITY - 20);
    shared->order = 0;
    microkit_notify(A);
    microkit_notify(B);
    seL4_TCB_SetPriority(TCB(B), TCB(B), PRIORITY - 5);
    check_equal("lower_children_wait", shared->order, 0);
    /* Now notified() has what they have done. */
}

/* Their messages wait for this PD, by priority. */
static void start_faults(void)
{
    check_equal("priority_by_another_child", seL4_TCB_SetPriority(TCB(B), TCB(A), PRIORITY_A),
                seL4_NoError);
    check_equal("priority_back", seL4_TCB_SetPriority(TCB(A), TCB(A), PRIORITY_A), seL4_NoError);
    shared->order = 0;
    shared->fault = true;
    microkit_notify(A);
    microkit_notify(B);
    check_equal("faults_wait", faults, 0);
    seL4_TCB_SetPriority(TCB(A), TCB(A), PRIORITY + 1);
}

static void test_maximum(void)
{
    check_equal("maximum_lower", seL4_TCB_SetMCPriority(TCB(A), TCB(A), PRIORITY), seL4_NoError);
    check_equal("maximum_holds", seL4_TCB_SetPriority(TCB(A), TCB(A), PRIORITY + 1),
                seL4_RangeError);
    check_equal("maximum_not_back", seL4_TCB_SetMCPriority(TCB(A), TCB(A), PRIORITY_A),
                seL4_RangeError);
    check_equal("maximum_is_not_the_priority", seL4_TCB_SetPriority(TCB(B), TCB(A), PRIORITY),
                seL4_NoError);
}

void init(void)
{
    test_authority();
    test_order();
}

void notified(microkit_channel ch)
{
    (void)ch;
    if (shared->order == ('b' << 8 | 'a')) {
        check_equal("children_run_by_new_priority", shared->order, 'b' << 8 | 'a');
        shared->order = 0;
        seL4_TCB_SetPriority(TCB(A), TCB(A), 1);
        microkit_notify(A);
        check_equal("lowest_child_waits", shared->order, 0);
        seL4_TCB_SetPriority(TCB(A), TCB(A), PRIORITY_A);
        check_equal("raised_child_runs_at_once", shared->order, 'a');
        start_faults();
    }
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    (void)msginfo;
    (void)reply_msginfo;
    if (faults++ == 0) {
        check_equal("faults_come_by_new_priority", child, B);
    } else {
        check_equal("fault_that_went_behind", child, A);
        test_maximum();
        done();
    }
    return seL4_False;
}
