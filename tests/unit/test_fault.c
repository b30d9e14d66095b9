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
 * Exits: loads and stores of every width and register, what cannot be emulated, traps, and the
 * exceptions that the guest gets for them.
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

#define ISV            (1u << 24)
#define SAS(n)         ((n) << 22)
#define SSE            (1u << 21)
#define SRT(n)         ((n) << 16)
#define SF             (1u << 15)
#define CM             (1u << 8)
#define S1PTW          (1u << 7)
#define WNR            (1u << 6)
#define TRANSLATION_L3 0x07u
#define PERMISSION_L3  0x0fu
#define EXTERNAL       0x10u

#define PC   0xffff800008001000u
#define VBAR 0xffff800008010800u

#define EC_WFX 0x01u
#define EC_SVE 0x19u
#define EC_SMC 0x17u

#define TCO     (1u << 25) /* in PSTATE: set when an exception is taken */
#define EC_SYS  0x18u
#define EC_IABT 0x20u

static struct fake_vcpu *const v0 = &fake.vcpu[0];

static int start(void **state)
{
    (void)state;
    fake_vm_start(1, false);
    fake_vm_output();
    v0->context.pc = PC;
    v0->context.spsr = 0x5; /* EL1h */
    v0->reg[seL4_VCPUReg_VBAR] = VBAR;
    v0->reg[seL4_VCPUReg_SCTLR] = 0x30d50821; /* MMU on */
    v0->restarts = v0->tcb_reads = v0->tcb_read_words = v0->tcb_writes = v0->tcb_write_words = 0;
    return 0;
}

/* Where x0 .. x30 are. */
static seL4_Word *x(unsigned number)
{
    seL4_UserContext *c = &v0->context;
    seL4_Word *registers[31] = {
        &c->x0,  &c->x1,  &c->x2,  &c->x3,  &c->x4,  &c->x5,  &c->x6,  &c->x7,
        &c->x8,  &c->x9,  &c->x10, &c->x11, &c->x12, &c->x13, &c->x14, &c->x15,
        &c->x16, &c->x17, &c->x18, &c->x19, &c->x20, &c->x21, &c->x22, &c->x23,
        &c->x24, &c->x25, &c->x26, &c->x27, &c->x28, &c->x29, &c->x30,
    };

    return registers[number];
}

static void went_on_at(uint64_t pc)
{
    assert_true(v0->running);
    assert_int_equal(v0->context.pc, pc);
}

static void got_exception(uint32_t vector, uint32_t syndrome, uint64_t from)
{
    assert_true(v0->running);
    assert_int_equal(v0->context.pc, VBAR + vector);
    assert_int_equal(v0->context.spsr & 0x3ff, 0x3c5);
    assert_int_equal(v0->reg[seL4_VCPUReg_ESR], syndrome);
    assert_int_equal(v0->reg[seL4_VCPUReg_ELR_EL1], from);
}

static void said(const char *what)
{
    const char *output = fake_vm_output();

    if (!strstr(output, what)) {
        fail_msg("'%s' is not in '%s'", what, output);
    }
}

static void stores_of_every_width_and_register(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 31; n++) {
        for (unsigned sas = 0; sas < 4; sas++) {
            uint64_t mask = sas == 3 ? ~0ull : (1ull << (8u << sas)) - 1;

            *x(n) = 0xfedcba9876543210u + n;
            v0->context.pc = PC;
            assert_true(fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA,
                                           ISV | SAS(sas) | SRT(n) | WNR | PERMISSION_L3));
            assert_int_equal(fake_vm.device_written, (0xfedcba9876543210u + n) & mask);
            went_on_at(PC + 4);
        }
    }
}

static void loads_of_every_width_and_register(void **state)
{
    (void)state;
    fake_vm.device_value = 0xf1f2f3f4f5f6f7f8u;
    for (unsigned n = 0; n < 31; n++) {
        for (unsigned sas = 0; sas < 4; sas++) {
            uint64_t mask = sas == 3 ? ~0ull : (1ull << (8u << sas)) - 1;

            *x(n) = 0x5555555555555555u;
            v0->context.pc = PC;
            fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA,
                               ISV | SAS(sas) | SRT(n) | SF | TRANSLATION_L3);
            assert_int_equal(*x(n), fake_vm.device_value & mask);
            went_on_at(PC + 4);
        }
    }
    for (unsigned n = 0; n < 31; n++) { /* nothing else was touched */
        assert_int_equal(*x(n), fake_vm.device_value);
    }
}

