/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: vmm/mmio.c
 *
 * The guest's bus: which device an access meets, and which accesses meet none. The bus is a static
 * table that only grows, so all cases share the devices that the first one attaches.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "vmm/mmio.h"

struct device {
    unsigned calls;
    struct mmio_access last;
    bool refuses;
};

static struct device first, second, top, lazy;
static unsigned fetches;

static bool record(void *device, struct mmio_access *access)
{
    struct device *d = device;

    d->calls++;
    d->last = *access;
    if (!access->write) {
        access->value = 0x1122334455667788u;
    }
    return !d->refuses;
}

static bool record_lazily(void *device, struct mmio_access *access)
{
    bool cares = access->offset == 8;

    if (access->write && cares) {
        mmio_value(access);
        mmio_value(access); /* only the first one costs */
    }
    return record(device, access);
}

static uint64_t fetch(const struct mmio_access *access)
{
    fetches++;
    return 0x1000u + access->source;
}

static int attach_all(void **state)
{
    (void)state;
    assert_true(mmio_attach(0x1000, 0x1000, record, &first));
    assert_true(mmio_attach(0x2000, 0x10, record, &second));
    assert_true(mmio_attach(UINT64_MAX - 0xfff, 0x1000, record, &top));
    assert_true(mmio_attach_lazy(0x8000, 0x1000, record_lazily, &lazy));
    return 0;
}

static bool access_at(uint64_t gpa, uint8_t width, bool write)
{
    struct mmio_access access = {.width = width, .write = write, .value = 7};

    return mmio_route(gpa, &access);
}

static void each_address_meets_its_device(void **state)
{
    (void)state;
    assert_true(access_at(0x1000, 4, false));
    assert_int_equal(first.last.offset, 0);
    assert_true(access_at(0x1ffc, 4, true));
    assert_int_equal(first.last.offset, 0xffc);
    assert_int_equal(first.last.value, 7);
    assert_true(access_at(0x2000, 8, false));
    assert_int_equal(second.last.offset, 0);
    assert_true(access_at(0x200f, 1, false));
    assert_int_equal(second.last.offset, 0xf);
    assert_true(access_at(UINT64_MAX - 7, 8, false));
    assert_int_equal(top.last.offset, 0xff8);
}

static void a_read_gets_the_devices_value(void **state)
{
    struct mmio_access access = {.width = 8};

    (void)state;
    assert_true(mmio_route(0x1008, &access));
    assert_int_equal(access.value, 0x1122334455667788u);
}

static void nothing_is_between_devices(void **state)
{
    (void)state;
    assert_false(access_at(0xfff, 1, false));
    assert_false(access_at(0x2010, 1, false));
    assert_false(access_at(0, 4, true));
    assert_false(access_at(0x7fff, 1, true));
}

static void misaligned_and_straddling_accesses_meet_nothing(void **state)
{
    unsigned before = first.calls + second.calls + top.calls;

    (void)state;
    assert_false(access_at(0x1001, 2, false));
    assert_false(access_at(0x1002, 4, false));
    assert_false(access_at(0x1ffe, 4, false));
    assert_false(access_at(0x1ffc, 8, false)); /* from one device into the next */
    assert_false(access_at(0x200c, 8, false)); /* beyond the end */
    assert_false(access_at(UINT64_MAX, 8, false));
    assert_int_equal(first.calls + second.calls + top.calls, before);
}

static void a_device_may_refuse(void **state)
{
    (void)state;
    second.refuses = true;
    assert_false(access_at(0x2004, 4, false));
    second.refuses = false;
    assert_true(access_at(0x2004, 4, false));
}

static void overlapping_empty_and_wrapping_ranges_are_refused(void **state)
{
    (void)state;
    assert_false(mmio_attach(0x1800, 0x10, record, &first));
    assert_false(mmio_attach(0xf00, 0x101, record, &first));
    assert_false(mmio_attach(0x200f, 1, record, &first));
    assert_false(mmio_attach(0, UINT64_MAX, record, &first));
    assert_false(mmio_attach(0x5000, 0, record, &first));
    assert_false(mmio_attach(UINT64_MAX - 0x1fff, 0x3000, record, &first));
}

static void a_value_is_fetched_only_for_those_who_want_it(void **state)
{
    struct mmio_access access = {.width = 4, .write = true, .fetch = fetch, .source = 5};

    (void)state;
    fetches = 0;
    assert_true(mmio_route(0x8000, &access));
    assert_int_equal(fetches, 0);
    access.fetch = fetch;
    assert_true(mmio_route(0x8008, &access));
    assert_int_equal(fetches, 1);
    assert_int_equal(lazy.last.value, 0x1005);
    access.fetch = fetch;
    assert_true(mmio_route(0x1000, &access));
    assert_int_equal(fetches, 2);
    assert_int_equal(first.last.value, 0x1005);
}

static void the_bus_is_full_at_some_point(void **state)
{
    unsigned more = 0;

    (void)state;
    while (mmio_attach(0x100000 + more * 0x1000, 0x1000, record, &first)) {
        more++;
        assert_in_range(more, 0, MMIO_MAX_DEVICES);
    }
    assert_int_equal(more, MMIO_MAX_DEVICES - 4);
    assert_true(access_at(0x1000, 4, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_meets_its_device),
        cmocka_unit_test(a_read_gets_the_devices_value),
        cmocka_unit_test(nothing_is_between_devices),
        cmocka_unit_test(misaligned_and_straddling_accesses_meet_nothing),
        cmocka_unit_test(a_device_may_refuse),
        cmocka_unit_test(overlapping_empty_and_wrapping_ranges_are_refused),
        cmocka_unit_test(a_value_is_fetched_only_for_those_who_want_it),
        cmocka_unit_test(the_bus_is_full_at_some_point),
    };

    return cmocka_run_group_tests(tests, attach_all, NULL);
}
