/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The tool's allocator of physical memory.
 *
 * SOURCES: sdk/tool/allocator.c sdk/tool/array.c sdk/tool/diag.c tools/memory.c
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sdk/tool/allocator.h"

#define RAM      0x40000000ULL
#define RAM_SIZE 0x80000000ULL

static void lowest_first(void **state)
{
    struct allocator ram;
    uint64_t a, b, c;
    (void)state;

    allocator_init(&ram, RAM, RAM_SIZE);
    assert_true(allocator_take(&ram, 0, 0x1000, 0x1000, 0, &a));
    assert_true(allocator_take(&ram, 0, 0x400000, 0x200000, 0, &b));
    assert_true(allocator_take(&ram, 0, 0x1000, 0x1000, 0, &c));
    assert_int_equal(a, RAM);
    assert_int_equal(b, RAM + 0x200000);
    assert_int_equal(c, RAM + 0x1000);
    assert_int_equal(allocator_free(&ram), RAM_SIZE - 0x402000);
    assert_int_equal(ram.count, 2);
}

static void from_an_address_on(void **state)
{
    struct allocator ram;
    uint64_t address;
    (void)state;

    allocator_init(&ram, RAM, RAM_SIZE);
    assert_true(allocator_take(&ram, 0x70001000, 0x1000, 0x200000, 0, &address));
    assert_int_equal(address, 0x70200000);
    assert_true(allocator_take(&ram, 0x70001000, 0x1000, 0x1000, 0, &address));
    assert_int_equal(address, 0x70001000);
    assert_false(allocator_take(&ram, RAM + RAM_SIZE, 0x1000, 0x1000, 0, &address));
}

static void residue(void **state)
{
    struct allocator ram;
    uint64_t address;
    (void)state;

    allocator_init(&ram, RAM, RAM_SIZE);
    assert_true(allocator_take(&ram, 0, 0x200000, 0x200000, 0x1ff000, &address));
    assert_int_equal(address, RAM + 0x1ff000);
}

static void exactly_there(void **state)
{
    struct allocator ram;
    uint64_t address;
    (void)state;

    allocator_init(&ram, RAM, 0x4000);
    assert_true(allocator_take_at(&ram, RAM + 0x1000, 0x1000));
    assert_false(allocator_take_at(&ram, RAM + 0x1000, 0x1000));
    assert_false(allocator_take_at(&ram, RAM, 0x2000));
    assert_false(allocator_take_at(&ram, RAM - 0x1000, 0x1000));
    assert_false(allocator_take_at(&ram, RAM + 0x3000, 0x2000));
    assert_false(allocator_take_at(&ram, RAM + 0x2000, UINT64_MAX - 0xfff));
    assert_int_equal(allocator_free(&ram), 0x3000);
    assert_int_equal(allocator_largest(&ram), 0x2000);
    assert_true(allocator_take(&ram, 0, 0x2000, 0x1000, 0, &address));
    assert_int_equal(address, RAM + 0x2000);
    assert_true(allocator_take(&ram, 0, 0x1000, 0x1000, 0, &address));
    assert_int_equal(ram.count, 0);
    assert_false(allocator_take(&ram, 0, 0x1000, 0x1000, 0, &address));
}

static void too_large(void **state)
{
    struct allocator ram;
    uint64_t address;
    (void)state;

    allocator_init(&ram, RAM, RAM_SIZE);
    assert_false(allocator_take(&ram, 0, RAM_SIZE + 0x1000, 0x1000, 0, &address));
    assert_false(allocator_take(&ram, 0, UINT64_MAX & ~0xfffULL, 0x1000, 0, &address));
    assert_int_equal(allocator_free(&ram), RAM_SIZE);
}

/* Whatever is taken in whatever order: nothing twice, nothing outside, nothing lost. */
static void random_takes(void **state)
{
    static uint8_t taken[2048];
    struct allocator ram;
    uint64_t pages = 0, address;
    (void)state;

    srand(1);
    for (unsigned round = 0; round < 50; round++) {
        allocator_init(&ram, RAM, sizeof(taken) * 0x1000ULL);
        memset(taken, 0, sizeof(taken));
        pages = 0;
        for (unsigned i = 0; i < 300; i++) {
            uint64_t count = 1 + (unsigned)rand() % 20, align = 0x1000ULL << (rand() % 5);
            uint64_t lowest = RAM + 0x1000ULL * ((unsigned)rand() % sizeof(taken));
            if (!allocator_take(&ram, lowest, count * 0x1000, align, 0, &address)) {
                continue;
            }
            assert_true(address >= lowest && address % align == 0);
            assert_true(address + count * 0x1000 <= RAM + sizeof(taken) * 0x1000ULL);
            for (uint64_t j = 0; j < count; j++) {
                assert_int_equal(taken[(address - RAM) / 0x1000 + j]++, 0);
            }
            pages += count;
        }
        assert_int_equal(allocator_free(&ram), (sizeof(taken) - pages) * 0x1000);
    }
    assert_true(pages > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowest_first), cmocka_unit_test(from_an_address_on),
        cmocka_unit_test(residue),      cmocka_unit_test(exactly_there),
        cmocka_unit_test(too_large),    cmocka_unit_test(random_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
