/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "array.h"
#include "sdf.h"
#include "tools/memory.h"

/* A name and where it is given. */
struct named {
    const char *name;
    const struct place *place;
};

static int compare_names(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : (x->place->line > y->place->line) - (x->place->line < y->place->line);
}

static void check_unique(struct named *names, size_t count, const char *what)
{
    if (!count) {
        return;
    }
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i - 1].name, names[i].name) == 0) {
            diag_at(names[i].place, "name",
                    "'%s' is already the name of the %s on line %u: names are unique",
                    names[i].name, what, names[i - 1].place->line);
        }
    }
}

static void check_names(const struct sdf_system *system)
{
    struct named *pds = NULL, *vms = NULL, *regions = NULL;
    size_t pd_count = 0, vm_count = 0, region_count = 0;

    for (size_t i = 0; i < system->pd_count; i++) {
        const struct sdf_pd *pd = system->pds[i];
        if (strcmp(pd->name, "monitor") == 0) {
            diag_at(&pd->place, "name", "'monitor' is Microkit's own: choose another name");
        }
        *ARRAY_ADD(pds, pd_count) = (struct named){pd->name, &pd->place};
        if (pd->vm) {
            *ARRAY_ADD(vms, vm_count) = (struct named){pd->vm->name, &pd->vm->place};
        }
    }
    for (size_t i = 0; i < system->region_count; i++) {
        *ARRAY_ADD(regions, region_count) =
            (struct named){system->regions[i]->name, &system->regions[i]->place};
    }
    check_unique(pds, pd_count, "protection domain");
    check_unique(vms, vm_count, "virtual machine");
    check_unique(regions, region_count, "memory region");
}

static struct sdf_region *find_region(const struct sdf_system *system, const char *name)
{
    for (size_t i = 0; i < system->region_count; i++) {
        if (strcmp(system->regions[i]->name, name) == 0) {
            return system->regions[i];
        }
    }
    return NULL;
}

static void check_map(const struct sdf_system *system, struct sdf_map *map, uint64_t end)
{
    struct sdf_region *region = find_region(system, map->region_name);

    if (!region) {
        diag_at(&map->place, "mr", "there is no memory region '%s': name one of this system",
                map->region_name);
    }
    uint64_t page = region->page_size ? region->page_size : SDF_PAGE;
    if (map->vaddr % page) {
        diag_at(&map->place, "vaddr",
                "0x%" PRIx64 " is not aligned to the region's page size 0x%" PRIx64, map->vaddr,
                page);
    }
    if (region->size > end - map->vaddr) {
        diag_at(&map->place, "vaddr",
                "0x%" PRIx64 " with the region's size 0x%" PRIx64 " ends at 0x%" PRIx64
                ": it must end by 0x%" PRIx64,
                map->vaddr, region->size, map->vaddr + region->size, end);
    }
    region->mapped = true;
    map->region = region;
}

