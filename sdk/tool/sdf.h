/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The system description: what the XML file says, checked as far as it can be without the programs.
 * Everything in it lives until the tool exits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "board.h"
#include "diag.h"
#include "file.h"

#define SDF_MAX_PDS      63
#define SDF_ID_MAX       61  /* of channels, interrupts, vCPUs */
#define SDF_CHILD_ID_MAX 63  /* of child PDs */
#define SDF_SLOT_MAX     63  /* of capabilities in <cspace>; the lowest is 1 */
#define SDF_SHORT_NAME   63u /* bytes of a name that the boot image and programs have room for */
#define SDF_PRIORITY_MAX 254
#define SDF_ADDRESS_END                                                                            \
    (UINT64_C(1) << 40) /* of virtual, guest-physical and physical addresses                       \
                         */
#define SDF_PAGE       UINT64_C(0x1000)
#define SDF_LARGE_PAGE UINT64_C(0x200000)
#define SDF_IPC_VADDR                                                                              \
    (SDF_ADDRESS_END - SDF_PAGE) /* the top page, and below it a page without memory */
#define SDF_STACK_TOP (SDF_IPC_VADDR - SDF_PAGE)

struct sdf_region {
    struct place place;
    const char *name;
    unsigned index;             /* in sdf_system.regions */
    uint64_t size;              /* bytes, a multiple of 4 KiB, not 0 */
    uint64_t page_size;         /* as given: SDF_PAGE or SDF_LARGE_PAGE; 0 lets the tool choose */
    bool fixed;                 /* phys_addr is given */
    bool contiguous;            /* a program learns its physical address */
    bool mapped;                /* something maps it */
    uint64_t phys_addr;         /* if fixed */
    const struct file *prefill; /* or NULL; not larger than the region, not empty */
};

#define SDF_READ    1u
#define SDF_WRITE   2u
#define SDF_EXECUTE 4u

struct sdf_map {
    struct place place;
    const char *region_name;
    struct sdf_region *region;
    uint64_t vaddr; /* bytes; guest-physical for a VM */
    unsigned perms; /* SDF_READ ... */
    bool cached;
};

enum sdf_setvar_kind {
    SDF_SETVAR_VALUE,        /* `value`: an address or id */
    SDF_SETVAR_SIZE,         /* the region's size */
    SDF_SETVAR_PREFILL_SIZE, /* the size of the region's file */
    SDF_SETVAR_PADDR,        /* the region's physical address */
};

struct sdf_setvar {
    struct place place;
    const char *attribute; /* that names the symbol */
    const char *symbol;
    enum sdf_setvar_kind kind;
    uint64_t value;
    const char *region_name;
    struct sdf_region *region;
};

struct sdf_irq {
    struct place place;
    unsigned irq; /* INTID */
    unsigned id;
    bool edge;
};

enum sdf_cap_kind { SDF_CAP_TCB, SDF_CAP_SC, SDF_CAP_VSPACE };

/* A capability in a PD's <cspace>. */
struct sdf_cap {
    struct place place;
    enum sdf_cap_kind kind;
    unsigned slot; /* 1 .. SDF_SLOT_MAX */
    const char *pd_name;
    const struct sdf_pd *pd; /* whose thread, scheduling context or address space it is */
};

/* A domain, in whose turns PDs run. */
struct sdf_domain {
    struct place place;
    const char *name;
    unsigned id; /* below SYSTEM_MAX_DOMAINS; others have others */
};

struct sdf_turn {
    const struct sdf_domain *domain;
    uint64_t duration; /* microseconds or ticks, not 0 */
    bool in_ticks;
};

struct sdf_schedule {
    unsigned priority;
    uint64_t budget; /* microseconds */
    uint64_t period; /* microseconds, not less than budget */
};

struct sdf_vcpu {
    struct place place;
    unsigned id;
    unsigned core;
};

struct sdf_vm {
    struct place place;
    const char *name;
    struct sdf_schedule schedule;
    struct sdf_vcpu *vcpus; /* at least one */
    size_t vcpu_count;
    struct sdf_map *maps;
    size_t map_count;
};

struct sdf_pd {
    struct place place;
    const char *name;
    unsigned index; /* in sdf_system.pds */
    struct sdf_schedule schedule;
    const struct sdf_domain *domain; /* or NULL: there are none */
    unsigned core;
    bool passive, smc, fpu;
    uint64_t stack_size;   /* bytes, a multiple of 4 KiB */
    struct sdf_pd *parent; /* or NULL */
    unsigned id;           /* as its parent's child */
    struct place program_place;
    const char *program;         /* as given */
    const char *program_symbols; /* path_for_symbols, or NULL */
    struct sdf_map *maps;
    size_t map_count;
    struct sdf_irq *irqs;
    size_t irq_count;
    struct sdf_setvar *setvars;
    size_t setvar_count;
    struct sdf_vm *vm; /* or NULL */
    bool has_cspace;
    struct place cspace_place; /* if has_cspace */
    struct sdf_cap *caps;
    size_t cap_count;
};

struct sdf_end {
    struct place place;
    struct sdf_pd *pd;
    unsigned id;
    bool pp, notify;
};

struct sdf_channel {
    struct place place;
    struct sdf_end ends[2];
};

struct sdf_system {
    const char *path;
    unsigned cores; /* that the kernel can run on */
    struct sdf_domain *domains;
    size_t domain_count;
    struct sdf_turn *turns; /* that are repeated; at least one if there are domains */
    size_t turn_count;
    struct sdf_pd **pds; /* a parent before its children */
    size_t pd_count;
    size_t vm_count;
    struct sdf_region **regions;
    size_t region_count;
    struct sdf_channel *channels;
    size_t channel_count;
};

/* The first address beyond what a PD may map: its stack and IPC buffer lie above. */
static inline uint64_t sdf_pd_map_end(const struct sdf_pd *pd)
{
    return SDF_STACK_TOP - pd->stack_size;
}

/* Reads the description `path` for `board`, for a kernel that can run on `cores` cores. Prefill
 * files are looked for in `search` and read. Ends the tool with a message on any error. */
struct sdf_system *sdf_read(const char *path, const struct board *board, unsigned cores,
                            const char *const *search);

/* Checks what concerns several elements: names, references, ids, priorities, overlaps (check.c). */
void sdf_check(struct sdf_system *system, const struct board *board);

/* The PD of that name, or NULL. */
struct sdf_pd *sdf_find_pd(const struct sdf_system *system, const char *name);

/* How many cores the system needs: the highest that has a thread, and those below it. */
unsigned sdf_cores_used(const struct sdf_system *system);

/* A new string: the first `bytes` bytes of a name, or fewer where they would cut a character. */
char *sdf_short_name(const char *name, unsigned bytes);

struct xml_element;

/* An element's name: printable text. */
const char *sdf_read_name(const struct xml_element *element);

/* Reads <domains>, before any PD (domains.c). */
void sdf_read_domains(struct sdf_system *system, const struct xml_element *element);

/* A domain of this name, or NULL. */
const struct sdf_domain *sdf_find_domain(const struct sdf_system *system, const char *name);

/* Warns of what is allowed but likely a slip. */
void sdf_warn(const struct sdf_system *system);

/* The same, of domains. */
void sdf_warn_of_domains(const struct sdf_system *system);
