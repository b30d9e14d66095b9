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
 * PSCI and SMCCC: every function, by SMC and HVC, with 32-bit and 64-bit ids and bad arguments.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/fake/fake_vm.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define VERSION             0x84000000u
#define CPU_SUSPEND32       0x84000001u
#define CPU_SUSPEND64       0xc4000001u
#define CPU_OFF             0x84000002u
#define EC_SMC              0x17u
#define CPU_ON32            0x84000003u
#define CPU_ON64            0xc4000003u
#define AFFINITY_INFO32     0x84000004u
#define AFFINITY_INFO64     0xc4000004u
#define MIGRATE             0x84000005u
#define MIGRATE_TYPE        0x84000006u
#define SYSTEM_OFF          0x84000008u
#define SYSTEM_RESET        0x84000009u
#define FEATURES            0x8400000au
#define SYSTEM_RESET2       0x84000012u
#define SMCCC_VERSION       0x80000000u
#define ARCH_FEATURES       0x80000001u
#define VENDOR_HYP_UID      0x8600ff01u
#define VENDOR_HYP_REVISION 0x8600ff03u
#define WORKAROUND_1        0x80008000u

#define NOT_SUPPORTED      ((uint64_t)-1)
#define INVALID_PARAMETERS ((uint64_t)-2)
#define ALREADY_ON         ((uint64_t)-4)
#define ON_PENDING         ((uint64_t)-5)
#define INVALID_ADDRESS    ((uint64_t)-9)

#define ENTRY (FAKE_VM_KERNEL_GPA + 0x1000u)
#define PC    0x40201000u

static int start(void **state)
{
    (void)state;
    fake_vm_start(4, false);
    fake_vm_output();
    fake.vcpu[0].context.pc = PC;
    return 0;
}

static uint64_t smc(uint64_t id, uint64_t a, uint64_t b, uint64_t c)
{
    return fake_vm_smc(0, id, a, b, c);
}

static void versions_and_discovery(void **state)
{
    (void)state;
    assert_int_equal(smc(VERSION, 0, 0, 0), 0x10001);
    assert_int_equal(fake.vcpu[0].context.pc, PC + 4);
    assert_int_equal(smc(SMCCC_VERSION, 0, 0, 0), 0x10001);
    assert_int_equal(smc(MIGRATE_TYPE, 0, 0, 0), 2);
    assert_int_equal(smc(ARCH_FEATURES, SMCCC_VERSION, 0, 0), 0);
    assert_int_equal(smc(ARCH_FEATURES, ARCH_FEATURES, 0, 0), 0);
    assert_int_equal(smc(ARCH_FEATURES, WORKAROUND_1, 0, 0), NOT_SUPPORTED);
    assert_string_equal(fake_vm_output(), "");
}

static void the_hypervisor_has_a_uid(void **state)
{
    static const uint8_t uid[16] = {0x74, 0x50, 0x40, 0x12, 0x65, 0xc1, 0x41, 0x0a,
                                    0x89, 0x47, 0xe0, 0x5c, 0xb8, 0xcb, 0x89, 0x65};
    const seL4_UserContext *context = &fake.vcpu[0].context;
    uint32_t words[4];

    (void)state;
    fake.vcpu[0].context.x4 = 44;
    fake.vcpu[0].context.spsr = 0x3c5;
    words[0] = (uint32_t)smc(VENDOR_HYP_UID, 0, 0, 0);
    words[1] = (uint32_t)context->x1;
    words[2] = (uint32_t)context->x2;
    words[3] = (uint32_t)context->x3;
    assert_memory_equal(words, uid, sizeof(uid));
    assert_int_equal((context->x0 | context->x1 | context->x2 | context->x3) >> 32, 0);
    assert_int_equal(context->x4, 44);
    assert_int_equal(context->spsr, 0x3c5);
    assert_int_equal(context->pc, PC + 4);
    assert_true(fake.vcpu[0].running);
    assert_int_equal(smc(VENDOR_HYP_REVISION, 7, 7, 7), 1);
    assert_int_equal(context->x1, 0);
    assert_int_equal(context->x2, 7);
    assert_int_equal(smc(VENDOR_HYP_UID | 0x40000000u, 0, 0, 0), NOT_SUPPORTED);
    assert_int_equal(smc(0x86000000, 0, 0, 0), NOT_SUPPORTED); /* KVM's features */
    assert_string_equal(fake_vm_output(), "");
}

