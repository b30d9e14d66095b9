/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/shared.c vmm/mmio.c vmm/vcpu.c
 * SOURCES: vmm/vgic.c vmm/vgic_lr.c vmm/vgic_registers.c vmm/vgic_v2.c
 * SOURCES: vmm/vgic_forward.c
 * SOURCES: vmm/vgic_v3.c vmm/vgic_redistributor.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 * SOURCES: tests/unit/fake/fake_stats.c
 *
 * Memory that machines share: the registers, and the doorbells between this monitor and two others,
 * whose pages the test writes.
 */

#include <microkit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/gicv2.h"
#include "vmm/config.h"
#include "vmm/mmio.h"
#include "vmm/shared.h"
#include "vmm/timer.h"
#include "vmm/vcpu.h"
#include "vmm/vgic.h"

#define GPA   0x0b000000ull
#define INTID 80u

enum { MAGIC = 0, VERSION = 4, NUMBER = 8, MACHINES = 12, SIZE = 16, ADDRESS = 24, WRITERS = 32 };
enum { DOORBELL = 0x24, STATE = 0x28, NAME = 0x40, STATES = 0x100, RESETS = 0x104 };
enum { BUSY = 0x800, RUNG = 0x900 };

/* Machine 1 of three is this monitor's. */
#define ME     1u
#define OTHERS 2u
static const uint32_t others[OTHERS] = {0, 2};
static const uint8_t channels[] = {31, 0, 32};

static _Alignas(8) uint32_t pages[3][1024];
static const struct vmm_config config = {
    .shared_count = 1,
    .shared = {{
        .name = "frames",
        .registers = pages[ME],
        .gpa = GPA,
        .intid = INTID,
        .memory_gpa = 0x110000000ull,
        .size = 0x200003000ull,
        .machines = 3,
        .number = ME,
        .writers = 3,
        .channels = {31, 0, 32},
        .pages = {pages[0], NULL, pages[2]},
    }},
};

static unsigned messages;

/* The bus keeps the device of the first case, which is the same as the others'. */
void log_printf(const char *format, ...)
{
    (void)format;
}

void log_limited(const char *format, ...)
{
    (void)format;
    messages++;
}

bool timer_asserted(uint8_t vcpu)
{
    (void)vcpu;
    return false;
}

seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo)
{
    (void)reply_msginfo;
    assert_int_equal(microkit_msginfo_get_label(msginfo), seL4_Fault_VGICMaintenance);
    vgic_maintenance((uint8_t)child, (uint32_t)microkit_mr_get(0));
    shared_settle();
    return seL4_True;
}

/* ---- The guest ---- */

static bool write_width(uint32_t offset, uint8_t width, uint64_t value)
{
    struct mmio_access access = {.width = width, .write = true, .value = value};
    bool taken = mmio_route(GPA + offset, &access);

    shared_settle();
    return taken;
}

static void write_register(uint32_t offset, uint32_t value)
{
    assert_true(write_width(offset, 4, value));
}

static uint32_t reads(uint32_t offset)
{
    return pages[ME][offset / 4];
}

static void write_gicd(uint32_t offset, uint32_t value)
{
    struct mmio_access access = {.offset = offset, .width = 4, .write = true, .value = value};

    assert_true(vgic_v2_access(NULL, &access));
    shared_settle();
}

/* As drivers do, and then it waits for interrupts. */
static void enable(void)
{
    write_gicd(GICD_CTLR, 1);
    write_gicd(GICD_ISENABLER + INTID / 32 * 4, 1u << (INTID % 32));
}

static bool is_interrupted(void)
{
    return fake_find_lr(0, INTID) >= 0;
}

static void end(void)
{
    assert_true(is_interrupted());
    fake_eoi(0, (unsigned)fake_find_lr(0, INTID));
}

/* ---- The other monitors ---- */

