/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The tool's stage-2 tables, looked up as the hardware does (Arm ARM D8.2).
 *
 * SOURCES: sdk/tool/stage2.c sdk/tool/array.c sdk/tool/diag.c tools/memory.c
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sdk/tool/stage2.h"

#define BASE 0x70008000ULL
#define NONE UINT64_MAX

#define AP(descriptor)      (((descriptor) >> 6) & 3)
#define MEMATTR(descriptor) (((descriptor) >> 2) & 15)
#define SH(descriptor)      (((descriptor) >> 8) & 3)
#define IS_XN(descriptor)   (((descriptor) >> 54) & 1)
#define IS_AF(descriptor)   (((descriptor) >> 10) & 1)

struct lookup {
    uint64_t output;     /* NONE if nothing is there */
    uint64_t descriptor; /* of the leaf */
    unsigned level;
};

static uint64_t entry_at(const struct stage2 *tables, uint64_t address)
{
    assert_true(address >= BASE);
    assert_true(address < BASE + tables->table_count * STAGE2_TABLE_SIZE);
    return tables->entries[(address - BASE) / sizeof(uint64_t)];
}

/* A walk from level 1 of two concatenated tables: 10 bits, 9 bits, 9 bits. */
static struct lookup look(const struct stage2 *tables, uint64_t root, uint64_t input)
{
    struct lookup result = {NONE, 0, 1};
    uint64_t table = root;
    uint64_t index = input >> 30;

    for (unsigned level = 1; level <= 3; level++) {
        unsigned shift = 39 - 9 * level;
        if (level > 1) {
            index = (input >> shift) & 511;
        }
        uint64_t descriptor = entry_at(tables, table + 8 * index);
        result.level = level;
        if (!(descriptor & 1)) {
            return result;
        }
        if (level == 3 || !(descriptor & 2)) {
            assert_true(level > 1);
            assert_int_equal((descriptor >> 1) & 1, level == 3);
            result.descriptor = descriptor;
            result.output = (descriptor & 0xfffffffff000ULL) + (input & ((1ULL << shift) - 1));
            return result;
        }
        table = descriptor & 0xfffffffff000ULL;
    }
    return result;
}

static void a_page(void **state)
{
    struct stage2 tables = {.base = BASE};
    (void)state;

    stage2_add_roots(&tables, 1);
    assert_true(stage2_map(&tables, 0, 0x201000, 0x40003000, 0x1000, STAGE2_READ));
    uint64_t root = stage2_root(&tables, 0);
    struct lookup found = look(&tables, root, 0x201abc);
    assert_int_equal(found.output, 0x40003abc);
    assert_int_equal(found.level, 3);
    assert_int_equal(AP(found.descriptor), 1);
    assert_int_equal(MEMATTR(found.descriptor), 15);
    assert_int_equal(SH(found.descriptor), 3);
    assert_true(IS_XN(found.descriptor));
    assert_true(IS_AF(found.descriptor));
    assert_int_equal(look(&tables, root, 0x200fff).output, NONE);
    assert_int_equal(look(&tables, root, 0x202000).output, NONE);
    assert_int_equal(tables.table_count, 4);
}

static void attributes(void **state)
{
    struct stage2 tables = {.base = BASE};
    (void)state;

    stage2_add_roots(&tables, 1);
    assert_true(
        stage2_map(&tables, 0, 0, 0x9000000, 0x1000, STAGE2_READ | STAGE2_WRITE | STAGE2_DEVICE));
    assert_true(stage2_map(&tables, 0, 0x1000, 0x40000000, 0x1000, STAGE2_READ | STAGE2_EXECUTE));
    assert_true(stage2_map(&tables, 0, 0x2000, 0x40001000, 0x1000, STAGE2_EXECUTE));
    uint64_t device = look(&tables, BASE, 0).descriptor;
    uint64_t code = look(&tables, BASE, 0x1000).descriptor;
    uint64_t only_code = look(&tables, BASE, 0x2000).descriptor;
    assert_int_equal(MEMATTR(device), 0);
    assert_int_equal(AP(device), 3);
    assert_true(IS_XN(device));
    assert_int_equal(AP(code), 1);
    assert_false(IS_XN(code));
    assert_int_equal(AP(only_code), 0);
    assert_false(IS_XN(only_code));
}

