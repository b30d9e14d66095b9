/* SPDX-License-Identifier: BSD-2-Clause */

/* Building blocks of a layout: regions, mappings, PDs, channels and rings. */

#include "layout_parts.h"

struct region *add_region(struct layout *layout, const char *name, uint64_t size,
                          uint64_t page_size, const char *purpose)
{
    struct region *region = memory_new(sizeof(*region));

    *region =
        (struct region){.name = name, .size = size, .page_size = page_size, .purpose = purpose};
    *list_add(&layout->regions) = region;
    return region;
}

struct region *add_device(struct layout *layout, const char *name, uint64_t address, uint64_t size,
                          const char *purpose)
{
    struct region *region = add_region(layout, name, size, PAGE, purpose);

    region->fixed = true;
    region->address = address;
    return region;
}

uint64_t map_next(struct pd *pd, const struct region *region, const char *perms, bool cached)
{
    uint64_t vaddr = pd->next_vaddr;

    *list_add(&pd->maps) =
        (struct map){.region = region, .vaddr = vaddr, .perms = perms, .cached = cached};
    pd->next_vaddr = round_up(vaddr + region->size, PAGE) + PAGE;
    return vaddr;
}

struct pd *add_pd(struct layout *layout, const char *name, const char *kind, unsigned priority,
                  unsigned core)
{
    struct pd *pd = memory_new(sizeof(*pd));

    pd->name = name;
    pd->kind = kind;
    pd->priority = priority;
    pd->core = core;
    pd->stack_size = STACK_SIZE;
    pd->next_vaddr = PD_RINGS;
    pd->next_ram = PD_RAM;
    *list_add(&layout->pds) = pd;
    return pd;
}

void set_parent(struct pd *pd, const struct pd *parent, unsigned child_id)
{
    pd->parent = parent;
    pd->child_id = child_id;
}

void set_budget(struct pd *pd, const struct setting *budget, const struct setting *period)
{
    pd->budget = budget->number;
    pd->period = period->number;
}

void add_channel(struct layout *layout, const struct pd *client, unsigned client_id, bool calls,
                 const struct pd *server, unsigned server_id)
{
    *list_add(&layout->channels) = (struct channel){
        .ends = {{.pd = client, .id = client_id, .calls = calls}, {.pd = server, .id = server_id}}};
}

struct link add_link(struct layout *layout, const char *name, struct pd *client, unsigned client_id,
                     struct pd *server, unsigned server_id, uint64_t ring_up, uint64_t ring_down)
{
    struct link link = {.ring_up = ring_up,
                        .ring_down = ring_down,
                        .client_channel = client_id,
                        .server_channel = server_id};
    const struct region *up =
        add_region(layout, memory_format("%s_up", name), RING_HEADER_SIZE + ring_up, PAGE, "ring");

    link.client_up = map_next(client, up, "rw", true);
    link.server_up = map_next(server, up, "rw", true);
    if (ring_down != 0) {
        const struct region *down = add_region(layout, memory_format("%s_down", name),
                                               RING_HEADER_SIZE + ring_down, PAGE, "ring");
        link.client_down = map_next(client, down, "rw", true);
        link.server_down = map_next(server, down, "rw", true);
    }
    add_channel(layout, client, client_id, false, server, server_id);
    return link;
}

struct stats_layout add_stats(struct layout *layout, struct pd *pd, size_t count, size_t size)
{
    const struct region *region = add_region(layout, memory_format("%s_stats", pd->name),
                                             round_up(count * size, PAGE), PAGE, "counters");

    return (struct stats_layout){.writer = map_next(pd, region, "rw", true),
                                 .console = map_next(layout->console, region, "r", true)};
}

void add_data_region(struct layout *layout, const struct region *region)
{
    struct disk_layout *disk = &layout->disk;
    const char *symbol = memory_format("data_paddr_%zu", disk->data_regions.count);

    *list_add(&disk->data_regions) = region;
    *list_add(&disk->driver->setvars) = (struct setvar){.symbol = symbol, .region = region};
}