/* One counts, and notifies as long as this one is not busy; it returns whether it did. */
static bool rings(uint32_t other)
{
    pages[other][(RUNG + 4 * ME) / 4]++;
    if (reads(BUSY) != 0) {
        return false;
    }
    assert_true(shared_notified(channels[other]));
    shared_settle();
    return true;
}

static void show_life(uint32_t other, uint32_t in_state, uint32_t resets)
{
    pages[other][(STATES + 8 * other) / 4] = in_state;
    pages[other][(RESETS + 8 * other) / 4] = resets;
}

static unsigned rung(uint32_t other)
{
    return pages[ME][(RUNG + 4 * other) / 4];
}

static void begin(void)
{
    fake_reset();
    messages = 0;
    memset(pages, 0, sizeof(pages));
    vcpu_init(1);
    vgic_init(2, 1);
    vcpu_power_on(0, 0x40000000, 0, 0);
    shared_init(&config);
    messages = 0;
}

/* ---- Cases ---- */

static void the_page_says_what_there_is(void **state)
{
    (void)state;
    begin();
    assert_int_equal(reads(MAGIC), 0x4d537242);
    assert_int_equal(reads(VERSION), 1);
    assert_int_equal(reads(NUMBER), ME);
    assert_int_equal(reads(MACHINES), 3);
    assert_int_equal(reads(SIZE), 0x3000);
    assert_int_equal(reads(SIZE + 4), 2);
    assert_int_equal(reads(ADDRESS), 0x10000000);
    assert_int_equal(reads(ADDRESS + 4), 1);
    assert_int_equal(reads(WRITERS), 3);
    assert_string_equal((const char *)&pages[ME][NAME / 4], "frames");
}

static void a_doorbell_notifies_that_machine_alone(void **state)
{
    (void)state;
    begin();
    write_register(DOORBELL, 2);
    assert_int_equal(fake.notifies[32], 1);
    assert_int_equal(fake.notifies[31], 0);
    assert_int_equal(rung(2), 1);
    write_register(DOORBELL, 0);
    assert_int_equal(fake.notifies[31], 1);
    assert_int_equal(messages, 0);
}

static void nobody_and_oneself_are_not_rung(void **state)
{
    const uint32_t numbers[] = {ME, 3, 31, 32, 33, 0x100, 0x80000000, 0x80000002, UINT32_MAX};

    (void)state;
    begin();
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        write_register(DOORBELL, numbers[i]);
    }
    assert_int_equal(fake.notifies[31] + fake.notifies[32] + fake.notifies[0], 0);
    assert_int_equal(rung(0) + rung(1) + rung(2), 0);
}

static void a_machine_that_is_busy_is_not_notified(void **state)
{
    (void)state;
    begin();
    pages[2][BUSY / 4] = 1;
    for (unsigned i = 0; i < 1000; i++) {
        write_register(DOORBELL, 2);
    }
    assert_int_equal(fake.notifies[32], 0);
    assert_int_equal(rung(2), 1000);
}

/* Only DOORBELL and STATE do anything, and only as words. */
static void all_other_writes_change_nothing(void **state)
{
    uint32_t before[1024];

    (void)state;
    begin();
    memcpy(before, pages[ME], sizeof(before));
    for (uint32_t offset = 0; offset < SHARED_SIZE; offset++) {
        for (uint8_t width = 1; width <= 8; width *= 2) {
            bool fits = offset % width == 0;

            if (width != 4 || (offset != DOORBELL && offset != STATE)) {
                assert_int_equal(write_width(offset, width, UINT64_MAX), fits);
            }
        }
    }
    assert_memory_equal(pages[ME], before, sizeof(before));
    assert_int_equal(fake.notifies[31] + fake.notifies[32], 0);
    assert_true(messages > 1000);
    assert_false(write_width(SHARED_SIZE, 4, 0));
}

static void reads_do_not_come_here(void **state)
{
    struct mmio_access access = {.width = 4};

    (void)state;
    begin();
    assert_false(mmio_route(GPA, &access));
}