static int compare_maps(const void *a, const void *b)
{
    const struct sdf_map *x = *(const struct sdf_map *const *)a,
                         *y = *(const struct sdf_map *const *)b;

    return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

/* `maps` belong to one address space. */
static void check_maps(const struct sdf_system *system, struct sdf_map *maps, size_t count,
                       uint64_t end)
{
    const struct sdf_map **sorted = NULL;
    size_t sorted_count = 0;

    for (size_t i = 0; i < count; i++) {
        check_map(system, &maps[i], end);
        *ARRAY_ADD(sorted, sorted_count) = &maps[i];
    }
    if (!count) {
        return;
    }
    qsort(sorted, count, sizeof(*sorted), compare_maps);
    for (size_t i = 1; i < count; i++) {
        const struct sdf_map *a = sorted[i - 1], *b = sorted[i];
        if (a->vaddr + a->region->size <= b->vaddr) {
            continue;
        }
        /* The error names the one that comes later in the file. */
        const struct sdf_map *later = a > b ? a : b, *other = a > b ? b : a;
        diag_at(&later->place, "vaddr",
                "0x%" PRIx64 "..0x%" PRIx64 " overlaps the map of '%s' on line %u, 0x%" PRIx64
                "..0x%" PRIx64,
                later->vaddr, later->vaddr + later->region->size, other->region_name,
                other->place.line, other->vaddr, other->vaddr + other->region->size);
    }
}

static void check_setvars(const struct sdf_system *system, struct sdf_pd *pd)
{
    for (size_t i = 0; i < pd->setvar_count; i++) {
        struct sdf_setvar *setvar = &pd->setvars[i];
        if (!setvar->region_name) {
            continue;
        }
        setvar->region = find_region(system, setvar->region_name);
        if (!setvar->region) {
            diag_at(&setvar->place, "region_paddr",
                    "there is no memory region '%s': name one of this system", setvar->region_name);
        }
        if (setvar->kind == SDF_SETVAR_PREFILL_SIZE && !setvar->region->prefill) {
            diag_at(
                &setvar->place, "setvar_prefill_size",
                "memory region '%s' has no prefill_path: only a prefilled region has such a size",
                setvar->region_name);
        }
        if (setvar->kind == SDF_SETVAR_PADDR) {
            setvar->region->contiguous = true;
        }
    }
}

static void check_children(const struct sdf_system *system)
{
    for (size_t i = 0; i < system->pd_count; i++) {
        const struct sdf_pd *pd = system->pds[i];
        if (!pd->parent) {
            continue;
        }
        for (size_t j = 0; j < i; j++) {
            if (system->pds[j]->parent == pd->parent && system->pds[j]->id == pd->id) {
                diag_at(&pd->place, "id",
                        "%u is already the id of child '%s' on line %u: ids are unique", pd->id,
                        system->pds[j]->name, system->pds[j]->place.line);
            }
        }
        const struct sdf_vm *vm = pd->parent->vm;
        for (size_t j = 0; vm && j < vm->vcpu_count; j++) {
            if (vm->vcpus[j].id == pd->id) {
                diag_at(&pd->place, "id",
                        "%u is already the id of the vCPU on line %u: children and vCPUs share ids",
                        pd->id, vm->vcpus[j].place.line);
            }
        }
    }
}

static void check_caps(const struct sdf_system *system, struct sdf_pd *pd)
{
    for (size_t i = 0; i < pd->cap_count; i++) {
        struct sdf_cap *cap = &pd->caps[i];
        cap->pd = sdf_find_pd(system, cap->pd_name);
        if (!cap->pd) {
            diag_at(&cap->place, "pd",
                    "there is no protection domain '%s': name one of this system", cap->pd_name);
        }
    }
}

static void check_irqs(const struct sdf_system *system, unsigned irq_count)
{
    const struct sdf_irq **owners = memory_new(irq_count * sizeof(*owners));

    for (size_t i = 0; i < system->pd_count; i++) {
        for (size_t j = 0; j < system->pds[i]->irq_count; j++) {
            const struct sdf_irq *irq = &system->pds[i]->irqs[j];
            const struct sdf_irq *owner = owners[irq->irq];
            if (owner) {
                diag_at(&irq->place, "irq",
                        "%u is already taken on line %u: an interrupt has one owner", irq->irq,
                        owner->place.line);
            }
            owners[irq->irq] = irq;
        }
    }
}

/* Channel ids of a PD, each with the element that has it. */
struct id_owners {
    const struct place *places[SDF_ID_MAX + 1];
};

static void take_id(struct id_owners *owners, unsigned id, const struct sdf_pd *pd,
                    const struct place *place)
{
    if (owners->places[id]) {
        diag_at(place, "id",
                "%u is already a channel or interrupt of '%s' on line %u: ids are unique", id,
                pd->name, owners->places[id]->line);
    }
    owners->places[id] = place;
}

static void check_channel(const struct sdf_channel *channel)
{
    const struct sdf_end *a = &channel->ends[0], *b = &channel->ends[1];

    if (a->pp && b->pp) {
        diag_at(&b->place, "pp",
                "both ends may call: calls go to the higher priority, so only one may");
    }
    for (unsigned i = 0; i < 2; i++) {
        const struct sdf_end *caller = &channel->ends[i], *callee = &channel->ends[1 - i];
        if (caller->pp && caller->pd->schedule.priority >= callee->pd->schedule.priority) {
            diag_at(
                &caller->place, "pp",
                "'%s' (priority %u) would call '%s' (priority %u): the called one must have the "
                "higher priority",
                caller->pd->name, caller->pd->schedule.priority, callee->pd->name,
                callee->pd->schedule.priority);
        }
        if (caller->pp && callee->pd->passive && caller->pd->core != callee->pd->core) {
            diag_at(
                &caller->place, "pp",
                "'%s' (core %u) would call '%s' (core %u), which is passive, and so runs on its "
                "caller's scheduling context and core: put both on one core, or make '%s' not "
                "passive",
                caller->pd->name, caller->pd->core, callee->pd->name, callee->pd->core,
                callee->pd->name);
        }
    }
}

static void check_channels(const struct sdf_system *system)
{
    struct id_owners *owners = memory_new(system->pd_count * sizeof(*owners));

    for (size_t i = 0; i < system->pd_count; i++) {
        const struct sdf_pd *pd = system->pds[i];
        for (size_t j = 0; j < pd->irq_count; j++) {
            take_id(&owners[i], pd->irqs[j].id, pd, &pd->irqs[j].place);
        }
    }
    for (size_t i = 0; i < system->channel_count; i++) {
        const struct sdf_channel *channel = &system->channels[i];
        check_channel(channel);
        for (unsigned j = 0; j < 2; j++) {
            take_id(&owners[channel->ends[j].pd->index], channel->ends[j].id, channel->ends[j].pd,
                    &channel->ends[j].place);
        }
    }
}

static int compare_regions(const void *a, const void *b)
{
    const struct sdf_region *x = *(const struct sdf_region *const *)a;
    const struct sdf_region *y = *(const struct sdf_region *const *)b;

    return (x->phys_addr > y->phys_addr) - (x->phys_addr < y->phys_addr);
}

static void check_fixed_regions(const struct sdf_system *system, const struct board *board)
{
    const uint64_t ram_end = board_ram_end(board);
    const struct sdf_region **fixed = NULL;
    size_t count = 0;

    for (size_t i = 0; i < system->region_count; i++) {
        struct sdf_region *region = system->regions[i];
        if (!region->fixed) {
            continue;
        }
        uint64_t end = region->phys_addr + region->size;
        bool begins = region->phys_addr >= board->ram_base && region->phys_addr < ram_end;
        bool ends = end > board->ram_base && end <= ram_end;
        if (begins != ends || (region->phys_addr < board->ram_base && end > ram_end)) {
            diag_at(&region->place, "phys_addr",
                    "0x%" PRIx64 "..0x%" PRIx64 " is partly memory (0x%" PRIx64 "..0x%" PRIx64
                    ") and partly not: make it one or the other",
                    region->phys_addr, end, board->ram_base, ram_end);
        }
        *ARRAY_ADD(fixed, count) = region;
    }
    if (!count) {
        return;
    }
    qsort(fixed, count, sizeof(*fixed), compare_regions);
    for (size_t i = 1; i < count; i++) {
        const struct sdf_region *a = fixed[i - 1], *b = fixed[i];
        if (a->phys_addr + a->size <= b->phys_addr) {
            continue;
        }
        const struct sdf_region *later = a->place.line > b->place.line ? a : b;
        const struct sdf_region *other = later == a ? b : a;
        diag_at(&later->place, "phys_addr",
                "0x%" PRIx64 "..0x%" PRIx64 " overlaps region '%s' on line %u, 0x%" PRIx64
                "..0x%" PRIx64,
                later->phys_addr, later->phys_addr + later->size, other->name, other->place.line,
                other->phys_addr, other->phys_addr + other->size);
    }
}

void sdf_check(struct sdf_system *system, const struct board *board)
{
    check_names(system);
    check_children(system);
    check_irqs(system, board->irq_count);
    check_channels(system);
    check_fixed_regions(system, board);
    for (size_t i = 0; i < system->pd_count; i++) {
        struct sdf_pd *pd = system->pds[i];
        check_maps(system, pd->maps, pd->map_count, sdf_pd_map_end(pd));
        check_setvars(system, pd);
        check_caps(system, pd);
        if (pd->vm) {
            check_maps(system, pd->vm->maps, pd->vm->map_count, SDF_ADDRESS_END);
        }
    }
}

void sdf_warn(const struct sdf_system *system)
{
    for (size_t i = 0; i < system->region_count; i++) {
        if (!system->regions[i]->mapped) {
            diag_warn(&system->regions[i]->place, "nothing maps this memory region");
        }
    }
    sdf_warn_of_domains(system);
}
