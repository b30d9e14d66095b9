/* SPDX-License-Identifier: BSD-2-Clause */
#include "initramfs.h"

#include <endian.h>
#include <string.h>

struct signature {
    const char *bytes;
    size_t length;
    const char *name;
};

/* The magic numbers of an initramfs: Linux, lib/decompress.c and init/initramfs.c. */
static const struct signature archives[] = {
    {"070701", 6, NULL},
    {"070702", 6, NULL},
    {"\x1f\x8b", 2, "gzip"},
    {"\xfd"
     "7zXZ",
     5, "xz"},
    {"\x28\xb5\x2f\xfd", 4, "zstd"},
    {"\x02\x21\x4c\x18", 4, "lz4"},
    {"BZh", 3, "bzip2"},
    {"\x89LZO", 4, "lzo"},
    {"\x5d\x00\x00", 3, "lzma"},
};

static const struct signature *signature_of(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof(archives) / sizeof(archives[0]); i++) {
        if (size >= archives[i].length &&
            memcmp(bytes, archives[i].bytes, archives[i].length) == 0) {
            return &archives[i];
        }
    }
    return NULL;
}

bool is_initramfs(const unsigned char *bytes, size_t size)
{
    return signature_of(bytes, size) != NULL;
}

const char *compression_of(const unsigned char *bytes, size_t size)
{
    const struct signature *signature = signature_of(bytes, size);

    return signature == NULL ? NULL : signature->name;
}

/* ---- cpio: Linux, Documentation/driver-api/early-userspace/buffer-format.rst ---- */

#define CPIO_HEADER 110
#define CPIO_FIELDS 13

enum { CPIO_MODE = 1, CPIO_SIZE = 6, CPIO_NAME_SIZE = 11 };

/* The fields behind the magic number. Returns whether they are numbers. */
static bool read_fields(const unsigned char *header, uint32_t fields[CPIO_FIELDS])
{
    for (unsigned i = 0; i < 8 * CPIO_FIELDS; i++) {
        unsigned char digit = header[6 + i];
        uint32_t value;

        if (digit >= '0' && digit <= '9') {
            value = digit - '0';
        } else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f') {
            value = (digit | 0x20) - 'a' + 10u;
        } else {
            return false;
        }
        fields[i / 8] = (i % 8 == 0 ? 0 : fields[i / 8] << 4) | value;
    }
    return true;
}

static void note_modules(struct image *image, const char *version, size_t length)
{
    for (size_t i = 0; i < image->modules_for.count; i++) {
        const char *known = image->modules_for.items[i];
        if (strlen(known) == length && memcmp(known, version, length) == 0) {
            return;
        }
    }
    *list_add(&image->modules_for) = memory_copy(version, length);
}

/* Of lib/modules/VERSION/... the version. */
static void look_for_modules(struct image *image, const char *name, size_t length)
{
    static const char *const places[] = {"lib/modules/", "usr/lib/modules/"};

    while (length != 0 && (name[0] == '/' || (name[0] == '.' && length > 1 && name[1] == '/'))) {
        name++;
        length--;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        size_t place = strlen(places[i]);
        if (length > place && memcmp(name, places[i], place) == 0) {
            const char *slash = memchr(name + place, '/', length - place);
            size_t version = slash == NULL ? 0 : (size_t)(slash - name) - place;
            if (version != 0) {
                note_modules(image, name + place, version);
            }
        }
    }
}

/* One cpio archive. Returns its length, or 0 if it is damaged. */
static size_t inspect_cpio(struct image *image, const unsigned char *bytes, size_t size)
{
    size_t at = 0;
    uint32_t fields[CPIO_FIELDS];

    while (size - at >= CPIO_HEADER && memcmp(bytes + at, "07070", 5) == 0 &&
           read_fields(bytes + at, fields)) {
        uint64_t name = at + CPIO_HEADER;
        uint64_t data = (name + fields[CPIO_NAME_SIZE] + 3) & ~3ULL;
        uint64_t end = (data + fields[CPIO_SIZE] + 3) & ~3ULL;

        if (fields[CPIO_NAME_SIZE] == 0 || data > size || data + fields[CPIO_SIZE] > size) {
            return 0;
        }
        size_t length = strnlen((const char *)bytes + name, fields[CPIO_NAME_SIZE]);
        if (length == 10 && memcmp(bytes + name, "TRAILER!!!", 10) == 0) {
            return end < size ? end : size;
        }
        look_for_modules(image, (const char *)bytes + name, length);
        image->unpacked += fields[CPIO_SIZE];
        image->files += fields[CPIO_SIZE] != 0;
        at = end < size ? end : size;
    }
    return 0;
}

