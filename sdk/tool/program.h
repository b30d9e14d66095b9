/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * AArch64 ELF programs: a protection domain's, or the kernel. A file may be anything: whatever of
 * it is used has been checked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "diag.h"

#define PROGRAM_EXECUTE 1u
#define PROGRAM_WRITE   2u
#define PROGRAM_READ    4u

struct program_segment {
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t size;    /* bytes in memory; not 0 */
    uint64_t stored;  /* bytes up to the last one that program_measure found not zero */
    uint64_t touched; /* bytes up to the last one that was ever written */
    uint8_t *bytes;   /* `size` of them, those without contents zero; programs are patched here */
    unsigned flags;   /* PROGRAM_READ ... */
};

struct program {
    const char *path;
    uint64_t entry;
    struct program_segment *segments; /* by ascending vaddr, not overlapping */
    size_t segment_count;
    void *elf; /* libelf's */
};

struct program_symbol {
    uint64_t value;
    uint64_t size;
};

/* Reads `path`. Errors name `place` and `attribute` in the description, or only the file if `place`
 * is NULL. */
struct program *program_read(const char *path, const struct place *place, const char *attribute);

/* Looks a symbol up; false if there is none of that name that has an address. */
bool program_symbol(const struct program *program, const char *name, struct program_symbol *symbol);

/* Writes into the program's memory; false if the range is in no segment. */
bool program_write(struct program *program, uint64_t vaddr, const void *bytes, size_t size);

/* Recounts `stored` of each segment after the last write. */
void program_measure(struct program *program);
