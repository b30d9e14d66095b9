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
 * A monitor in another domain than the timer's driver: it asks by a word, and parks no vCPU that
 * would be woken too late.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/unit/fake/fake_vm.h"
#include "vmm/vgic.h"

#define EC_WFX 0x01u

static void write_gicd(uint32_t offset, uint32_t value)
{
    struct mmio_access access = {.offset = offset, .width = 4, .write = true, .value = value};

    assert_true(vgic_v2_access(NULL, &access));
}

static void start(uint8_t vcpus, bool alone)
{
    fake_vm_start_in_domain(vcpus, alone, 10000);
    write_gicd(GICD_CTLR, 1);
    write_gicd(GICD_ISENABLER, 1u << VGIC_VIRTUAL_TIMER);
}

static void set_timer(uint64_t control, uint64_t after_now)
{
    struct fake_vcpu *v = &fake.vcpu[0];

    v->reg[seL4_VCPUReg_CNTV_CTL] = control;
    v->reg[seL4_VCPUReg_CNTV_CVAL] = fake.counter - v->reg[seL4_VCPUReg_CNTVOFF] + after_now;
}

static void wfi(void)
{
    fake_vm_trap(0, EC_WFX, 0);
}

static void a_late_timer_is_asked_by_its_word(void **state)
{
    uint64_t begin;

    (void)state;
    start(1, false);
    begin = fake.counter;
    set_timer(1, 500);
    wfi();
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake_vm.timer_deadline, begin + 500);
    assert_int_equal(fake_notified(FAKE_VM_TIMER_CHANNEL), 1);
    assert_int_equal(fake_vm.timer_calls, 0);
    fake.counter += 700; /* late */
    notified(FAKE_VM_TIMER_CHANNEL);
    assert_true(fake.vcpu[0].running);
}

/* Its own time would pass unused. It is woken early enough to wait for its timer itself. */
static void a_vcpu_alone_in_its_domain_waits_for_its_timer(void **state)
{
    uint64_t schedule;
    uint64_t expiry;

    (void)state;
    start(1, true);
    schedule = fake.frequency / 100; /* 10 ms */
    set_timer(1, schedule);
    wfi();
    assert_true(fake.vcpu[0].running);
    expiry = fake.counter + 3 * schedule;
    set_timer(1, 3 * schedule);
    wfi();
    assert_false(fake.vcpu[0].running);
    assert_int_equal(fake_vm.timer_deadline, expiry - schedule);
    fake.counter = expiry - schedule / 2; /* late */
    notified(FAKE_VM_TIMER_CHANNEL);
    assert_true(fake.vcpu[0].running);
    wfi();
    assert_true(fake.vcpu[0].running);
    set_timer(0, 500); /* it is off */
    wfi();
    assert_false(fake.vcpu[0].running);
}

static void a_vcpu_of_several_does_not(void **state)
{
    (void)state;
    start(2, true);
    set_timer(1, 500);
    wfi();
    assert_false(fake.vcpu[0].running);
}

/* Its time is not its own to wait on. */
static void a_vcpu_with_a_limit_does_not(void **state)
{
    (void)state;
    fake_vm_start_in_domain_limited(1000, 2000);
    write_gicd(GICD_CTLR, 1);
    write_gicd(GICD_ISENABLER, 1u << VGIC_VIRTUAL_TIMER);
    set_timer(1, 500);
    wfi();
    assert_false(fake.vcpu[0].running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_timer_is_asked_by_its_word),
        cmocka_unit_test(a_vcpu_alone_in_its_domain_waits_for_its_timer),
        cmocka_unit_test(a_vcpu_of_several_does_not),
        cmocka_unit_test(a_vcpu_with_a_limit_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