static void loads_extend_as_asked(void **state)
{
    (void)state;
    fake_vm.device_value = 0x80;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(0u) | SSE | SRT(3u) | SF | TRANSLATION_L3);
    assert_int_equal(*x(3), 0xffffffffffffff80u);
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(0u) | SSE | SRT(3u) | TRANSLATION_L3);
    assert_int_equal(*x(3), 0xffffff80u);
    fake_vm.device_value = 0x80000000u;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(2u) | SSE | SRT(3u) | SF | TRANSLATION_L3);
    assert_int_equal(*x(3), 0xffffffff80000000u);
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(2u) | SRT(3u) | TRANSLATION_L3);
    assert_int_equal(*x(3), 0x80000000u);
}

static void the_zero_register(void **state)
{
    (void)state;
    fake_vm.device_written = 1;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(2u) | SRT(31u) | WNR | PERMISSION_L3);
    assert_int_equal(fake_vm.device_written, 0);
    assert_int_equal(fake_vm.device_writes, 1);
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(2u) | SRT(31u) | TRANSLATION_L3);
    went_on_at(PC + 8);
    assert_int_equal(v0->tcb_reads, 0);
}

static void an_exit_moves_no_more_registers_than_it_needs(void **state)
{
    (void)state;
    fake_vm.device_ignores = true;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(2u) | SRT(1u) | WNR | PERMISSION_L3);
    assert_int_equal(v0->tcb_reads, 0);
    assert_int_equal(v0->tcb_write_words, 1);
    fake_vm.device_ignores = false;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(2u) | SRT(1u) | WNR | PERMISSION_L3);
    assert_int_equal(v0->tcb_read_words, 5); /* pc, sp, spsr, x0, x1 */
    assert_int_equal(v0->tcb_write_words, 2);
}

static void an_access_to_nothing_is_an_external_abort(void **state)
{
    (void)state;
    fake_vm_data_abort(0, 0x20000008, ISV | SAS(2u) | SRT(1u) | WNR | TRANSLATION_L3);
    /* Same EL, IL, FnV, WnR, synchronous external abort. */
    got_exception(0x200, 0x25u << 26 | 1u << 25 | 1u << 10 | 1u << 6 | EXTERNAL, PC);
    assert_int_equal(v0->reg[seL4_VCPUReg_SPSR_EL1], 0x5);
    said("vmm vm7: vCPU 0 at 0xffff800008001000: 4-byte write to 0x20000008: no device takes it");
}

static void with_the_mmu_off_the_address_is_known(void **state)
{
    (void)state;
    v0->reg[seL4_VCPUReg_SCTLR] = 0x30d50820;
    fake_vm_data_abort(0, 0x20000008, ISV | SAS(3u) | SRT(1u) | TRANSLATION_L3);
    got_exception(0x200, 0x25u << 26 | 1u << 25 | EXTERNAL, PC);
    assert_int_equal(v0->reg[seL4_VCPUReg_FAR], 0x20000008);
}

static void the_vector_depends_on_the_mode(void **state)
{
    static const struct {
        uint32_t pstate, vector, class;
    } modes[] = {
        {0x0, 0x400, 0x24},        /* EL0 */
        {0x4, 0x000, 0x25},        /* EL1t */
        {0x5, 0x200, 0x25},        /* EL1h */
        {0x10, 0x600, 0x24},       /* AArch32 user */
        {0x600001c5, 0x200, 0x25}, /* with flags */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        v0->context.pc = PC;
        v0->context.spsr = modes[i].pstate;
        fake_vm_data_abort(0, 0, ISV | SAS(2u) | SRT(1u) | TRANSLATION_L3);
        got_exception(modes[i].vector, modes[i].class << 26 | 1u << 25 | 1u << 10 | EXTERNAL, PC);
        assert_int_equal(v0->reg[seL4_VCPUReg_SPSR_EL1], modes[i].pstate);
    }
}

