/* SPDX-License-Identifier: BSD-2-Clause */
#include "sdf.h"

#include <inttypes.h>
#include <string.h>
#include "array.h"
#include "tools/memory.h"
#include "xml.h"

#define BUDGET_DEFAULT_US 1000
#define BUDGET_MIN_US     20 /* seL4's: twice the kernel's worst-case execution time */
#define PERIOD_MAX_US     1000000000000ULL /* 11 days: ticks of any timer stay within 64 bits */

#define STACK_DEFAULT 0x2000
#define STACK_MAX     0x1000000 /* 16 MiB */

/* What the readers of elements need besides the element. */
struct parser {
    struct sdf_system *system;
    const struct board *board;
    const char *const *search;
};

const char *sdf_read_name(const struct xml_element *element)
{
    const char *name = xml_required(element, "name");

    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            diag_at(&element->place, "name", "a control character in it: a name is printable text");
        }
    }
    return name;
}

/* The name of a PD or VM: programs and the kernel have less room for it. */
static const char *read_thread_name(const struct xml_element *element)
{
    const char *name = sdf_read_name(element);

    if (strlen(name) > SDF_SHORT_NAME) {
        diag_warn(&element->place,
                  "a name of %zu bytes: the kernel and programs know the first %u of them",
                  strlen(name), SDF_SHORT_NAME);
    }
    return name;
}