static void one_that_rings_interrupts(void **state)
{
    (void)state;
    begin();
    enable();
    assert_true(rings(0));
    assert_true(is_interrupted());
    assert_int_equal(reads(BUSY), 1);
    end();
    assert_false(is_interrupted());
    assert_int_equal(reads(BUSY), 0);
}

static void a_notification_without_a_ring_does_not(void **state)
{
    (void)state;
    begin();
    enable();
    assert_true(shared_notified(31));
    shared_settle();
    assert_false(is_interrupted());
    assert_false(shared_notified(30));
    assert_false(shared_notified(0)); /* what stands at its own number is no channel */
}

/* However often: one at once, and one after that has ended, for what came meanwhile. */
static void rings_that_are_not_looked_at_are_one(void **state)
{
    unsigned notified = 0, interrupts = 0;

    (void)state;
    begin();
    enable();
    for (unsigned i = 0; i < 1000; i++) {
        notified += rings(others[i % OTHERS]);
    }
    assert_int_equal(notified, 1);
    while (is_interrupted()) {
        end();
        interrupts++;
    }
    assert_int_equal(interrupts, 2);
}

static void a_ring_while_it_is_handled_comes_behind_its_end(void **state)
{
    (void)state;
    begin();
    enable();
    rings(0);
    fake_acknowledge(0, (unsigned)fake_find_lr(0, INTID));
    assert_false(rings(2));
    end();
    assert_true(is_interrupted());
    end();
    assert_false(is_interrupted());
    assert_true(rings(2));
}

static void a_guest_that_does_not_listen_is_left_alone(void **state)
{
    (void)state;
    begin();
    assert_true(rings(0));
    for (unsigned i = 0; i < 100; i++) {
        assert_false(rings(0));
    }
    enable();
    assert_true(is_interrupted()); /* once it listens, */
    end();
    assert_true(is_interrupted()); /* and for those that came later */
    end();
    assert_false(is_interrupted());
}

static void what_the_guest_clears_by_hand_is_over(void **state)
{
    (void)state;
    begin();
    rings(0);
    write_gicd(GICD_ICPENDR + INTID / 32 * 4, 1u << (INTID % 32));
    assert_int_equal(reads(BUSY), 0);
    enable();
    assert_false(is_interrupted());
    assert_true(rings(0));
    assert_true(is_interrupted());
}

static void a_state_is_told_to_all(void **state)
{
    (void)state;
    begin();
    write_register(STATE, 7);
    assert_int_equal(reads(STATE), 7);
    assert_int_equal(reads(STATES + 8 * ME), 7);
    assert_int_equal(fake.notifies[31], 1);
    assert_int_equal(fake.notifies[32], 1);
    write_register(STATE, 7);
    assert_int_equal(fake.notifies[32], 1);
}

static void the_states_of_others_are_shown_before_the_interrupt(void **state)
{
    (void)state;
    begin();
    enable();
    show_life(2, 5, 3);
    assert_int_equal(reads(STATES + 8 * 2), 0);
    rings(2);
    assert_true(is_interrupted());
    assert_int_equal(reads(STATES + 8 * 2), 5);
    assert_int_equal(reads(RESETS + 8 * 2), 3);
    assert_int_equal(reads(STATES), 0);
}

/* What STATE of another machine says may be of another life than its resets. */
static void a_state_is_of_the_life_that_is_told_with_it(void **state)
{
    (void)state;
    begin();
    enable();
    show_life(0, 1, 7);
    pages[0][STATE / 4] = 0; /* it restarts, and is between its two stores */
    rings(0);
    assert_int_equal(reads(STATES), 1);
    assert_int_equal(reads(RESETS), 7);
}

