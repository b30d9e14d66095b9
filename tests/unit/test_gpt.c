/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: block/gpt.c
 *
 * Partition tables: sound ones of every block size, damaged ones, and ones that somebody has made
 * to reach where they should not, with checksums that are right.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "block/gpt.h"

#define DISK_BLOCKS 10000u
#define ENTRIES     128u
#define ENTRY       128u
#define FIRST       34u
#define LAST        (DISK_BLOCKS - 34u)

static uint8_t *block; /* on the heap: the sanitizer sees each byte beyond */
static uint8_t *entries;
static uint32_t block_size;
static struct gpt_header header;

static void put(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static void seal(void)
{
    put(block + 88, gpt_checksum(entries, ENTRIES * ENTRY), 4);
    put(block + 16, 0, 4);
    put(block + 16, gpt_checksum(block, 92), 4);
}

static void set_entry(unsigned index, uint64_t first, uint64_t last, const char *name)
{
    uint8_t *entry = entries + index * ENTRY;

    memset(entry, 0, ENTRY);
    entry[3] = 0x42;
    put(entry + 32, first, 8);
    put(entry + 40, last, 8);
    for (unsigned i = 0; name[i] != '\0'; i++) {
        put(entry + 56 + 2 * i, (uint8_t)name[i], 2);
    }
}

static void make(uint32_t size)
{
    free(block);
    free(entries);
    block_size = size;
    block = calloc(1, size);
    entries = calloc(ENTRIES, ENTRY);
    memcpy(block, "EFI PART", 8);
    put(block + 8, 0x10000, 4);
    put(block + 12, 92, 4);
    put(block + 24, 1, 8);
    put(block + 32, DISK_BLOCKS - 1, 8);
    put(block + 40, FIRST, 8);
    put(block + 48, LAST, 8);
    put(block + 72, 2, 8);
    put(block + 80, ENTRIES, 4);
    put(block + 84, ENTRY, 4);
    set_entry(0, FIRST, 99, "boot");
    set_entry(1, 100, 199, "root");
    set_entry(5, 200, LAST, "a name of thirty-six characters, yes");
    seal();
}

static const char *read_header(void)
{
    return gpt_read_header(block, block_size, 1, DISK_BLOCKS, &header);
}

static int set_up(void **state)
{
    (void)state;
    make(512);
    assert_null(read_header());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(block);
    free(entries);
    block = entries = NULL;
    return 0;
}

static void the_checksum_is_the_known_one(void **state)
{
    (void)state;
    assert_int_equal(gpt_checksum("123456789", 9), 0xcbf43926u);
    assert_int_equal(gpt_checksum("", 0), 0);
}

static void sound_tables_of_every_block_size(void **state)
{
    (void)state;
    for (uint32_t size = 512; size <= 4096; size *= 2) {
        struct gpt_partition partition;

        make(size);
        assert_null(read_header());
        assert_int_equal(header.entries_block, 2);
        assert_int_equal(gpt_entries_bytes(&header), ENTRIES * ENTRY);
        assert_null(gpt_check_entries(&header, entries));
        assert_null(gpt_find_name(&header, entries, "root", &partition));
        assert_int_equal(partition.first, 100);
        assert_int_equal(partition.count, 100);
        assert_null(gpt_find_number(&header, entries, 1, &partition));
        assert_int_equal(partition.first, FIRST);
        assert_null(gpt_find_number(&header, entries, 6, &partition));
        assert_int_equal(partition.first + partition.count - 1, LAST);
        assert_null(
            gpt_find_name(&header, entries, "a name of thirty-six characters, yes", &partition));
    }
}

static void the_backup_is_read_at_its_own_place(void **state)
{
    (void)state;
    put(block + 24, DISK_BLOCKS - 1, 8);
    put(block + 72, DISK_BLOCKS - 33, 8);
    seal();
    assert_non_null(read_header());
    assert_null(gpt_read_header(block, 512, DISK_BLOCKS - 1, DISK_BLOCKS, &header));
    put(block + 72, DISK_BLOCKS - 32, 8); /* the entries would cover the header */
    seal();
    assert_non_null(gpt_read_header(block, 512, DISK_BLOCKS - 1, DISK_BLOCKS, &header));
}

static void names_that_are_not_ascii(void **state)
{
    (void)state;
    static const uint16_t units[] = {0xfc, 0x20ac, 0xd83d, 0xde00, 0xd800, 'x', 0xdc00};
    struct gpt_partition partition;

    for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        put(entries + 56 + 2 * i, units[i], 2);
    }
    assert_null(gpt_find_name(&header, entries,
                              "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbdx\xef\xbf\xbd",
                              &partition));
    assert_int_equal(partition.first, FIRST);
    for (unsigned i = 0; i < 36; i++) {
        put(entries + 56 + 2 * i, 0xffff, 2); /* the longest in UTF-8, and no NUL behind it */
    }
    assert_non_null(gpt_find_name(&header, entries, "boot", &partition));
    put(entries + 56 + 2 * 35, 0xd83d, 2); /* half a pair at the very end */
    put(entries + 128 + 56, 0xd83d, 2);
    assert_non_null(gpt_find_name(&header, entries, "boot", &partition));
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    struct gpt_partition partition;

    assert_non_null(gpt_find_name(&header, entries, "roo", &partition));
    assert_non_null(gpt_find_name(&header, entries, "root2", &partition));
    assert_non_null(gpt_find_name(&header, entries, "", &partition));
    assert_non_null(gpt_find_number(&header, entries, 0, &partition));
    assert_non_null(gpt_find_number(&header, entries, 3, &partition));
    assert_non_null(gpt_find_number(&header, entries, ENTRIES, &partition));
    assert_non_null(gpt_find_number(&header, entries, ENTRIES + 1, &partition));
    assert_non_null(gpt_find_number(&header, entries, UINT32_MAX, &partition));
    set_entry(7, 300, 300, "root");
    assert_string_equal(gpt_find_name(&header, entries, "root", &partition),
                        "several partitions have this name");
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 92 * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_non_null(read_header());
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_null(read_header());
    for (unsigned bit = 0; bit < 3 * ENTRY * 8; bit += 7) {
        entries[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_non_null(gpt_check_entries(&header, entries));
        entries[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_null(gpt_check_entries(&header, entries));
}

/* The checksum is right; the number is not. */
static void lies_with_sound_checksums_are_refused(void **state)
{
    (void)state;
    static const struct {
        unsigned offset, bytes;
        uint64_t value;
    } lies[] = {
        {8, 4, 0x10001},
        {12, 4, 0},
        {12, 4, 91},
        {12, 4, 513},
        {12, 4, UINT32_MAX},
        {24, 8, 0},
        {24, 8, 2},
        {40, 8, LAST + 1},
        {48, 8, FIRST - 1},
        {40, 8, 0},
        {40, 8, 1},
        {40, 8, 33},
        {48, 8, DISK_BLOCKS - 1},
        {48, 8, DISK_BLOCKS},
        {72, 8, 3},
        {72, 8, 500},
        {48, 8, UINT64_MAX},
        {72, 8, 0},
        {72, 8, 1},
        {72, 8, DISK_BLOCKS},
        {72, 8, DISK_BLOCKS - 31},
        {72, 8, UINT64_MAX},
        {80, 4, 0},
        {80, 4, 513},
        {80, 4, UINT32_MAX},
        {84, 4, 0},
        {84, 4, 64},
        {84, 4, 129},
        {84, 4, 384},
        {84, 4, 1u << 31},
        {84, 4, UINT32_MAX},
    };

    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        make(512);
        put(block + lies[i].offset, lies[i].value, lies[i].bytes);
        put(block + 16, 0, 4);
        put(block + 16, gpt_checksum(block, 92), 4);
        assert_non_null(read_header());
    }
}

static void partitions_that_reach_too_far_are_refused(void **state)
{
    (void)state;
    static const uint64_t places[][2] = {
        {100, 99},
        {0, 199},
        {33, 33},
        {LAST, LAST + 1},
        {LAST + 1, LAST + 1},
        {UINT64_MAX, UINT64_MAX},
        {100, UINT64_MAX},
        {0, UINT64_MAX},
        {0, 0},
    };
    struct gpt_partition partition = {0};

    memset(entries, 0, ENTRIES * ENTRY);
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        set_entry(1, places[i][0], places[i][1], "root");
        assert_non_null(gpt_find_name(&header, entries, "root", &partition));
        assert_non_null(gpt_find_number(&header, entries, 2, &partition));
        assert_int_equal(partition.count, 0);
    }
}

static void overlapping_partitions_are_refused(void **state)
{
    (void)state;
    static const uint64_t places[][2] = {{199, 199}, {100, 100}, {50, 150}, {99, 200}, {120, 130}};
    struct gpt_partition partition;

    memset(entries, 0, ENTRIES * ENTRY);
    set_entry(1, 100, 199, "root");
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        set_entry(ENTRIES - 1, places[i][0], places[i][1], "evil");
        assert_non_null(gpt_find_name(&header, entries, "root", &partition));
        assert_non_null(gpt_find_name(&header, entries, "evil", &partition));
    }
    set_entry(ENTRIES - 1, 200, 300, "good");
    assert_null(gpt_find_name(&header, entries, "root", &partition));
    assert_null(gpt_find_name(&header, entries, "good", &partition));
}

static void large_entries_have_their_own_stride(void **state)
{
    (void)state;
    struct gpt_partition partition;

    memset(entries, 0, ENTRIES * ENTRY);
    set_entry(6, 500, 599, "data"); /* the fourth of 256 bytes each */
    put(block + 80, 64, 4);
    put(block + 84, 256, 4);
    seal();
    assert_null(read_header());
    assert_null(gpt_check_entries(&header, entries));
    assert_null(gpt_find_number(&header, entries, 4, &partition));
    assert_int_equal(partition.first, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_checksum_is_the_known_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sound_tables_of_every_block_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_backup_is_read_at_its_own_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_are_not_ascii, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lies_with_sound_checksums_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(partitions_that_reach_too_far_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(overlapping_partitions_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_entries_have_their_own_stride, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