static void features(void **state)
{
    static const uint32_t there[] = {
        VERSION,    CPU_SUSPEND32, CPU_SUSPEND64,   CPU_OFF,         CPU_ON32,
        CPU_ON64,   FEATURES,      AFFINITY_INFO32, AFFINITY_INFO64, MIGRATE_TYPE,
        SYSTEM_OFF, SYSTEM_RESET,  SMCCC_VERSION,
    };
    static const uint32_t not_there[] = {MIGRATE, SYSTEM_RESET2, 0xc4000000, 0xc4000002, 0, ~0u};

    (void)state;
    for (unsigned i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        assert_int_equal(smc(FEATURES, there[i], 0, 0), 0);
    }
    for (unsigned i = 0; i < sizeof(not_there) / sizeof(not_there[0]); i++) {
        assert_int_equal(smc(FEATURES, not_there[i], 0, 0), NOT_SUPPORTED);
    }
}

static void the_id_has_thirty_two_bits(void **state)
{
    (void)state;
    assert_int_equal(smc(0xdeadbeef00000000u | VERSION, 0, 0, 0), 0x10001);
}

static void unknown_calls_are_not_supported(void **state)
{
    (void)state;
    assert_int_equal(smc(0xc4000000, 0, 0, 0), NOT_SUPPORTED); /* there is no 64-bit VERSION */
    assert_int_equal(smc(SYSTEM_RESET2, 0, 0, 0), NOT_SUPPORTED);
    assert_int_equal(smc(0x84000050, 0, 0, 0), NOT_SUPPORTED); /* the kernel looks for a TRNG */
    assert_string_equal(fake_vm_output(), "");
    assert_int_equal(smc(0x12345678, 0, 0, 0), NOT_SUPPORTED);
    assert_non_null(strstr(fake_vm_output(), "vCPU 0 at 0x4020100c: call of the unknown function "
                                             "0x12345678"));
}

static void hvc_is_the_same(void **state)
{
    seL4_Word mrs[13] = {[seL4_UnknownSyscall_FaultIP] = PC};

    (void)state;
    fake.vcpu[0].context.x0 = VERSION;
    assert_true(fake_fault(0, seL4_Fault_UnknownSyscall, 13, mrs));
    assert_int_equal(fake.vcpu[0].context.x0, 0x10001);
    assert_int_equal(fake.vcpu[0].context.pc, PC + 4);
    assert_true(fake.vcpu[0].running);
}

static void secondaries_start_where_they_are_told(void **state)
{
    (void)state;
    assert_int_equal(smc(CPU_ON64, 2, ENTRY, 0x1122334455667788u), 0);
    assert_true(fake.vcpu[2].running);
    assert_int_equal(fake.vcpu[2].context.pc, ENTRY);
    assert_int_equal(fake.vcpu[2].context.x0, 0x1122334455667788u);
    assert_int_equal(fake.vcpu[2].context.spsr, 0x3c5);
    assert_int_equal(fake.vcpu[2].reg[seL4_VCPUReg_VMPIDR_EL2], 0x80000002);
    assert_int_equal(fake.vcpu[2].reg[seL4_VCPUReg_SCTLR] & 1, 0);
    assert_int_equal(fake.vcpu[2].reg[seL4_VCPUReg_CNTVOFF],
                     fake.vcpu[0].reg[seL4_VCPUReg_CNTVOFF]);
    assert_int_equal(smc(CPU_ON64, 2, ENTRY, 0), ALREADY_ON);
    assert_int_equal(smc(CPU_ON64, 0, ENTRY, 0), ALREADY_ON);
    /* 32-bit arguments ignore what is above. */
    assert_int_equal(smc(CPU_ON32, 0xff00000001u, 0xff00000000u | ENTRY, 0xff00000005u), 0);
    assert_int_equal(fake.vcpu[1].context.x0, 5);
    assert_int_equal(fake.vcpu[1].context.pc, ENTRY);
}

static void secondaries_that_do_not_exist(void **state)
{
    (void)state;
    assert_int_equal(smc(CPU_ON64, 4, ENTRY, 0), INVALID_PARAMETERS);
    assert_int_equal(smc(CPU_ON64, 0x100, ENTRY, 0), INVALID_PARAMETERS);
    assert_int_equal(smc(CPU_ON64, 0x100000001u, ENTRY, 0), INVALID_PARAMETERS);
    assert_int_equal(smc(CPU_ON64, UINT64_MAX, ENTRY, 0), INVALID_PARAMETERS);
}

static void entries_outside_memory(void **state)
{
    (void)state;
    assert_int_equal(smc(CPU_ON64, 1, 0, 0), INVALID_ADDRESS);
    assert_int_equal(smc(CPU_ON64, 1, FAKE_VM_RAM_GPA + FAKE_VM_RAM_SIZE, 0), INVALID_ADDRESS);
    assert_int_equal(smc(CPU_ON64, 1, UINT64_MAX - 3, 0), INVALID_ADDRESS);
    assert_int_equal(smc(CPU_ON64, 1, ENTRY + 2, 0), INVALID_ADDRESS);
    assert_int_equal(vcpu_state(1), VCPU_OFF);
}