/* From a ring to the end of its interrupt. A guest that polls ends it by hand. */
static void states_stand_still_until_the_interrupt_has_ended(void **state)
{
    (void)state;
    begin();
    show_life(0, 1, 0);
    rings(0);
    assert_int_equal(reads(STATES), 1);
    show_life(0, 0, 1);
    assert_false(rings(0));
    assert_int_equal(reads(STATES), 1);
    assert_int_equal(reads(RESETS), 0);
    write_gicd(GICD_ICPENDR + INTID / 32 * 4, 1u << (INTID % 32));
    assert_int_equal(reads(STATES), 0);
    assert_int_equal(reads(RESETS), 1);
}

static void states_are_fresh_after_a_reset(void **state)
{
    (void)state;
    begin();
    rings(0);
    show_life(0, 4, 2);
    assert_false(rings(0));
    vgic_reset();
    shared_reset();
    shared_settle();
    assert_int_equal(reads(STATES), 4);
    assert_int_equal(reads(RESETS), 2);
    assert_int_equal(reads(BUSY), 1);
}

static void a_restart_is_told_to_all(void **state)
{
    (void)state;
    begin();
    write_register(STATE, 7);
    shared_reset();
    assert_int_equal(reads(STATE), 0);
    assert_int_equal(reads(STATES + 8 * ME), 0);
    assert_int_equal(reads(RESETS + 8 * ME), 1);
    write_register(STATE, 9);
    assert_int_equal(reads(STATES + 8 * ME), 9);
    assert_int_equal(reads(RESETS + 8 * ME), 1);
    assert_int_equal(fake.notifies[31], 3);
    assert_int_equal(reads(MAGIC), 0x4d537242);
}

static void a_reset_of_the_controller_ends_the_interrupt(void **state)
{
    (void)state;
    begin();
    enable();
    rings(0);
    vgic_reset();
    shared_reset();
    shared_settle();
    assert_int_equal(reads(BUSY), 0);
    assert_true(rings(0));
}

/* Another monitor writes anything into its page, and notifies at any time. */
static void noise_is_survived(void **state)
{
    (void)state;
    begin();
    enable();
    srand(1);
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t other = others[(unsigned)rand() % OTHERS];

        pages[other][(unsigned)rand() % 1024] = (uint32_t)rand();
        if (rand() % 2 == 0) {
            shared_notified(channels[other]);
            shared_settle();
        }
        if (rand() % 4 == 0) {
            write_register(rand() % 2 ? DOORBELL : STATE, (uint32_t)rand() % 5);
        }
        if (rand() % 4 == 0 && is_interrupted()) {
            end();
        }
    }
    while (is_interrupted()) {
        end();
    }
    memset(pages[0], 0, sizeof(pages[0]));
    assert_true(rings(0));
    assert_int_equal(reads(NUMBER), ME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_what_there_is),
        cmocka_unit_test(a_doorbell_notifies_that_machine_alone),
        cmocka_unit_test(nobody_and_oneself_are_not_rung),
        cmocka_unit_test(a_machine_that_is_busy_is_not_notified),
        cmocka_unit_test(all_other_writes_change_nothing),
        cmocka_unit_test(reads_do_not_come_here),
        cmocka_unit_test(one_that_rings_interrupts),
        cmocka_unit_test(a_notification_without_a_ring_does_not),
        cmocka_unit_test(rings_that_are_not_looked_at_are_one),
        cmocka_unit_test(a_ring_while_it_is_handled_comes_behind_its_end),
        cmocka_unit_test(a_guest_that_does_not_listen_is_left_alone),
        cmocka_unit_test(what_the_guest_clears_by_hand_is_over),
        cmocka_unit_test(a_state_is_told_to_all),
        cmocka_unit_test(the_states_of_others_are_shown_before_the_interrupt),
        cmocka_unit_test(a_state_is_of_the_life_that_is_told_with_it),
        cmocka_unit_test(states_stand_still_until_the_interrupt_has_ended),
        cmocka_unit_test(states_are_fresh_after_a_reset),
        cmocka_unit_test(a_restart_is_told_to_all),
        cmocka_unit_test(a_reset_of_the_controller_ends_the_interrupt),
        cmocka_unit_test(noise_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
