/* SPDX-License-Identifier: BSD-2-Clause */

/* Memory that machines share, the doorbells' registers, and the channels between their monitors. */

#include "layout_parts.h"

static void map_guest(struct vm_layout *vm, const struct region *region, uint64_t gpa,
                      const char *perms, bool cached)
{
    *list_add(&vm->maps) =
        (struct map){.region = region, .vaddr = gpa, .perms = perms, .cached = cached};
}

static bool may_write(const struct shared *shared, unsigned number)
{
    return (shared->writers >> number & 1) != 0;
}

/* The memory itself: pieces, as RAM is, because Microkit's tool finds room for small ones only. */
static void lay_out_memory(struct layout *layout, const struct shared *shared)
{
    uint64_t size = shared->settings.size.number;
    uint64_t piece_max = layout->system->board.settings.region_max.number;

    for (uint64_t offset = 0, i = 0; offset < size; offset += piece_max, i++) {
        uint64_t piece = size - offset < piece_max ? size - offset : piece_max;
        const char *name = memory_format("shared_%s_memory%u", shared->name, (unsigned)i);
        const struct region *region = add_region(
            layout, name, piece, piece % LARGE_PAGE == 0 ? LARGE_PAGE : PAGE, "shared memory");

        for (unsigned number = 0; number < shared->machine_count; number++) {
            map_guest(&layout->vms[shared->machines[number]->index], region, shared->gpa + offset,
                      may_write(shared, number) ? "rw" : "r", true);
        }
    }
}

/* Which of the machine's this is. */
static unsigned slot_of(const struct vm *vm, const struct shared *shared)
{
    unsigned slot = 0;

    while (vm->shared[slot] != shared) {
        slot++;
    }
    return slot;
}

/*
 * A machine's registers: its monitor writes them, and the guest and the others' monitors read them.
 */
static void lay_out_registers(struct layout *layout, const struct shared *shared, unsigned number)
{
    const struct vm *vm = shared->machines[number];
    unsigned slot = slot_of(vm, shared);
    struct vm_layout *place = &layout->vms[vm->index];
    const struct region *region =
        add_region(layout, memory_format("%s_shared%u_registers", vm->name, slot), PAGE, PAGE,
                   "shared memory's registers");
    struct shared_layout *at = &place->shared[slot];

    at->number = number;
    at->device = (struct device){
        .registers = map_next(layout->monitors[vm->index], region, "rw", false),
        .gpa = GUEST_SHARED_REGISTERS + slot * PAGE,
        .intid = GUEST_SHARED_INTID + slot,
    };
    map_guest(place, region, at->device.gpa, "r", false);
    for (unsigned i = 0; i < shared->machine_count; i++) {
        const struct vm *other = shared->machines[i];

        if (i != number) {
            layout->vms[other->index].shared[slot_of(other, shared)].pages[number] =
                map_next(layout->monitors[other->index], region, "r", false);
        }
    }
}

/* A channel between two machines' monitors. */
static void join(struct layout *layout, const struct shared *shared, unsigned a, unsigned b)
{
    const struct vm *vms[] = {shared->machines[a], shared->machines[b]};
    unsigned channels[2];

    for (unsigned i = 0; i < 2; i++) {
        struct vm_layout *place = &layout->vms[vms[i]->index];

        channels[i] = MONITOR_SHARED_CHANNEL + place->shared_channel_count++;
        place->shared[slot_of(vms[i], shared)].channels[i == 0 ? b : a] = channels[i];
    }
    add_channel(layout, layout->monitors[vms[0]->index], channels[0], false,
                layout->monitors[vms[1]->index], channels[1]);
}

void lay_out_shared(struct layout *layout, const struct shared *shared)
{
    lay_out_memory(layout, shared);
    for (unsigned number = 0; number < shared->machine_count; number++) {
        lay_out_registers(layout, shared, number);
    }
    for (unsigned a = 0; a < shared->machine_count; a++) {
        for (unsigned b = a + 1; b < shared->machine_count; b++) {
            join(layout, shared, a, b);
        }
    }
}