static void blocks_where_aligned(void **state)
{
    struct stage2 tables = {.base = BASE};
    (void)state;

    /* A page before, two blocks, a page behind. */
    stage2_add_roots(&tables, 1);
    assert_true(stage2_map(&tables, 0, 0x3ff000, 0x405ff000, 0x402000, STAGE2_READ));
    assert_int_equal(look(&tables, BASE, 0x3ff000).level, 3);
    assert_int_equal(look(&tables, BASE, 0x400000).level, 2);
    assert_int_equal(look(&tables, BASE, 0x7fffff).level, 2);
    assert_int_equal(look(&tables, BASE, 0x800000).level, 3);
    for (uint64_t input = 0x3ff000; input < 0x801000; input += 0x1000) {
        assert_int_equal(look(&tables, BASE, input).output, input - 0x3ff000 + 0x405ff000);
    }
    assert_int_equal(look(&tables, BASE, 0x801000).output, NONE);
}

static void no_blocks(void **state)
{
    struct stage2 unaligned = {.base = BASE}, forbidden = {.base = BASE};
    (void)state;

    stage2_add_roots(&unaligned, 1);
    assert_true(stage2_map(&unaligned, 0, 0x400000, 0x40001000, 0x400000, STAGE2_READ));
    assert_int_equal(look(&unaligned, BASE, 0x400000).level, 3);
    assert_int_equal(look(&unaligned, BASE, 0x7ff123).output, 0x40400123);
    stage2_add_roots(&forbidden, 1);
    assert_true(
        stage2_map(&forbidden, 0, 0x400000, 0x40000000, 0x200000, STAGE2_READ | STAGE2_PAGES));
    assert_int_equal(look(&forbidden, BASE, 0x400000).level, 3);
}

static void the_ends_of_the_space(void **state)
{
    struct stage2 tables = {.base = BASE};
    (void)state;

    stage2_add_roots(&tables, 1);
    assert_true(stage2_map(&tables, 0, 0, 0x40000000, 0x1000, STAGE2_READ));
    assert_true(stage2_map(&tables, 0, 0xfffffff000, 0x40001000, 0x1000, STAGE2_READ));
    /* The second of the two level-1 tables begins at 512 GiB. */
    assert_true(stage2_map(&tables, 0, 0x7fffe00000, 0x40200000, 0x400000, STAGE2_READ));
    assert_int_equal(look(&tables, BASE, 0xffffffffff).output, 0x40001fff);
    assert_int_equal(look(&tables, BASE, 0x7fffffffff).output, 0x403fffff);
    assert_int_equal(look(&tables, BASE, 0x8000000000).output, 0x40400000);
    assert_int_equal(look(&tables, BASE, 0x8000200000).output, NONE);
}

static void roots_are_separate(void **state)
{
    struct stage2 tables = {.base = BASE};
    (void)state;

    stage2_add_roots(&tables, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(stage2_root(&tables, i) % STAGE2_ROOT_SIZE, 0);
        assert_true(stage2_map(&tables, i, 0x1000, 0x40000000 + i * 0x1000, 0x1000, STAGE2_READ));
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(look(&tables, stage2_root(&tables, i), 0x1000).output,
                         0x40000000 + i * 0x1000);
    }
    assert_int_equal(look(&tables, stage2_root(&tables, 0), 0x2000).output, NONE);
}

static void overlaps(void **state)
{
    struct stage2 tables = {.base = BASE};
    (void)state;

    stage2_add_roots(&tables, 1);
    assert_true(stage2_map(&tables, 0, 0x400000, 0x40000000, 0x200000, STAGE2_READ));
    assert_false(stage2_map(&tables, 0, 0x400000, 0x40000000, 0x200000, STAGE2_READ));
    assert_false(stage2_map(&tables, 0, 0x5ff000, 0x40000000, 0x1000, STAGE2_READ));
    assert_true(stage2_map(&tables, 0, 0x1000, 0x40000000, 0x1000, STAGE2_READ));
    assert_false(stage2_map(&tables, 0, 0x1000, 0x40000000, 0x1000, STAGE2_READ));
    assert_false(stage2_map(&tables, 0, 0, 0x40000000, 0x200000, STAGE2_READ));
}

/* The tool counts tables with addresses that are right modulo 2 MiB only. */
static void count_depends_on_residue_only(void **state)
{
    struct stage2 trial = {.base = 0}, real = {.base = BASE};
    (void)state;

    stage2_add_roots(&trial, 2);
    stage2_add_roots(&real, 2);
    assert_true(stage2_map(&trial, 1, 0x3ff000, 0x1ff000, 0x402000, STAGE2_READ));
    assert_true(stage2_map(&real, 1, 0x3ff000, 0x405ff000, 0x402000, STAGE2_READ));
    assert_int_equal(trial.table_count, real.table_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page),
        cmocka_unit_test(attributes),
        cmocka_unit_test(blocks_where_aligned),
        cmocka_unit_test(no_blocks),
        cmocka_unit_test(the_ends_of_the_space),
        cmocka_unit_test(roots_are_separate),
        cmocka_unit_test(overlaps),
        cmocka_unit_test(count_depends_on_residue_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
