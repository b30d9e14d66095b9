/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel_elf.h"

#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include "kernel_file.h"

#define MEMORY_MAX (1024 * MIB)

struct segments LIST(GElf_Phdr);

bool is_elf(const unsigned char *bytes, size_t size)
{
    return size >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

static const char *check_header(Elf *elf, GElf_Ehdr *header)
{
    const char *ident = elf_getident(elf, NULL);

    if (ident == NULL || gelf_getehdr(elf, header) == NULL) {
        return "a damaged ELF file";
    }
    if (ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_AARCH64) {
        return "an ELF file that is not for AArch64: compile it with aarch64-linux-gnu-gcc or "
               "aarch64-none-elf-gcc";
    }
    if (ident[EI_DATA] != ELFDATA2LSB) {
        return "a big-endian ELF file: use a little-endian one";
    }
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN) {
        return "an ELF file that is not linked: link it, with an entry point";
    }
    return NULL;
}

static const char *check_segment(const GElf_Phdr *segment, size_t size)
{
    if (segment->p_offset > size || segment->p_filesz > size - segment->p_offset) {
        return "an ELF file that is cut short";
    }
    if (segment->p_filesz > segment->p_memsz || segment->p_memsz > MEMORY_MAX ||
        segment->p_paddr > UINT64_MAX - segment->p_memsz ||
        segment->p_vaddr > UINT64_MAX - segment->p_memsz) {
        return "a damaged ELF file (the sizes of its segments are impossible)";
    }
    return NULL;
}

static const char *read_segments(Elf *elf, size_t size, struct segments *segments)
{
    size_t count;

    if (elf_getphdrnum(elf, &count) != 0) {
        return "a damaged ELF file";
    }
    for (size_t i = 0; i < count && i <= INT16_MAX; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) == NULL) {
            return "a damaged ELF file";
        }
        if (segment.p_type != PT_LOAD || segment.p_memsz == 0) {
            continue;
        }
        const char *wrong = check_segment(&segment, size);
        if (wrong != NULL) {
            return wrong;
        }
        *list_add(segments) = segment;
    }
    return segments->count != 0 ? NULL : "an ELF file with nothing to load: link it as a program";
}

static int by_address(const void *a, const void *b)
{
    const GElf_Phdr *x = a;
    const GElf_Phdr *y = b;

    return (x->p_paddr > y->p_paddr) - (x->p_paddr < y->p_paddr);
}

/* The entry point is a virtual address: that of a segment's bytes. Returns where it is in memory,
 * or 0. */
static uint64_t entry_of(const struct segments *segments, uint64_t entry)
{
    for (size_t i = 0; i < segments->count; i++) {
        const GElf_Phdr *segment = &segments->items[i];
        if (entry >= segment->p_vaddr && entry - segment->p_vaddr < segment->p_filesz) {
            return entry - segment->p_vaddr + segment->p_paddr;
        }
    }
    return 0;
}

/* `segments` is sorted. */
static const char *place_segments(const struct segments *segments, const unsigned char *bytes,
                                  struct image *image, struct buffer *flat)
{
    image->address = segments->items[0].p_paddr;
    for (size_t i = 0; i < segments->count; i++) {
        const GElf_Phdr *segment = &segments->items[i];
        uint64_t at = segment->p_paddr - image->address;

        if (at < image->memory_size) {
            return memory_format("an ELF file whose segments overlap at 0x%" PRIx64
                                 " (their physical addresses): link it so that they do not",
                                 segment->p_paddr);
        }
        if (at > MEMORY_MAX || at + segment->p_filesz > KERNEL_UNPACKED_MAX) {
            return memory_format("an ELF file whose segments lie far apart (from 0x%" PRIx64
                                 " to 0x%" PRIx64 "): link it within %s",
                                 image->address, segment->p_paddr + segment->p_filesz,
                                 value_format(VALUE_SIZE, KERNEL_UNPACKED_MAX));
        }
        image->memory_size = at + segment->p_memsz;
        if (segment->p_filesz != 0) {
            buffer_add_zeros(flat, at - flat->length);
            buffer_add(flat, bytes + segment->p_offset, segment->p_filesz);
        }
    }
    return NULL;
}

static const char *flatten(Elf *elf, const unsigned char *bytes, size_t size, struct image *image,
                           struct buffer *flat)
{
    GElf_Ehdr header;
    struct segments segments = {0};
    const char *wrong = check_header(elf, &header);

    if (wrong == NULL) {
        wrong = read_segments(elf, size, &segments);
    }
    if (wrong != NULL) {
        return wrong;
    }
    qsort(segments.items, segments.count, sizeof(*segments.items), by_address);
    wrong = place_segments(&segments, bytes, image, flat);
    if (wrong != NULL) {
        return wrong;
    }
    image->entry = entry_of(&segments, header.e_entry);
    if (image->entry == 0 || image->entry % 4 != 0) {
        return memory_format("an ELF file whose entry point, 0x%" PRIx64
                             ", is no instruction in its segments: link it with ENTRY(SYMBOL)",
                             header.e_entry);
    }
    return NULL;
}

const char *kernel_flatten(const unsigned char *bytes, size_t size, struct image *image,
                           struct buffer *flat)
{
    if (elf_version(EV_CURRENT) == EV_NONE) {
        return "an ELF file, and libelf is too old";
    }
    /* libelf writes nowhere: it has a copy of what it converts. */
    Elf *elf = elf_memory((char *)(uintptr_t)bytes, size);
    if (elf == NULL) {
        return "a damaged ELF file";
    }
    const char *wrong = flatten(elf, bytes, size, image, flat);
    elf_end(elf);
    return wrong;
}
