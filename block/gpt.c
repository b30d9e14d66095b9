/* SPDX-License-Identifier: BSD-2-Clause */

#include "gpt.h"

#include <stddef.h>
#include <string.h>
#include "lib/crc32.h"

/* The header (5.3.2). All numbers are little-endian, and may be unaligned. */
#define SIGNATURE            "EFI PART"
#define HEADER_REVISION      8u
#define HEADER_SIZE          12u
#define HEADER_CHECKSUM      16u
#define HEADER_MY_BLOCK      24u
#define HEADER_FIRST_USABLE  40u
#define HEADER_LAST_USABLE   48u
#define HEADER_ENTRIES_BLOCK 72u
#define HEADER_ENTRY_COUNT   80u
#define HEADER_ENTRY_SIZE    84u
#define HEADER_ENTRIES_CRC   88u
#define HEADER_SIZE_MIN      92u
#define REVISION_1_0         0x00010000u

/* An entry (5.3.3). */
#define ENTRY_TYPE     0u
#define ENTRY_FIRST    32u
#define ENTRY_LAST     40u
#define ENTRY_NAME     56u
#define ENTRY_SIZE_MIN 128u
#define GUID_SIZE      16u
#define NAME_UNITS     36u

static uint16_t read16(const uint8_t *from)
{
    return (uint16_t)(from[0] | (uint32_t)from[1] << 8);
}

static uint32_t read32(const uint8_t *from)
{
    return read16(from) | (uint32_t)read16(from + 2) << 16;
}

static uint64_t read64(const uint8_t *from)
{
    return read32(from) | (uint64_t)read32(from + 4) << 32;
}

uint32_t gpt_checksum(const void *bytes, uint32_t count)
{
    return ~crc32_add(UINT32_MAX, bytes, count);
}

/* The header's checksum, with its own field as zero. */
static uint32_t header_checksum(const uint8_t *block, uint32_t size)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32_add(UINT32_MAX, block, HEADER_CHECKSUM);

    crc = crc32_add(crc, zero, sizeof(zero));
    return ~crc32_add(crc, block + HEADER_CHECKSUM + 4, size - HEADER_CHECKSUM - 4);
}

static const char *check_places(const struct gpt_header *header, uint64_t number,
                                uint32_t block_size, uint64_t disk_blocks)
{
    uint64_t blocks;

    if (header->entry_size < ENTRY_SIZE_MIN || header->entry_size > GPT_ENTRIES_MAX ||
        (header->entry_size & (header->entry_size - 1)) != 0) {
        return "its entries have an impossible size";
    }
    if (header->entry_count == 0 || header->entry_count > GPT_ENTRIES_MAX / header->entry_size) {
        return "it has an impossible number of entries";
    }
    if (header->first_usable > header->last_usable || header->last_usable >= disk_blocks - 1) {
        return "it was written for a larger disk";
    }
    blocks = (gpt_entries_bytes(header) + block_size - 1) / block_size;
    if (header->entries_block <= GPT_PRIMARY_BLOCK || header->entries_block >= disk_blocks ||
        blocks > disk_blocks - header->entries_block ||
        (header->entries_block <= number && number < header->entries_block + blocks)) {
        return "its entries are at an impossible place";
    }
    if (header->first_usable <= GPT_PRIMARY_BLOCK ||
        (header->first_usable < header->entries_block + blocks &&
         header->entries_block <= header->last_usable)) {
        return "a partition could lie upon the table itself";
    }
    return NULL;
}

const char *gpt_read_header(const void *block, uint32_t block_size, uint64_t number,
                            uint64_t disk_blocks, struct gpt_header *header)
{
    const uint8_t *bytes = block;
    uint32_t size = read32(bytes + HEADER_SIZE);

    if (memcmp(bytes, SIGNATURE, sizeof(SIGNATURE) - 1) != 0) {
        return "there is no partition table";
    }
    if (read32(bytes + HEADER_REVISION) != REVISION_1_0) {
        return "it has an unknown revision";
    }
    if (size < HEADER_SIZE_MIN || size > block_size) {
        return "its header has an impossible size";
    }
    if (read32(bytes + HEADER_CHECKSUM) != header_checksum(bytes, size)) {
        return "its header's checksum is wrong";
    }
    if (read64(bytes + HEADER_MY_BLOCK) != number) {
        return "its header belongs elsewhere on the disk";
    }
    *header = (struct gpt_header){
        .entries_block = read64(bytes + HEADER_ENTRIES_BLOCK),
        .first_usable = read64(bytes + HEADER_FIRST_USABLE),
        .last_usable = read64(bytes + HEADER_LAST_USABLE),
        .entry_count = read32(bytes + HEADER_ENTRY_COUNT),
        .entry_size = read32(bytes + HEADER_ENTRY_SIZE),
        .entries_checksum = read32(bytes + HEADER_ENTRIES_CRC),
    };
    return check_places(header, number, block_size, disk_blocks);
}