static void pan_follows_span(void **state)
{
    (void)state;
    v0->reg[seL4_VCPUReg_SCTLR] = 0x30d50821 & ~(1u << 23);
    fake_vm_data_abort(0, 0, ISV | SAS(2u) | TRANSLATION_L3);
    assert_int_equal(v0->context.spsr, 0x3c5 | 1u << 22 | TCO);
    v0->reg[seL4_VCPUReg_SCTLR] = 0x30d50821 | 1u << 23;
    v0->context.spsr = 0x5;
    v0->context.pc = PC;
    fake_vm_data_abort(0, 0, ISV | SAS(2u) | TRANSLATION_L3);
    assert_int_equal(v0->context.spsr, 0x3c5 | TCO);
}

/* What taking an exception leaves alone, takes from SCTLR_EL1, or clears. */
static void the_rest_of_pstate_is_as_after_an_exception(void **state)
{
    const uint64_t kept = 0xfu << 28 | 1u << 24 | 1u << 22;             /* NZCV, DIT, PAN */
    const uint64_t cleared = 1u << 23 | 1u << 21 | 1u << 20 | 3u << 10; /* UAO, SS, IL, BTYPE */
    const uint64_t ssbs = 1u << 12;

    (void)state;
    v0->context.spsr = kept | cleared | ssbs | 0x5;
    fake_vm_data_abort(0, 0, ISV | SAS(2u) | TRANSLATION_L3);
    assert_int_equal(v0->context.spsr, kept | TCO | 0x3c5);
    assert_int_equal(v0->reg[seL4_VCPUReg_SPSR_EL1], kept | cleared | ssbs | 0x5);
    v0->reg[seL4_VCPUReg_SCTLR] = 0x30d50821 | 1u << 23 | 1ull << 44; /* DSSBS */
    v0->context.spsr = 0x5;
    v0->context.pc = PC;
    fake_vm_data_abort(0, 0, ISV | SAS(2u) | TRANSLATION_L3);
    assert_int_equal(v0->context.spsr, ssbs | TCO | 0x3c5);
}

static void what_a_device_refuses_is_an_abort(void **state)
{
    (void)state;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA + 0x800, ISV | SAS(2u) | SRT(1u) | TRANSLATION_L3);
    assert_int_equal(v0->context.pc, VBAR + 0x200);
    v0->context.pc = PC;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA + 0x7fe, ISV | SAS(2u) | SRT(1u) | TRANSLATION_L3);
    assert_int_equal(v0->context.pc, VBAR + 0x200);
    v0->context.pc = PC;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA + 0xffc, ISV | SAS(3u) | SRT(1u) | TRANSLATION_L3);
    assert_int_equal(v0->context.pc, VBAR + 0x200);
    assert_true(vm_running());
}

static void an_access_without_a_syndrome_is_an_abort(void **state)
{
    (void)state;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, WNR | PERMISSION_L3); /* stp, or post-indexed */
    got_exception(0x200, 0x25u << 26 | 1u << 25 | 1u << 10 | 1u << 6 | EXTERNAL, PC);
    said("cannot be emulated");
    assert_int_equal(fake_vm.device_writes, 0);
}

static void a_table_walk_outside_memory_is_an_abort_of_the_walk(void **state)
{
    (void)state;
    fake_vm_data_abort(0, 0x20000000, S1PTW | 0x05);
    got_exception(0x200, 0x25u << 26 | 1u << 25 | 0x15, PC);
    said("translation table walk");
    v0->context.pc = PC;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | S1PTW | SAS(2u) | WNR | TRANSLATION_L3);
    assert_int_equal(fake_vm.device_writes, 0);
}

static void an_error_of_real_memory_is_passed_on(void **state)
{
    (void)state;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(2u) | SRT(1u) | WNR | EXTERNAL);
    assert_int_equal(v0->context.pc, VBAR + 0x200);
    assert_int_equal(fake_vm.device_writes, 0);
}

static void cache_maintenance_of_a_device_does_nothing(void **state)
{
    (void)state;
    fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, CM | WNR | TRANSLATION_L3);
    went_on_at(PC + 4);
    assert_int_equal(fake_vm.device_writes, 0);
}

static bool fetch_abort(uint64_t pc, uint64_t gpa, uint32_t iss)
{
    seL4_Word mrs[] = {pc, gpa, 1, EC_IABT << 26 | 1u << 25 | iss};

    v0->context.pc = pc;
    return fake_fault(0, seL4_Fault_VMFault, 4, mrs);
}

