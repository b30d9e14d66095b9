/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A monitor that takes its time. The guest arms its virtual timer for 1 ms each time that it takes
 * the interrupt, and the monitor works for 10 ms before it injects or acknowledges it. The timer is
 * due long before that. Still there is one event for each time that the guest has armed it.
 */

#include "tests/kernel/vcpu/vcpu.h"

#define VTIMER  27
#define EVENTS  20
#define TICK_US 1000
#define WORK_US 10000

struct run {
    uint64_t event_us; /* the monitor's work before it injects */
    uint64_t end_us;   /* and between the guest's end of the interrupt and the acknowledgement */
    uint64_t events;   /* of the timer */
    bool mixed;        /* something else has come */
    bool early;        /* an event came less than TICK_US after the guest went on */
};

/* Let the guest go on from its last exit, to the next. */
static void go_on(void)
{
    microkit_vcpu_restart(0, guest_pc(0));
    wait_event();
}

/* From an event to the guest's end of the interrupt, to the next event. */
static void handle(struct run *run)
{
    run->mixed = run->mixed || event_label != seL4_Fault_VPPIEvent ||
                 microkit_mr_get(seL4_VPPIEvent_IRQ) != VTIMER;
    run->events++;
    spin_for(run->event_us);
    microkit_vcpu_arm_inject_irq(0, VTIMER, 0, 0, 0);
    go_on();
    run->mixed = run->mixed || event_label != seL4_Fault_VGICMaintenance;
    spin_for(run->end_us);
    microkit_vcpu_arm_ack_vppi(0, VTIMER);
    uint64_t begin = now();
    go_on();
    run->early = run->early || microseconds(now() - begin) < TICK_US / 2;
}

static void start_ticks(void)
{
    clear_results();
    start_with(0, guest_ticks, ticks(TICK_US), 0);
    wait_event();
}

static void stop_ticks(void)
{
    microkit_vcpu_stop(0);
    microkit_vcpu_arm_write_reg(0, seL4_VCPUReg_CNTV_CTL, 0);
    microkit_vcpu_arm_ack_vppi(0, VTIMER);
}

static bool handle_events(struct run *run)
{
    start_ticks();
    while (run->events < EVENTS && !run->mixed) {
        handle(run);
    }
    stop_ticks();
    return !run->mixed && results[0] == run->events;
}

static void test_late_injection(void)
{
    struct run run = {.event_us = WORK_US};

    check("late_injection_one_event_each", handle_events(&run));
    check("late_injection_no_event_too_early", !run.early);
}

/* What the guest has armed meanwhile is due at once, once. */
static void test_late_acknowledgement(void)
{
    struct run run = {.end_us = WORK_US};

    check("late_acknowledgement_one_event_each", handle_events(&run));
}

/*
 * An interrupt that is acknowledged before the guest has taken it is still asserted: the event
 * comes again, and the guest does not come to take it.
 */
static void test_early_acknowledgement(void)
{
    bool again = true;

    start_ticks();
    for (unsigned i = 0; i < EVENTS; i++) {
        again = again && event_label == seL4_Fault_VPPIEvent;
        microkit_vcpu_arm_inject_irq(0, VTIMER, 0, 0, 0);
        microkit_vcpu_arm_ack_vppi(0, VTIMER);
        go_on();
    }
    check("acknowledged_while_asserted_comes_again", again && results[0] == 0);
    microkit_vcpu_restart(0, guest_pc(0)); /* without an acknowledgement: it is taken */
    wait_event();
    check("not_acknowledged_is_taken",
          event_label == seL4_Fault_VGICMaintenance && results[0] == 1);
    stop_ticks();
}

void init(void)
{
    copy_guest();
    test_late_injection();
    test_late_acknowledgement();
    test_early_acknowledgement();
    done();
}

void notified(microkit_channel ch)
{
    (void)ch;
}