static void affinity_info(void **state)
{
    (void)state;
    assert_int_equal(smc(AFFINITY_INFO64, 0, 0, 0), 0);
    assert_int_equal(smc(AFFINITY_INFO64, 3, 0, 0), 1);
    assert_int_equal(smc(AFFINITY_INFO32, 3, 0, 0), 1);
    assert_int_equal(smc(CPU_ON64, 3, ENTRY, 0), 0);
    assert_int_equal(smc(AFFINITY_INFO64, 3, 0, 0), 0);
    assert_int_equal(smc(AFFINITY_INFO64, 3, 1, 0), INVALID_PARAMETERS);
    assert_int_equal(smc(AFFINITY_INFO64, 4, 0, 0), INVALID_PARAMETERS);
}

static void a_vcpu_goes_off_and_comes_back(void **state)
{
    (void)state;
    smc(CPU_ON64, 1, ENTRY, 0);
    fake_vm_smc(1, CPU_OFF, 0, 0, 0);
    assert_false(fake.vcpu[1].running);
    assert_int_equal(smc(AFFINITY_INFO64, 1, 0, 0), 1);
    assert_true(vm_running());
    assert_int_equal(smc(CPU_ON64, 1, ENTRY + 4, 9), 0);

    /* First it runs our program, and is not on yet. */
    assert_true(fake.vcpu[1].running);
    assert_int_equal(fake.vcpu[1].context.pc, FAKE_VM_RESET_GPA);
    assert_int_equal(smc(AFFINITY_INFO64, 1, 0, 0), 2);
    assert_int_equal(smc(CPU_ON64, 1, ENTRY + 4, 9), ON_PENDING);
    fake_vm_trap(1, EC_SMC, 0);
    assert_int_equal(fake.vcpu[1].context.pc, ENTRY + 4);
    assert_int_equal(fake.vcpu[1].context.x0, 9);
    assert_int_equal(smc(AFFINITY_INFO64, 1, 0, 0), 0);
    assert_true(fake.vcpu[0].running);
}

static void the_last_vcpu_takes_the_vm_along(void **state)
{
    (void)state;
    smc(CPU_OFF, 0, 0, 0);
    assert_false(vm_running());
    assert_non_null(strstr(fake_vm_output(), "powered off"));
}

static void suspend_waits_and_succeeds(void **state)
{
    (void)state;
    smc(CPU_SUSPEND64, 0, ENTRY, 0);
    assert_false(fake.vcpu[0].running);
    assert_int_equal(vcpu_state(0), VCPU_PARKED);
    vcpu_wake(0);
    vcpu_start_woken();
    assert_true(fake.vcpu[0].running);
    assert_int_equal(fake.vcpu[0].context.pc, PC + 4);
    assert_int_equal(fake.vcpu[0].context.x0, 0);
}

static void system_off(void **state)
{
    (void)state;
    smc(CPU_ON64, 1, ENTRY, 0);
    smc(SYSTEM_OFF, 0, 0, 0);
    assert_false(fake.vcpu[0].running);
    assert_false(fake.vcpu[1].running);
    assert_int_equal(fake_vm.virtio_resets, 1);
    assert_non_null(strstr(fake_vm_output(), "vmm vm7: powered off; press Enter to start it\n"));
}

static void any_id_and_any_arguments(void **state)
{
    static const uint32_t owners[] = {0x80000000, 0xc0000000, 0x84000000, 0xc4000000,
                                      0x8600ff00, 0xc600ff00, 0};

    (void)state;
    srand(3);
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t id = owners[rand() % 7] | (uint32_t)rand() % 32;

        if (!vm_running()) {
            start(NULL);
        }
        fake_vm_smc(0, id, (uint64_t)rand() % 6, (uint64_t)rand() << (rand() % 32),
                    (uint64_t)rand());
        vcpu_wake(0);
        vcpu_start_woken();
        fake_vm_output();
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = {
        TEST(versions_and_discovery),
        TEST(the_hypervisor_has_a_uid),
        TEST(features),
        TEST(the_id_has_thirty_two_bits),
        TEST(unknown_calls_are_not_supported),
        TEST(hvc_is_the_same),
        TEST(secondaries_start_where_they_are_told),
        TEST(secondaries_that_do_not_exist),
        TEST(entries_outside_memory),
        TEST(affinity_info),
        TEST(a_vcpu_goes_off_and_comes_back),
        TEST(the_last_vcpu_takes_the_vm_along),
        TEST(suspend_waits_and_succeeds),
        TEST(system_off),
        TEST(any_id_and_any_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