uint32_t gpt_entries_bytes(const struct gpt_header *header)
{
    return header->entry_count * header->entry_size;
}

const char *gpt_check_entries(const struct gpt_header *header, const void *entries)
{
    return gpt_checksum(entries, gpt_entries_bytes(header)) == header->entries_checksum
               ? NULL
               : "its entries' checksum is wrong";
}

static const uint8_t *entry_at(const struct gpt_header *header, const void *entries, uint32_t index)
{
    return (const uint8_t *)entries + (size_t)index * header->entry_size;
}

static bool is_used(const uint8_t *entry)
{
    static const uint8_t unused[GUID_SIZE];

    return memcmp(entry + ENTRY_TYPE, unused, GUID_SIZE) != 0;
}

/* Append a code point in UTF-8. Returns how many bytes it takes. */
static unsigned encode(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

static bool is_surrogate(uint32_t unit, uint32_t kind)
{
    return (unit & 0xfc00u) == kind;
}

/* Convert the entry's name from UTF-16 to UTF-8. Half a surrogate pair becomes U+FFFD. */
static void decode_name(const uint8_t *entry, char name[GPT_NAME_MAX])
{
    unsigned length = 0;

    /*@ loop invariant i <= NAME_UNITS && length <= 3 * i;
        loop assigns i, length, name[0 .. GPT_NAME_MAX - 1]; */
    for (uint32_t i = 0; i < NAME_UNITS; i++) {
        uint32_t unit = read16(entry + ENTRY_NAME + 2ul * i);
        uint32_t next = i + 1 < NAME_UNITS ? read16(entry + ENTRY_NAME + 2ul * (i + 1)) : 0;

        if (unit == 0) {
            break;
        }
        if (is_surrogate(unit, 0xd800) && is_surrogate(next, 0xdc00)) {
            unit = 0x10000 + ((unit & 0x3ff) << 10) + (next & 0x3ff);
            i++;
        } else if (is_surrogate(unit, 0xd800) || is_surrogate(unit, 0xdc00)) {
            unit = 0xfffd;
        }
        length += encode(name + length, unit);
    }
    name[length] = '\0';
}

static bool overlap(const uint8_t *a, const uint8_t *b)
{
    return read64(a + ENTRY_FIRST) <= read64(b + ENTRY_LAST) &&
           read64(b + ENTRY_FIRST) <= read64(a + ENTRY_LAST);
}

/* Get the partition of an entry. It must lie within the usable blocks and overlap no other. */
static const char *read_entry(const struct gpt_header *header, const void *entries, uint32_t index,
                              struct gpt_partition *partition)
{
    const uint8_t *entry = entry_at(header, entries, index);
    uint64_t first = read64(entry + ENTRY_FIRST);
    uint64_t last = read64(entry + ENTRY_LAST);

    if (first > last || first < header->first_usable || last > header->last_usable) {
        return "it lies outside of the usable part of the disk";
    }
    for (uint32_t i = 0; i < header->entry_count; i++) {
        const uint8_t *other = entry_at(header, entries, i);

        if (i != index && is_used(other) && overlap(entry, other)) {
            return "it overlaps another partition";
        }
    }
    *partition = (struct gpt_partition){.first = first, .count = last - first + 1};
    return NULL;
}

const char *gpt_find_name(const struct gpt_header *header, const void *entries, const char *name,
                          struct gpt_partition *partition)
{
    uint32_t found = UINT32_MAX;

    for (uint32_t i = 0; i < header->entry_count; i++) {
        const uint8_t *entry = entry_at(header, entries, i);
        char its_name[GPT_NAME_MAX];

        if (!is_used(entry)) {
            continue;
        }
        decode_name(entry, its_name);
        if (strcmp(its_name, name) != 0) {
            continue;
        }
        if (found != UINT32_MAX) {
            return "several partitions have this name";
        }
        found = i;
    }
    return found >= header->entry_count ? "no partition has this name"
                                        : read_entry(header, entries, found, partition);
}

const char *gpt_find_number(const struct gpt_header *header, const void *entries, uint32_t number,
                            struct gpt_partition *partition)
{
    if (number == 0 || number > header->entry_count ||
        !is_used(entry_at(header, entries, number - 1))) {
        return "there is no partition with this number";
    }
    return read_entry(header, entries, number - 1, partition);
}
