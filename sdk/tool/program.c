/* SPDX-License-Identifier: BSD-2-Clause */
#include "program.h"

#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include "array.h"
#include "file.h"
#include "tools/memory.h"

#define SEGMENT_SIZE_MAX (UINT64_C(1) << 30)
#define ADDRESS_END      (UINT64_C(1) << 40)

/* The element that errors about a program name. */
struct subject {
    const struct place *place;
    const char *attribute;
    const char *path;
};

static __attribute__((noreturn)) void bad(const struct subject *subject, const char *message)
{
    if (subject->place) {
        diag_at(subject->place, subject->attribute, "'%s' %s", subject->path, message);
    }
    diag_fatal("'%s' %s", subject->path, message);
}

static void check_header(const struct subject *subject, Elf *elf, GElf_Ehdr *header)
{
    static const char advice[] = "link it for AArch64 with the SDK's microkit.ld";

    if (!elf || elf_kind(elf) != ELF_K_ELF) {
        bad(subject, memory_format("is no ELF file: %s", advice));
    }
    if (!gelf_getehdr(elf, header)) {
        bad(subject, memory_format("is a damaged ELF file: %s", elf_errmsg(-1)));
    }
    if (gelf_getclass(elf) != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
        bad(subject, memory_format("is no 64-bit little-endian ELF file: %s", advice));
    }
    if (header->e_machine != EM_AARCH64) {
        bad(subject, memory_format("is for machine %u, not AArch64 (%u): %s", header->e_machine,
                                   EM_AARCH64, advice));
    }
    if (header->e_type != ET_EXEC) {
        bad(subject,
            memory_format("is no executable (type %u, not %u): link it statically, without -pie",
                          header->e_type, ET_EXEC));
    }
}

static void read_segment(const struct subject *subject, const struct file *file,
                         const GElf_Phdr *header, struct program *program)
{
    if (header->p_offset > file->size || header->p_filesz > file->size - header->p_offset) {
        bad(subject, memory_format("is truncated: a segment needs bytes 0x%" PRIx64 "..+0x%" PRIx64
                                   " of a file of 0x%zx",
                                   header->p_offset, header->p_filesz, file->size));
    }
    if (header->p_filesz > header->p_memsz) {
        bad(subject, memory_format("is damaged: a segment has more bytes in the file (0x%" PRIx64
                                   ") than in memory (0x%" PRIx64 ")",
                                   header->p_filesz, header->p_memsz));
    }
    if (header->p_memsz > SEGMENT_SIZE_MAX) {
        bad(subject, memory_format("has a segment of 0x%" PRIx64 " bytes: at most 0x%" PRIx64
                                   " are possible",
                                   header->p_memsz, SEGMENT_SIZE_MAX));
    }
    if (header->p_vaddr > ADDRESS_END - header->p_memsz ||
        header->p_paddr > ADDRESS_END - header->p_memsz) {
        bad(subject,
            memory_format("has a segment at 0x%" PRIx64 ": addresses must be below 0x%" PRIx64,
                          header->p_vaddr, ADDRESS_END));
    }

    struct program_segment *segment = ARRAY_ADD(program->segments, program->segment_count);
    segment->vaddr = header->p_vaddr;
    segment->paddr = header->p_paddr;
    segment->size = header->p_memsz;
    segment->flags = header->p_flags & (PROGRAM_READ | PROGRAM_WRITE | PROGRAM_EXECUTE);
    segment->bytes = memory_new(segment->size);
    segment->touched = header->p_filesz;
    memcpy(segment->bytes, file->bytes + header->p_offset, header->p_filesz);
}

