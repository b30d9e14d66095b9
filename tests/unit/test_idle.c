/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/main.c vmm/fault.c vmm/abort.c vmm/boot.c vmm/console_port.c vmm/reset_program.c
 * SOURCES: vmm/entropy.c vmm/idle.c vmm/mmio.c vmm/pace.c vmm/pl011.c vmm/pl031.c vmm/psci.c
 * SOURCES: vmm/panic.c vmm/primecell.c vmm/shared.c vmm/smccc.c vmm/throttle.c
 * SOURCES: vmm/command.c vmm/freeze.c
 * SOURCES: vmm/crash.c vmm/pvpanic.c vmm/watchdog.c vmm/timer.c vmm/vcpu.c vmm/vm.c
 * SOURCES: vmm/vgic.c vmm/vgic_lr.c vmm/vgic_registers.c vmm/vgic_v2.c
 * SOURCES: vmm/vgic_forward.c
 * SOURCES: vmm/vgic_v3.c vmm/vgic_redistributor.c
 * SOURCES: lib/chacha20.c lib/ring.c
 * SOURCES: lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/fake_vm.c tests/unit/fake/fake_microkit.c
 *
 * vCPUs that share a core: who goes first, and who gives way.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/unit/fake/fake_vm.h"
#include "vmm/idle.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"

#define CPU_OFF 0x84000002u
#define CPU_ON  0xc4000003u
#define EC_WFX  0x01u
#define PC      0x40201000u

#define USER          PSTATE_MODE_EL0T
#define KERNEL        PSTATE_MODE_EL1H
#define KERNEL_MASKED (PSTATE_MODE_EL1H | PSTATE_I)

static const uint8_t one_core[VMM_MAX_VCPUS];

static void write_gicd(uint8_t vcpu, uint32_t offset, uint32_t value)
{
    struct mmio_access access = {
        .offset = offset, .width = 4, .write = true, .vcpu = vcpu, .value = value};

    assert_true(vgic_v2_access(NULL, &access));
}

/* A machine whose vCPUs are on these cores, all on, with their timers' interrupts enabled. */
static void start(uint8_t vcpus, const uint8_t *cores)
{
    fake_vm_start(vcpus, false);
    idle_init(cores);
    for (uint8_t v = 1; v < vcpus; v++) {
        fake_vm_smc(0, CPU_ON, v, PC, 0);
    }
    write_gicd(0, GICD_CTLR, 1);
    for (uint8_t v = 0; v < vcpus; v++) {
        write_gicd(v, GICD_ISENABLER, 1u << VGIC_VIRTUAL_TIMER | 0xffffu);
    }
}

static void tick(uint8_t vcpu, uint64_t pstate)
{
    fake.vcpu[vcpu].context.spsr = pstate;
    fake_fault(vcpu, seL4_Fault_VPPIEvent, 1, (seL4_Word[]){VGIC_VIRTUAL_TIMER});
}

/* The vCPU has taken and ended its timer's interrupt. */
static void end_tick(uint8_t vcpu)
{
    int lr = fake_find_lr(vcpu, VGIC_VIRTUAL_TIMER);

    assert_true(lr >= 0);
    fake.vcpu[vcpu].lr[lr].state = FAKE_LR_FREE;
    fake_fault(vcpu, seL4_Fault_VGICMaintenance, 1, (seL4_Word[]){(seL4_Word)lr});
}

static void time_passes(uint64_t ticks)
{
    fake.counter += ticks;
    if (fake_vm.timer_deadline <= fake.counter) {
        notified(FAKE_VM_TIMER_CHANNEL);
    }
}

static bool runs(uint8_t vcpu)
{
    return fake.vcpu[vcpu].running;
}

/* A microkernel puts the thread that is resumed last in front. */
static void one_that_wakes_another_goes_on_in_front(void **state)
{
    unsigned restarts;

    (void)state;
    start(2, one_core);
    fake_vm_trap(1, EC_WFX, 0);
    assert_false(runs(1));
    restarts = fake.vcpu[0].restarts;
    fake.vcpu[0].context.pc = PC;
    fake.vcpu[0].context.x0 = 1u << 17 | 3; /* SGI 3 to vCPU 1, by a store of w0 */
    assert_true(
        fake_vm_data_abort(0, FAKE_VM_GICD_GPA + 0xf00, 1u << 24 | 2u << 22 | 1u << 6 | 0xf));
    assert_true(runs(1)); /* resumed within the exit, */
    assert_true(runs(0)); /* and this one by the answer, which ends it */
    assert_int_equal(fake.vcpu[0].restarts, restarts);
    assert_int_equal(fake.vcpu[0].context.pc, PC + 4);
}