/* ---- Compressed archives: how long they are unpacked, as far as they say it ---- */

static uint64_t little_endian(const unsigned char *bytes, unsigned length)
{
    uint64_t value = 0;

    for (unsigned i = length; i-- > 0;) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* RFC 8878, 3.1.1.1 */
static uint64_t unpacked_zstd(const unsigned char *bytes, size_t size)
{
    static const unsigned lengths[] = {0, 2, 4, 8}, of_dictionary[] = {0, 1, 2, 4};

    if (size < 18) {
        return 0;
    }
    unsigned descriptor = bytes[4];
    bool is_single = (descriptor & 0x20) != 0; /* then there is no window's size */
    unsigned length = lengths[descriptor >> 6];

    length = length == 0 && is_single ? 1 : length;
    uint64_t content =
        little_endian(bytes + 5 + (is_single ? 0 : 1) + of_dictionary[descriptor & 3], length);
    return length == 2 ? content + 256 : content;
}

/* The xz file format, 1.5.3: a number of 7 bits a byte. */
static uint64_t xz_number(const unsigned char *bytes, size_t size, size_t *at)
{
    uint64_t value = 0;

    for (unsigned shift = 0; *at < size && shift < 63; shift += 7) {
        unsigned char byte = bytes[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            break;
        }
    }
    return value;
}

/* Its footer (2.1.2) and index (4). */
static uint64_t unpacked_xz(const unsigned char *bytes, size_t size)
{
    while (size > 12 && memcmp(bytes + size - 4, "\0\0\0\0", 4) == 0) {
        size -= 4; /* padding */
    }
    if (size < 32 || memcmp(bytes + size - 2, "YZ", 2) != 0) {
        return 0;
    }
    uint64_t index = 4 * (little_endian(bytes + size - 8, 4) + 1);
    if (index > size - 24) {
        return 0;
    }
    size_t end = size - 12;
    size_t at = end - index + 1;
    uint64_t sum = 0;
    for (uint64_t records = xz_number(bytes, end, &at); records > 0 && at < end; records--) {
        xz_number(bytes, end, &at);
        sum += xz_number(bytes, end, &at);
    }
    return sum;
}

/* 0: it does not say. */
static uint64_t unpacked_size(const char *compression, const unsigned char *bytes, size_t size)
{
    uint64_t unpacked = 0;

    if (strcmp(compression, "gzip") == 0 && size >= 18) {
        unpacked = little_endian(bytes + size - 4, 4); /* RFC 1952, 2.3.1: ISIZE */
    } else if (strcmp(compression, "zstd") == 0) {
        unpacked = unpacked_zstd(bytes, size);
    } else if (strcmp(compression, "xz") == 0) {
        unpacked = unpacked_xz(bytes, size);
    } else if (strcmp(compression, "lzma") == 0 && size >= 13) {
        unpacked = little_endian(bytes + 5, 8);
        unpacked = unpacked == UINT64_MAX ? 0 : unpacked;
    }
    return unpacked < 1ULL << 40 ? unpacked : 0; /* more is nonsense */
}

void initramfs_inspect(struct image *image, const unsigned char *bytes, size_t size)
{
    size_t at = 0;

    /* Archives may follow each other, with zeros between them. */
    while (at < size) {
        const char *compression = compression_of(bytes + at, size - at);
        size_t length = 0;

        if (compression != NULL) {
            uint64_t unpacked = unpacked_size(compression, bytes + at, size - at);
            image->unpacked += unpacked > size - at ? unpacked : size - at;
            return;
        }
        if (bytes[at] == 0) {
            length = 1;
        } else if (is_initramfs(bytes + at, size - at)) {
            length = inspect_cpio(image, bytes + at, size - at);
        }
        if (length == 0) { /* damaged; the kernel will have a word to say */
            image->unpacked = image->unpacked > size ? image->unpacked : size;
            return;
        }
        at += length;
    }
}