static int compare_segments(const void *a, const void *b)
{
    const struct program_segment *x = a, *y = b;

    return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static void read_segments(const struct subject *subject, const struct file *file,
                          struct program *program)
{
    size_t count;

    if (elf_getphdrnum(program->elf, &count)) {
        bad(subject, memory_format("is a damaged ELF file: %s", elf_errmsg(-1)));
    }
    for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
        GElf_Phdr header;
        if (!gelf_getphdr(program->elf, (int)i, &header)) {
            bad(subject, memory_format("is a damaged ELF file: %s", elf_errmsg(-1)));
        }
        if (header.p_type == PT_LOAD && header.p_memsz) {
            read_segment(subject, file, &header, program);
        }
    }
    if (!program->segment_count) {
        bad(subject, "has no loadable segment: link it with the SDK's microkit.ld");
    }

    qsort(program->segments, program->segment_count, sizeof(*program->segments), compare_segments);
    for (size_t i = 1; i < program->segment_count; i++) {
        const struct program_segment *a = &program->segments[i - 1], *b = &program->segments[i];
        if (a->vaddr + a->size > b->vaddr) {
            bad(subject,
                memory_format("has overlapping segments at 0x%" PRIx64 " and 0x%" PRIx64
                              ": link it with the SDK's microkit.ld and -Wl,--build-id=none",
                              a->vaddr, b->vaddr));
        }
    }
}

struct program *program_read(const char *path, const struct place *place, const char *attribute)
{
    struct subject subject = {place, attribute, path};
    struct program *program = memory_new(sizeof(*program));
    const char *reason;
    const struct file *file = file_read(path, &reason);
    GElf_Ehdr header;

    if (!file) {
        bad(&subject, memory_format("cannot be read: %s", reason));
    }
    if (elf_version(EV_CURRENT) == EV_NONE) {
        diag_fatal("libelf cannot be initialised");
    }
    program->path = path;
    program->elf = file->size ? elf_memory((char *)file->bytes, file->size) : NULL;
    check_header(&subject, program->elf, &header);
    program->entry = header.e_entry;
    read_segments(&subject, file, program);
    program_measure(program);
    return program;
}

static bool find_in_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const char *name,
                          struct program_symbol *result)
{
    Elf_Data *data = elf_getdata(section, NULL);

    if (!data || !header->sh_entsize) {
        return false;
    }
    size_t count = data->d_size / header->sh_entsize;
    bool found = false;
    for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
        GElf_Sym symbol;
        if (!gelf_getsym(data, (int)i, &symbol)) {
            return found;
        }
        if (symbol.st_shndx == SHN_UNDEF || GELF_ST_TYPE(symbol.st_info) == STT_FILE) {
            continue;
        }
        const char *entry = elf_strptr(elf, header->sh_link, symbol.st_name);
        if (!entry || strcmp(entry, name) != 0) {
            continue;
        }
        *result = (struct program_symbol){symbol.st_value, symbol.st_size};
        /* A global symbol wins over a file's own of the same name. */
        if (GELF_ST_BIND(symbol.st_info) != STB_LOCAL) {
            return true;
        }
        found = true;
    }
    return found;
}

bool program_symbol(const struct program *program, const char *name, struct program_symbol *symbol)
{
    Elf_Scn *section = NULL;

    while ((section = elf_nextscn(program->elf, section))) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB) {
            return find_in_table(program->elf, section, &header, name, symbol);
        }
    }
    return false;
}

bool program_write(struct program *program, uint64_t vaddr, const void *bytes, size_t size)
{
    for (size_t i = 0; i < program->segment_count; i++) {
        struct program_segment *segment = &program->segments[i];
        if (vaddr < segment->vaddr || vaddr - segment->vaddr > segment->size) {
            continue;
        }
        uint64_t offset = vaddr - segment->vaddr;
        if (size > segment->size - offset) {
            continue;
        }
        memcpy(segment->bytes + offset, bytes, size);
        if (offset + size > segment->touched) {
            segment->touched = offset + size;
        }
        return true;
    }
    return false;
}

void program_measure(struct program *program)
{
    for (size_t i = 0; i < program->segment_count; i++) {
        struct program_segment *segment = &program->segments[i];
        segment->stored = segment->touched;
        while (segment->stored && !segment->bytes[segment->stored - 1]) {
            segment->stored--;
        }
    }
}
