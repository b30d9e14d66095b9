/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/ring.c lib/log.c lib/token_bucket.c
 * SOURCES: tests/unit/fake/fake_microkit.c
 *
 * Exits by cause: what is counted, and what is said of it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define VMM_COUNT_EXITS 1
#include <microkit.h>
#include "vmm/exits.c"

static int setup(void **state)
{
    (void)state;
    fake_reset();
    log_init("vmm vm0", NULL, 0);
    memset(&exits, 0, sizeof(exits));
    return 0;
}

static void causes_are_told_with_their_counts(void **state)
{
    (void)state;
    exits_trace(EXIT_TIMER, 0);
    exits_trace(EXIT_WFX, 0);
    exits_trace(EXIT_TIMER, 0);
    exits_report();
    assert_string_equal(fake.debug, "vmm vm0: exits:          3 in all\n"
                                    "vmm vm0: exits:          1 WFI or WFE\n"
                                    "vmm vm0: exits:          2 interrupts of the virtual timer\n");
}

static void report_begins_anew(void **state)
{
    (void)state;
    exits_trace(EXIT_OTHER, 0);
    exits_trace(EXIT_MMIO, 0x0a000050);
    exits_report();
    fake_reset();
    exits_report();
    assert_string_equal(fake.debug, "vmm vm0: exits:          0 in all\n");
}

static void busy_addresses_are_told_one_by_one(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        exits_trace(EXIT_MMIO, i % 3 == 0 ? 0x0a000064 : 0x0a000050);
    }
    exits_trace(EXIT_MMIO, 0x08000000);
    exits_report();
    assert_string_equal(fake.debug, "vmm vm0: exits:        301 in all\n"
                                    "vmm vm0: exits:        301 accesses to registers\n"
                                    "vmm vm0: exits:        100   at 0xa000064\n"
                                    "vmm vm0: exits:        200   at 0xa000050\n");
}

/* A guest may touch as many addresses as it likes. */
static void further_addresses_are_only_counted(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        exits_trace(EXIT_MMIO, 0x0a000000 + 4 * i);
    }
    assert_int_equal(exits.by_cause[EXIT_MMIO], 1000);
    assert_int_equal(exits.addresses, ADDRESSES);
    exits_trace(EXIT_MMIO, 0x0a000000);
    assert_int_equal(exits.at[0].count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(causes_are_told_with_their_counts, setup),
        cmocka_unit_test_setup(report_begins_anew, setup),
        cmocka_unit_test_setup(busy_addresses_are_told_one_by_one, setup),
        cmocka_unit_test_setup(further_addresses_are_only_counted, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