char *sdf_short_name(const char *name, unsigned bytes)
{
    size_t length = strnlen(name, bytes + 1);

    if (length > bytes) {
        length = bytes;
        while (((unsigned char)name[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    return memory_copy(name, length);
}

static struct sdf_schedule read_schedule(const struct xml_element *element)
{
    struct sdf_schedule schedule;

    schedule.priority = (unsigned)xml_number_or(element, "priority", 0, SDF_PRIORITY_MAX, 0);
    schedule.budget =
        xml_number_or(element, "budget", BUDGET_MIN_US, PERIOD_MAX_US, BUDGET_DEFAULT_US);
    schedule.period =
        xml_number_or(element, "period", BUDGET_MIN_US, PERIOD_MAX_US, schedule.budget);
    if (schedule.budget > schedule.period) {
        diag_at(&element->place, xml_attribute(element, "budget") ? "budget" : "period",
                "a budget of %" PRIu64 " us is more than the period of %" PRIu64
                " us: the budget may be at most the period",
                schedule.budget, schedule.period);
    }
    return schedule;
}

static uint64_t read_prefill(const struct parser *parser, const struct xml_element *element,
                             struct sdf_region *region)
{
    const char *path = xml_attribute(element, "prefill_path");
    const char *found, *reason;

    if (!path) {
        return 0;
    }
    found = file_find(parser->search, path);
    if (!found) {
        diag_at(&element->place, "prefill_path",
                "'%s' is in none of the search paths: give its directory with --search-path", path);
    }
    region->prefill = file_read(found, &reason);
    if (!region->prefill) {
        diag_at(&element->place, "prefill_path", "'%s' cannot be read: %s", found, reason);
    }
    if (!region->prefill->size) {
        diag_at(&element->place, "prefill_path", "'%s' is empty: a prefill file has contents",
                found);
    }
    return region->prefill->size;
}

static void read_region_size(const struct xml_element *element, struct sdf_region *region,
                             uint64_t filled)
{
    uint64_t page = region->page_size ? region->page_size : SDF_PAGE;

    if (!xml_attribute(element, "size")) {
        if (!filled) {
            diag_at(&element->place, "size",
                    "missing: only a region with a prefill_path may leave it out");
        }
        region->size = (filled + page - 1) & ~(page - 1);
        return;
    }
    region->size = xml_number(element, "size", 0, UINT64_MAX);
    if (!region->size) {
        diag_at(&element->place, "size",
                "a region of no bytes: the smallest has one page, 0x%" PRIx64, page);
    }
    if (region->size % page) {
        diag_at(&element->place, "size",
                "0x%" PRIx64 " is no multiple of the page size 0x%" PRIx64 ": 0x%" PRIx64
                " would be",
                region->size, page, (region->size + page - 1) & ~(page - 1));
    }
    if (region->size > SDF_ADDRESS_END) {
        diag_at(&element->place, "size",
                "0x%" PRIx64 " is more than the 40-bit address space: at most 0x%" PRIx64,
                region->size, SDF_ADDRESS_END);
    }
    if (filled > region->size) {
        diag_at(&element->place, "size",
                "0x%" PRIx64 " is less than the %" PRIu64
                " bytes of the prefill file: make it at least 0x%" PRIx64,
                region->size, filled, (filled + page - 1) & ~(page - 1));
    }
}

static void read_region_address(const struct parser *parser, const struct xml_element *element,
                                struct sdf_region *region)
{
    uint64_t page = region->page_size ? region->page_size : SDF_PAGE;

    if (!xml_attribute(element, "phys_addr")) {
        return;
    }
    region->fixed = true;
    region->phys_addr = xml_number(element, "phys_addr", 0, SDF_ADDRESS_END - 1);
    if (region->phys_addr % page) {
        diag_at(&element->place, "phys_addr",
                "0x%" PRIx64 " is not aligned to the page size 0x%" PRIx64, region->phys_addr,
                page);
    }
    if (region->size > SDF_ADDRESS_END - region->phys_addr) {
        diag_at(&element->place, "phys_addr",
                "0x%" PRIx64 " with size 0x%" PRIx64 " ends beyond the 40-bit address space",
                region->phys_addr, region->size);
    }

    const struct system_device *kept = board_kept(parser->board, region->phys_addr, region->size);
    if (kept) {
        diag_at(&element->place, "phys_addr",
                "0x%" PRIx64 "..0x%" PRIx64 " touches %s at 0x%" PRIx64
                ", which only the kernel may use: choose another range",
                region->phys_addr, region->phys_addr + region->size, kept->name, kept->base);
    }
}

static void read_region(const struct parser *parser, const struct xml_element *element)
{
    struct sdf_region *region = memory_new(sizeof(*region));

    if (xml_attribute(element, "prefill_bootinfo")) {
        diag_at(&element->place, "prefill_bootinfo",
                "not supported: this kernel has no boot information: use prefill_path");
    }
    xml_check_attributes(element, "name size page_size phys_addr prefill_path");
    xml_ignore_content(element);
    region->place = element->place;
    region->name = sdf_read_name(element);
    if (xml_attribute(element, "page_size")) {
        region->page_size = xml_number(element, "page_size", 0, UINT64_MAX);
        if (region->page_size != SDF_PAGE && region->page_size != SDF_LARGE_PAGE) {
            diag_at(&element->place, "page_size",
                    "0x%" PRIx64 " is no page size: it may be 0x1000 (4 KiB) or 0x200000 (2 MiB)",
                    region->page_size);
        }
    }
    read_region_size(element, region, read_prefill(parser, element, region));
    read_region_address(parser, element, region);
    region->index = (unsigned)parser->system->region_count;
    *ARRAY_ADD(parser->system->regions, parser->system->region_count) = region;
}

/* What a map may do; nothing at all is possible, for a range that nobody is to touch. */
static unsigned read_perms(const struct xml_element *element)
{
    const char *text = xml_attribute(element, "perms");
    unsigned perms = 0;

    if (!text) {
        return SDF_READ | SDF_WRITE;
    }
    for (const char *c = text; *c; c++) {
        if (*c == 'r') {
            perms |= SDF_READ;
        } else if (*c == 'w') {
            perms |= SDF_WRITE;
        } else if (*c == 'x') {
            perms |= SDF_EXECUTE;
        } else {
            diag_at(&element->place, "perms", "'%s': it is made of 'r', 'w' and 'x'", text);
        }
    }
    if ((perms & SDF_WRITE) && !(perms & SDF_READ)) {
        diag_at(&element->place, "perms", "'%s': memory that is written must be readable: 'r%s'",
                text, text);
    }
    return perms;
}

static struct sdf_map read_map(const struct xml_element *element, uint64_t end)
{
    struct sdf_map map = {.place = element->place};

    xml_ignore_content(element);
    map.region_name = xml_required(element, "mr");
    map.vaddr = xml_number(element, "vaddr", 0, UINT64_MAX);
    if (map.vaddr >= end) {
        diag_at(&element->place, "vaddr", "0x%" PRIx64 " is too high: it must be below 0x%" PRIx64,
                map.vaddr, end);
    }
    map.perms = read_perms(element);
    map.cached = xml_bool_or(element, "cached", true);
    return map;
}

/* A new setvar for the symbol that `attribute` names, or NULL if it is missing. A symbol can only
 * be set once. */
static struct sdf_setvar *add_setvar(struct sdf_pd *pd, const struct xml_element *element,
                                     const char *attribute)
{
    if (!xml_attribute(element, attribute)) {
        return NULL;
    }

    const char *symbol = xml_required(element, attribute);
    for (size_t i = 0; i < pd->setvar_count; i++) {
        if (strcmp(pd->setvars[i].symbol, symbol) == 0) {
            diag_at(&element->place, attribute,
                    "symbol '%s' of '%s' is already set on line %u: set it once", symbol, pd->name,
                    pd->setvars[i].place.line);
        }
    }
    struct sdf_setvar *setvar = ARRAY_ADD(pd->setvars, pd->setvar_count);
    setvar->place = element->place;
    setvar->attribute = attribute;
    setvar->symbol = symbol;
    return setvar;
}

static void add_setvar_value(struct sdf_pd *pd, const struct xml_element *element,
                             const char *attribute, uint64_t value)
{
    struct sdf_setvar *setvar = add_setvar(pd, element, attribute);

    if (setvar) {
        setvar->kind = SDF_SETVAR_VALUE;
        setvar->value = value;
    }
}

static void add_setvar_region(struct sdf_pd *pd, const struct xml_element *element,
                              const char *attribute, enum sdf_setvar_kind kind,
                              const char *region_name)
{
    struct sdf_setvar *setvar = add_setvar(pd, element, attribute);

    if (setvar) {
        setvar->kind = kind;
        setvar->region_name = region_name;
    }
}

static void read_pd_map(struct sdf_pd *pd, const struct xml_element *element)
{
    xml_check_attributes(element,
                         "mr vaddr perms cached setvar_vaddr setvar_size setvar_prefill_size");
    struct sdf_map *map = ARRAY_ADD(pd->maps, pd->map_count);
    *map = read_map(element, sdf_pd_map_end(pd));
    add_setvar_value(pd, element, "setvar_vaddr", map->vaddr);
    add_setvar_region(pd, element, "setvar_size", SDF_SETVAR_SIZE, map->region_name);
    add_setvar_region(pd, element, "setvar_prefill_size", SDF_SETVAR_PREFILL_SIZE,
                      map->region_name);
}

static void read_irq(const struct parser *parser, struct sdf_pd *pd,
                     const struct xml_element *element)
{
    static const char *const other_architectures[] = {"pin",      "ioapic", "vector",
                                                      "polarity", "pcidev", "handle"};
    for (size_t i = 0; i < sizeof(other_architectures) / sizeof(other_architectures[0]); i++) {
        if (xml_attribute(element, other_architectures[i])) {
            diag_at(&element->place, other_architectures[i],
                    "not on AArch64: an interrupt has irq, id, trigger and setvar_id");
        }
    }
    xml_check_attributes(element, "irq id trigger setvar_id");
    xml_ignore_content(element);

    struct sdf_irq *irq = ARRAY_ADD(pd->irqs, pd->irq_count);
    irq->place = element->place;
    /* INTIDs below 16 are SGIs. */
    irq->irq = (unsigned)xml_number(element, "irq", 16, parser->board->irq_count - 1);
    irq->id = (unsigned)xml_number(element, "id", 0, SDF_ID_MAX);
    if (board_keeps_irq(parser->board, irq->irq)) {
        diag_at(&element->place, "irq", "%u is an interrupt of the kernel's own: choose another",
                irq->irq);
    }
    const char *trigger = xml_attribute(element, "trigger");
    if (trigger && strcmp(trigger, "edge") != 0 && strcmp(trigger, "level") != 0) {
        diag_at(&element->place, "trigger", "'%s': it may be 'level' or 'edge'", trigger);
    }
    irq->edge = trigger && strcmp(trigger, "edge") == 0;
    add_setvar_value(pd, element, "setvar_id", irq->id);
}

static void read_setvar(struct sdf_pd *pd, const struct xml_element *element)
{
    xml_check_attributes(element, "symbol region_paddr");
    xml_ignore_content(element);
    xml_required(element, "symbol");
    add_setvar_region(pd, element, "symbol", SDF_SETVAR_PADDR,
                      xml_required(element, "region_paddr"));
}

static void read_program(struct sdf_pd *pd, const struct xml_element *element)
{
    xml_check_attributes(element, "path path_for_symbols");
    xml_ignore_content(element);
    if (pd->program) {
        diag_at(&element->place, NULL,
                "'%s' already has a program on line %u: a protection domain has one", pd->name,
                pd->program_place.line);
    }
    pd->program_place = element->place;
    pd->program = xml_required(element, "path");
    if (xml_attribute(element, "path_for_symbols")) {
        pd->program_symbols = xml_required(element, "path_for_symbols");
    }
}

/* The core of a thread; `missing` without the attribute. */
static unsigned read_cpu(const struct parser *parser, const struct xml_element *element,
                         unsigned missing)
{
    const unsigned cores = parser->system->cores;
    uint64_t core = xml_any_number_or(element, "cpu", missing);

    if (core < cores) {
        return (unsigned)core;
    }
    if (cores == 1) {
        diag_at(&element->place, "cpu",
                "%s: this kernel runs on one core: it may be 0; kernels for several have "
                "configurations with the prefix smp-",
                xml_attribute(element, "cpu"));
    }
    diag_at(&element->place, "cpu", "%s: this kernel runs on %u cores: it may be 0 to %u",
            xml_attribute(element, "cpu"), cores, cores - 1);
}

static void read_vcpu(const struct parser *parser, struct sdf_pd *pd, struct sdf_vm *vm,
                      const struct xml_element *element)
{
    xml_check_attributes(element, "id cpu setvar_id");
    xml_ignore_content(element);

    unsigned core = read_cpu(parser, element, pd->core);
    unsigned id = (unsigned)xml_number(element, "id", 0, SDF_ID_MAX);
    for (size_t i = 0; i < vm->vcpu_count; i++) {
        if (vm->vcpus[i].id == id) {
            diag_at(&element->place, "id",
                    "vCPU %u is already on line %u: each has an id of its own", id,
                    vm->vcpus[i].place.line);
        }
    }
    struct sdf_vcpu *vcpu = ARRAY_ADD(vm->vcpus, vm->vcpu_count);
    vcpu->place = element->place;
    vcpu->id = id;
    vcpu->core = core;
    add_setvar_value(pd, element, "setvar_id", id);
}

static void read_vm(const struct parser *parser, struct sdf_pd *pd,
                    const struct xml_element *element)
{
    struct sdf_vm *vm = memory_new(sizeof(*vm));
    struct xml_element child = {.node = NULL};

    xml_check_attributes(element, "name priority budget period");
    if (pd->vm) {
        diag_at(
            &element->place, NULL,
            "'%s' already has a virtual machine on line %u: a protection domain has at most one",
            pd->name, pd->vm->place.line);
    }
    parser->system->vm_count++; /* a PD has one at most, so there are not too many */
    vm->place = element->place;
    vm->name = read_thread_name(element);
    vm->schedule = read_schedule(element);
    while (xml_next_child(element, &child)) {
        if (strcmp(child.tag, "vcpu") == 0) {
            read_vcpu(parser, pd, vm, &child);
        } else if (strcmp(child.tag, "map") == 0) {
            xml_check_attributes(&child, "mr vaddr perms cached");
            *ARRAY_ADD(vm->maps, vm->map_count) = read_map(&child, SDF_ADDRESS_END);
        } else {
            diag_at(&child.place, NULL,
                    "unknown element here: a virtual machine contains vcpu and map");
        }
    }
    if (!vm->vcpu_count) {
        diag_at(&element->place, NULL, "it has no vCPU: add <vcpu id='0'/>");
    }
    pd->vm = vm;
}

static void read_cap(struct sdf_pd *pd, const struct xml_element *element)
{
    static const char *const tags[] = {
        [SDF_CAP_TCB] = "cap_tcb", [SDF_CAP_SC] = "cap_sc", [SDF_CAP_VSPACE] = "cap_vspace"};
    unsigned kind = 0;

    while (strcmp(element->tag, tags[kind]) != 0) {
        if (kind == SDF_CAP_VSPACE) {
            diag_at(&element->place, NULL,
                    "unknown element here: a cspace contains cap_tcb, cap_sc and cap_vspace");
        }
        kind++;
    }
    xml_check_attributes(element, "slot pd");
    xml_ignore_content(element);

    unsigned slot = (unsigned)xml_number(element, "slot", 1, SDF_SLOT_MAX);
    for (size_t i = 0; i < pd->cap_count; i++) {
        if (pd->caps[i].slot == slot) {
            diag_at(&element->place, "slot",
                    "%u of '%s' is already taken on line %u: a slot has one capability", slot,
                    pd->name, pd->caps[i].place.line);
        }
    }
    *ARRAY_ADD(pd->caps, pd->cap_count) = (struct sdf_cap){.place = element->place,
                                                           .kind = (enum sdf_cap_kind)kind,
                                                           .slot = slot,
                                                           .pd_name = xml_required(element, "pd")};
}

static void read_cspace(struct sdf_pd *pd, const struct xml_element *element)
{
    struct xml_element child = {.node = NULL};

    xml_check_attributes(element, "");
    if (pd->has_cspace) {
        diag_at(&element->place, NULL,
                "'%s' already has a cspace on line %u: a protection domain has at most one",
                pd->name, pd->cspace_place.line);
    }
    pd->has_cspace = true;
    pd->cspace_place = element->place;
    while (xml_next_child(element, &child)) {
        read_cap(pd, &child);
    }
}

static void read_pd(const struct parser *parser, struct sdf_pd *parent,
                    const struct xml_element *element);

/* NOLINTNEXTLINE(misc-no-recursion): libxml2 reads no file that nests deeper than 256 elements */
static void read_pd_child(const struct parser *parser, struct sdf_pd *pd,
                          const struct xml_element *child)
{
    if (strcmp(child->tag, "program_image") == 0) {
        read_program(pd, child);
    } else if (strcmp(child->tag, "map") == 0) {
        read_pd_map(pd, child);
    } else if (strcmp(child->tag, "irq") == 0) {
        read_irq(parser, pd, child);
    } else if (strcmp(child->tag, "setvar") == 0) {
        read_setvar(pd, child);
    } else if (strcmp(child->tag, "protection_domain") == 0) {
        read_pd(parser, pd, child);
    } else if (strcmp(child->tag, "virtual_machine") == 0) {
        read_vm(parser, pd, child);
    } else if (strcmp(child->tag, "ioport") == 0) {
        diag_at(&child->place, NULL,
                "not on AArch64: I/O ports exist on x86-64; map a device's memory");
    } else if (strcmp(child->tag, "cspace") == 0) {
        read_cspace(pd, child);
    } else {
        diag_at(
            &child->place, NULL,
            "unknown element here: a protection domain contains program_image, map, irq, setvar, "
            "protection_domain, virtual_machine and cspace");
    }
}

static const struct sdf_domain *read_pd_domain(const struct sdf_system *system,
                                               const struct xml_element *element)
{
    const char *name = xml_attribute(element, "domain");

    if (!system->domain_count) {
        if (name) {
            diag_at(&element->place, "domain",
                    "there are no domains: declare them by <domains>, in front of all protection "
                    "domains");
        }
        return NULL;
    }
    if (!name) {
        diag_at(&element->place, "domain",
                "missing: there are domains, and each protection domain is in one");
    }
    const struct sdf_domain *domain = sdf_find_domain(system, name);
    if (!domain) {
        diag_at(&element->place, "domain", "there is no domain '%s': name one of <domains>", name);
    }
    return domain;
}

static void read_pd_attributes(const struct parser *parser, struct sdf_pd *pd,
                               const struct xml_element *element)
{
    pd->name = read_thread_name(element);
    pd->domain = read_pd_domain(parser->system, element);
    pd->schedule = read_schedule(element);
    pd->passive = xml_bool_or(element, "passive", false);
    pd->smc = xml_bool_or(element, "smc", false);
    pd->fpu = xml_bool_or(element, "fpu", true);
    pd->core = read_cpu(parser, element, 0);
    pd->stack_size = xml_number_or(element, "stack_size", SDF_PAGE, STACK_MAX, STACK_DEFAULT);
    if (pd->stack_size % SDF_PAGE) {
        diag_at(&element->place, "stack_size",
                "0x%" PRIx64 " is no multiple of 0x1000: 0x%" PRIx64 " would be", pd->stack_size,
                (pd->stack_size + SDF_PAGE - 1) & ~(SDF_PAGE - 1));
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): likewise */
static void read_pd(const struct parser *parser, struct sdf_pd *parent,
                    const struct xml_element *element)
{
    struct sdf_system *system = parser->system;
    struct sdf_pd *pd = memory_new(sizeof(*pd));
    struct xml_element child = {.node = NULL};

    pd->place = element->place;
    pd->parent = parent;
    pd->index = (unsigned)system->pd_count;
    if (system->pd_count == SDF_MAX_PDS) {
        diag_at(&element->place, NULL, "too many protection domains: at most %d", SDF_MAX_PDS);
    }
    *ARRAY_ADD(system->pds, system->pd_count) = pd;

    if (parent) {
        xml_check_attributes(element,
                             "name id setvar_id priority budget period passive stack_size smc "
                             "cpu fpu domain");
        pd->id = (unsigned)xml_number(element, "id", 0, SDF_CHILD_ID_MAX);
        add_setvar_value(parent, element, "setvar_id", pd->id);
    } else {
        xml_check_attributes(element,
                             "name priority budget period passive stack_size smc cpu fpu domain");
    }
    read_pd_attributes(parser, pd, element);
    while (xml_next_child(element, &child)) {
        read_pd_child(parser, pd, &child);
    }
    if (!pd->program) {
        diag_at(&element->place, NULL, "it has no program: add <program_image path='...'/>");
    }
}

struct sdf_pd *sdf_find_pd(const struct sdf_system *system, const char *name)
{
    for (size_t i = 0; i < system->pd_count; i++) {
        if (strcmp(system->pds[i]->name, name) == 0) {
            return system->pds[i];
        }
    }
    return NULL;
}

static void read_end(const struct sdf_system *system, const struct xml_element *element,
                     struct sdf_end *end)
{
    xml_check_attributes(element, "pd id pp notify setvar_id");
    xml_ignore_content(element);
    end->place = element->place;
    end->pd = sdf_find_pd(system, xml_required(element, "pd"));
    if (!end->pd) {
        diag_at(&element->place, "pd",
                "there is no protection domain '%s': name one of this system",
                xml_required(element, "pd"));
    }
    end->id = (unsigned)xml_number(element, "id", 0, SDF_ID_MAX);
    end->notify = xml_bool_or(element, "notify", true);
    end->pp = xml_bool_or(element, "pp", false);
    add_setvar_value(end->pd, element, "setvar_id", end->id);
}

static void read_channel(struct sdf_system *system, const struct xml_element *element)
{
    struct sdf_channel channel = {.place = element->place};
    struct xml_element child = {.node = NULL};
    unsigned count = 0;

    xml_check_attributes(element, "");
    while (xml_next_child(element, &child)) {
        if (strcmp(child.tag, "end") != 0) {
            diag_at(&child.place, NULL, "unknown element here: a channel contains two <end>");
        }
        if (count == 2) {
            diag_at(&child.place, NULL, "a third end: a channel has exactly two");
        }
        read_end(system, &child, &channel.ends[count++]);
    }
    if (count != 2) {
        diag_at(&element->place, NULL, "it has %u of two ends: a channel has exactly two", count);
    }
    *ARRAY_ADD(system->channels, system->channel_count) = channel;
}

static void read_top(const struct parser *parser, const struct xml_element *child)
{
    if (strcmp(child->tag, "protection_domain") == 0) {
        read_pd(parser, NULL, child);
    } else if (strcmp(child->tag, "memory_region") == 0) {
        read_region(parser, child);
    } else if (strcmp(child->tag, "channel") == 0) {
        return; /* read when all protection domains are known */
    } else if (strcmp(child->tag, "virtual_machine") == 0) {
        diag_at(&child->place, NULL,
                "a virtual machine belongs inside the protection domain that runs it");
    } else if (strcmp(child->tag, "domains") == 0) {
        sdf_read_domains(parser->system, child);
    } else if (strcmp(child->tag, "io_address_space") == 0) {
        diag_at(&child->place, NULL, "not on AArch64: I/O address spaces exist on x86-64");
    } else {
        diag_at(
            &child->place, NULL,
            "unknown element here: a system contains protection_domain, memory_region, channel and "
            "domains");
    }
}

struct sdf_system *sdf_read(const char *path, const struct board *board, unsigned cores,
                            const char *const *search)
{
    struct parser parser = {.board = board, .search = search};
    struct xml_element root, child = {.node = NULL};
    const char *reason;
    const struct file *file = file_read(path, &reason);

    if (!file) {
        diag_fatal("system description '%s' cannot be read: %s", path, reason);
    }
    diag_set_file(path);
    xml_parse(file, &root);
    if (strcmp(root.tag, "system") != 0) {
        diag_at(&root.place, NULL,
                "it is no system description: its outermost element is <system>");
    }
    xml_ignore_attributes(&root);
    parser.system = memory_new(sizeof(*parser.system));
    parser.system->path = path;
    parser.system->cores = cores;
    while (xml_next_child(&root, &child)) {
        read_top(&parser, &child);
    }
    if (!parser.system->pd_count) {
        diag_at(&root.place, NULL, "it has no protection domain: a system has at least one");
    }

    child.node = NULL;
    while (xml_next_child(&root, &child)) {
        if (strcmp(child.tag, "channel") == 0) {
            read_channel(parser.system, &child);
        }
    }
    sdf_check(parser.system, board);
    return parser.system;
}

unsigned sdf_cores_used(const struct sdf_system *system)
{
    unsigned highest = 0;

    for (size_t i = 0; i < system->pd_count; i++) {
        const struct sdf_pd *pd = system->pds[i];
        highest = pd->core > highest ? pd->core : highest;
        for (size_t j = 0; pd->vm && j < pd->vm->vcpu_count; j++) {
            highest = pd->vm->vcpus[j].core > highest ? pd->vm->vcpus[j].core : highest;
        }
    }
    return highest + 1;
}