/* As a kick does. A vCPU that is answered would go in front of what the notification sets off. */
static void what_an_exit_defers_is_sent_when_the_vcpu_is_ready(void **state)
{
    (void)state;
    unsigned replies = v0->replies, writes = v0->tcb_writes;

    fake_vm.device_notifies = true;
    assert_true(fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(2u) | WNR | PERMISSION_L3));
    went_on_at(PC + 4);
    assert_int_equal(v0->replies, replies);
    assert_int_equal(v0->tcb_writes, writes + 1);
    assert_int_equal(fake_notified(FAKE_VM_TIMER_CHANNEL), 1);
}

static void a_fetch_from_nowhere_is_an_abort(void **state)
{
    (void)state;
    assert_true(fetch_abort(0x20000000, 0x20000000, TRANSLATION_L3));
    got_exception(0x200, 0x21u << 26 | 1u << 25 | 1u << 10 | EXTERNAL, 0x20000000);
    said("instruction fetch from 0x20000000");
}

static void without_vectors_the_vm_is_stopped(void **state)
{
    (void)state;
    v0->reg[seL4_VCPUReg_VBAR] = 0;
    fetch_abort(0x20000000, 0x20000000, TRANSLATION_L3);
    assert_false(v0->running);
    assert_false(vm_running());
    said("stopped: vCPU 0 at 0x20000000: a fault that the guest has no working vectors for");
    assert_int_equal(fake_vm.virtio_resets, 1);
}

static void vectors_that_fault_stop_the_vm(void **state)
{
    (void)state;
    fetch_abort(VBAR + 0x200, 0x20000200, TRANSLATION_L3);
    assert_false(vm_running());
    assert_int_equal(v0->reg[seL4_VCPUReg_ELR_EL1], 0); /* nothing was changed */
}

static void wfe_goes_on_at_once(void **state)
{
    (void)state;
    assert_true(fake_vm_trap(0, EC_WFX, 1));
    went_on_at(PC + 4);
    assert_int_equal(vcpu_state(0), VCPU_ON);
}

static void an_unknown_smc_number_is_undefined(void **state)
{
    (void)state;
    fake_vm_trap(0, EC_SMC, 0x1234);
    got_exception(0x200, 1u << 25, PC);
    said("SMC #0x1234");
}

/* MRS or MSR of S<op0>_<op1>_C<crn>_C<crm>_<op2>. */
static uint32_t sysreg(uint32_t op0, uint32_t op1, uint32_t crn, uint32_t crm, uint32_t op2)
{
    return op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1;
}

static void debug_and_performance_registers_read_as_zero(void **state)
{
    (void)state;
    *x(5) = 77;
    fake_vm_trap(0, EC_SYS, sysreg(3, 3, 9, 12, 0) | 5u << 5 | 1); /* PMCR_EL0 */
    went_on_at(PC + 4);
    assert_int_equal(*x(5), 0);
    fake_vm_trap(0, EC_SYS, sysreg(2, 0, 1, 0, 4) | 5u << 5); /* OSLAR_EL1, written */
    went_on_at(PC + 8);
}

static void other_system_registers_are_undefined(void **state)
{
    (void)state;
    fake_vm_trap(0, EC_SYS, sysreg(3, 0, 12, 12, 5) | 1); /* ICC_SRE_EL1 */
    got_exception(0x200, 1u << 25, PC);
    said("read of the system register S3_0_C12_C12_5");
}

static void an_sgi_by_a_system_register(void **state)
{
    (void)state;
    fake_vm_start_gicv3(2);
    fake_vm_output();
    v0->context.pc = PC;
    v0->context.x7 = 2 | 5u << 24;
    assert_true(fake_vm_trap(0, EC_SYS, sysreg(3, 0, 12, 11, 5) | 7u << 5));
    assert_int_equal(v0->context.pc, PC + 4);
    assert_int_equal(v0->context.x7, 2 | 5u << 24);
    assert_true(fake_vm_trap(0, EC_SYS, sysreg(3, 0, 12, 12, 5) | 1 | 7u << 5)); /* ICC_SRE_EL1 */
    assert_int_equal(v0->context.pc, PC + 8);
    assert_int_equal(v0->context.x7, 7);
    assert_string_equal(fake_vm_output(), "");

    v0->reg[seL4_VCPUReg_VBAR] = VBAR;
    v0->context.pc = PC;
    v0->context.spsr = 0x5;
    fake_vm_trap(0, EC_SYS, sysreg(3, 0, 12, 11, 5) | 1); /* it cannot be read */
    got_exception(0x200, 1u << 25, PC);
    said("read of the system register S3_0_C12_C11_5");
}