static void in_user_mode_a_tick_is_the_siblings_turn(void **state)
{
    (void)state;
    start(2, one_core);
    tick(0, USER);
    assert_false(runs(0));
    assert_true(runs(1));
    tick(1, USER); /* back again */
    assert_true(runs(0));
    assert_false(runs(1));
    end_tick(0);
    fake_vm_trap(0, EC_WFX, 0); /* or sooner, when the other one has nothing to do */
    assert_false(runs(0));
    assert_true(runs(1));
}

static void turns_go_round(void **state)
{
    (void)state;
    start(3, one_core);
    tick(0, USER);
    tick(1, USER);
    assert_true(!runs(0) && !runs(1) && runs(2));
    for (unsigned i = 0; i < 6; i++) {
        uint8_t now = (uint8_t)((i + 2) % 3), next = (uint8_t)(i % 3);

        tick(now, USER);
        assert_false(runs(now));
        assert_true(runs(next));
        end_tick(next);
    }
}

static void a_turn_ends_after_a_while(void **state)
{
    (void)state;
    start(2, one_core);
    tick(0, USER);
    time_passes(fake.frequency / 125 - 1);
    assert_false(runs(0));
    time_passes(1);
    assert_true(runs(0));
    assert_true(runs(1));
}

static void one_that_may_hold_a_lock_goes_on(void **state)
{
    (void)state;
    start(2, one_core);
    tick(0, KERNEL);
    assert_true(runs(0));
}

static void one_that_may_be_spinning_gives_way_for_a_moment(void **state)
{
    (void)state;
    start(2, one_core);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t length = fake.frequency / 10000;

        tick(0, KERNEL_MASKED);
        assert_false(runs(0));
        time_passes(length / 8 - 1);
        assert_false(runs(0));
        time_passes(length - length / 8 + 1);
        assert_true(runs(0));
        end_tick(0);
    }
}

static void the_moments_differ(void **state)
{
    uint64_t seen = 0;

    (void)state;
    start(2, one_core);
    for (unsigned i = 0; i < 64; i++) {
        uint64_t begin = fake.counter;

        tick(0, KERNEL_MASKED);
        while (!runs(0)) {
            time_passes(1);
        }
        seen |= 1ull << (fake.frequency / 10000 / (fake.counter - begin));
        end_tick(0);
    }
    assert_int_equal(seen, 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8);
}

static void an_interrupt_ends_a_turn(void **state)
{
    (void)state;
    start(2, one_core);
    tick(0, USER);
    write_gicd(1, 0xf00, 1u << 16 | 3);
    vcpu_start_woken();
    assert_true(runs(0));
}

static void one_that_is_off_gets_no_turn(void **state)
{
    (void)state;
    start(3, one_core);
    tick(0, USER);
    write_gicd(1, 0xf00, 1u << 16 | 3);
    vcpu_start_woken();
    assert_true(runs(0));
    fake_vm_smc(0, CPU_OFF, 0, 0, 0);
    tick(1, USER);
    tick(2, USER);
    assert_false(runs(2));
    assert_true(runs(1));
    fake_vm_smc(1, CPU_OFF, 0, 0, 0); /* and leaves its turn to the other one */
    assert_true(runs(2));
}

static void only_siblings_on_the_same_core_count(void **state)
{
    static const uint8_t two_cores[VMM_MAX_VCPUS] = {0, 1, 0};

    (void)state;
    start(3, two_cores);
    tick(1, USER); /* alone on its core */
    assert_true(runs(1));
    end_tick(1);
    tick(0, USER); /* gives way to vCPU 2 */
    assert_false(runs(0));
    tick(1, USER);
    assert_true(runs(1));
    fake_vm_trap(2, EC_WFX, 1); /* with nobody else on on that core this is no yield */
    assert_true(runs(2));
    fake_vm_trap(2, EC_WFX, 0);
    assert_true(runs(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_wakes_another_goes_on_in_front),
        cmocka_unit_test(in_user_mode_a_tick_is_the_siblings_turn),
        cmocka_unit_test(turns_go_round),
        cmocka_unit_test(a_turn_ends_after_a_while),
        cmocka_unit_test(one_that_may_hold_a_lock_goes_on),
        cmocka_unit_test(one_that_may_be_spinning_gives_way_for_a_moment),
        cmocka_unit_test(the_moments_differ),
        cmocka_unit_test(an_interrupt_ends_a_turn),
        cmocka_unit_test(one_that_is_off_gets_no_turn),
        cmocka_unit_test(only_siblings_on_the_same_core_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