static void other_traps_are_undefined(void **state)
{
    (void)state;
    fake_vm_trap(0, EC_SVE, 0);
    got_exception(0x200, 1u << 25, PC);
    said("class 0x19");
    v0->context.pc = PC;
    assert_true(fake_fault(0, seL4_Fault_UserException, 0, NULL));
    got_exception(0x200, 1u << 25, PC);
}

static void a_fault_of_an_unknown_kind_stops_the_vm(void **state)
{
    (void)state;
    assert_false(fake_fault(0, 1000, 0, NULL));
    assert_false(vm_running());
    said("unknown kind");
}

static void faults_of_a_vcpu_that_is_off_are_ignored(void **state)
{
    (void)state;
    vm_stop(VM_BY_GUEST);
    assert_false(fake_vm_data_abort(0, FAKE_VM_DEVICE_GPA, ISV | SAS(2u) | WNR | PERMISSION_L3));
    assert_false(v0->running);
    assert_int_equal(fake_vm.device_writes, 0);
    assert_false(fake_vm_trap(7, EC_WFX, 0)); /* one that it does not have */
}

static void messages_that_a_guest_provokes_are_limited(void **state)
{
    unsigned lines = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        v0->context.pc = PC;
        fake_vm_data_abort(0, 0x20000000, ISV | SAS(2u) | TRANSLATION_L3);
    }
    for (const char *c = fake_vm_output(); *c; c++) {
        lines += *c == '\n';
    }
    assert_in_range(lines, 1, 10);
}

static void noise_is_survived(void **state)
{
    (void)state;
    srand(7);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t gpa = (uint64_t)(rand() % 16) << 24 | (uint64_t)(rand() % 8192);
        uint32_t iss = (uint32_t)rand() & 0x1ffffff;

        v0->context.pc = PC;
        v0->context.spsr = (uint32_t)rand();
        if (!vm_running()) {
            start(NULL);
        }
        switch (rand() % 3) {
        case 0:
            fake_vm_data_abort(0, gpa, iss);
            break;
        case 1:
            fetch_abort(PC, gpa, iss);
            break;
        default:
            if (vcpu_state(0) == VCPU_ON) {
                fake_vm_trap(0, (uint32_t)rand() & 0x3f, iss);
            }
            break;
        }
        vcpu_wake(0);
        vcpu_start_woken();
        fake_vm_output();
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = {
        TEST(stores_of_every_width_and_register),
        TEST(loads_of_every_width_and_register),
        TEST(loads_extend_as_asked),
        TEST(the_zero_register),
        TEST(an_exit_moves_no_more_registers_than_it_needs),
        TEST(an_access_to_nothing_is_an_external_abort),
        TEST(with_the_mmu_off_the_address_is_known),
        TEST(the_vector_depends_on_the_mode),
        TEST(pan_follows_span),
        TEST(the_rest_of_pstate_is_as_after_an_exception),
        TEST(what_a_device_refuses_is_an_abort),
        TEST(an_access_without_a_syndrome_is_an_abort),
        TEST(a_table_walk_outside_memory_is_an_abort_of_the_walk),
        TEST(an_error_of_real_memory_is_passed_on),
        TEST(cache_maintenance_of_a_device_does_nothing),
        TEST(what_an_exit_defers_is_sent_when_the_vcpu_is_ready),
        TEST(a_fetch_from_nowhere_is_an_abort),
        TEST(without_vectors_the_vm_is_stopped),
        TEST(vectors_that_fault_stop_the_vm),
        TEST(wfe_goes_on_at_once),
        TEST(an_unknown_smc_number_is_undefined),
        TEST(debug_and_performance_registers_read_as_zero),
        TEST(other_system_registers_are_undefined),
        TEST(an_sgi_by_a_system_register),
        TEST(other_traps_are_undefined),
        TEST(a_fault_of_an_unknown_kind_stops_the_vm),
        TEST(faults_of_a_vcpu_that_is_off_are_ignored),
        TEST(messages_that_a_guest_provokes_are_limited),
        TEST(noise_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
