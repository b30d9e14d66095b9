/* SPDX-License-Identifier: BSD-2-Clause */

/* The layout of a whole system, and who is equal to whom in it. */

#include <inttypes.h>
#include "emit.h"
#include "layout_parts.h"

static bool is_equal(const struct vm *a, const struct vm *b)
{
    return a->settings.priority.number == b->settings.priority.number && a->domain == b->domain;
}

/*
 * Whether another machine of its domain, if `equal` of its priority, has a vCPU on this one's
 * monitor's core.
 */
static bool has_others(const struct system *system, const struct vm *vm, bool equal)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *other = system->vms.items[i];
        if (other != vm && other->domain == vm->domain && runs_on(other, monitor_core(vm)) &&
            (!equal || is_equal(other, vm))) {
            return true;
        }
    }
    return false;
}

bool layout_has_equals(const struct system *system, const struct vm *vm)
{
    return has_others(system, vm, true);
}

/* Whether both ask the same PD for turns. */
static bool share_turn(const struct system *system, const struct vm *a, const struct vm *b)
{
    return monitor_core(a) == monitor_core(b) && is_equal(a, b) && layout_has_equals(system, a) &&
           layout_has_equals(system, b);
}

bool layout_begins_turn(const struct system *system, const struct vm *vm)
{
    for (size_t i = 0; i < vm->index; i++) {
        if (share_turn(system, system->vms.items[i], vm)) {
            return false;
        }
    }
    return layout_has_equals(system, vm);
}

size_t layout_turn_count(const struct system *system)
{
    size_t count = 0;

    for (size_t i = 0; i < system->vms.count; i++) {
        count += layout_begins_turn(system, system->vms.items[i]);
    }
    return count;
}

static const char *turn_name(const struct layout *layout, const struct vm *first)
{
    uint64_t priority = first->settings.priority.number;

    if (has_several_cores(layout->system)) {
        return memory_format("turn_%u_%" PRIu64, monitor_core(first), priority);
    }
    if (has_domains(layout->system)) {
        return memory_format("turn_%s_%" PRIu64, layout->system->domains.items[first->domain],
                             priority);
    }
    return layout->turns.count == 0 ? "turn" : memory_format("turn_%" PRIu64, priority);
}

/* The PD that takes part in the round robin of a core's machines of one priority: turn/turn.c. */
static void lay_out_turn(struct layout *layout, const struct vm *first)
{
    const struct system *system = layout->system;
    const char *name = turn_name(layout, first);
    struct turn_layout *turn = list_add(&layout->turns);

    turn->pd = add_pd(layout, name, "turn", (unsigned)first->settings.priority.number,
                      monitor_core(first));
    turn->pd->domain = first->domain;
    turn->has_timer = first->domain == DOMAIN_SERVICES; /* otherwise its driver would answer late */
    turn->timer_channel = TURN_TIMER_CHANNEL;
    if (turn->has_timer) {
        add_channel(layout, turn->pd, TURN_TIMER_CHANNEL, true, layout->timer,
                    (unsigned)layout->timer_client_count++);
    }
    for (size_t i = first->index; i < system->vms.count; i++) {
        if (share_turn(system, first, system->vms.items[i])) {
            layout->vms[i].turn_channel = MONITOR_TURN_CHANNEL;
            add_channel(layout, layout->monitors[i], MONITOR_TURN_CHANNEL, false, turn->pd,
                        turn->client_count++);
        }
    }
}

static void lay_out_turns(struct layout *layout)
{
    const struct system *system = layout->system;

    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        layout->vms[i].has_others = has_others(system, vm, false);
        layout->vms[i].has_equals = layout_has_equals(system, vm);
        if (layout_begins_turn(system, vm)) {
            lay_out_turn(layout, vm);
        }
    }
}

uint64_t layout_schedule_us(const struct system *system)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < system->domain_turns.count; i++) {
        sum += system->domain_turns.items[i].duration;
    }
    return sum;
}

uint64_t layout_run_us(const struct system *system, unsigned domain, bool own)
{
    size_t count = system->domain_turns.count;
    uint64_t least = 0;
    uint64_t run = 0;

    /* Twice around: the first turns belong to what the last ones begin. */
    for (size_t i = 0; i < 2 * count; i++) {
        const struct domain_turn *turn = &system->domain_turns.items[i % count];
        if ((turn->domain == domain) == own) {
            run += turn->duration;
            continue;
        }
        if (i >= count && run != 0 && (least == 0 || run < least)) {
            least = run;
        }
        run = 0;
    }
    return least;
}

bool disk_is_limited(const struct system *system)
{
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        for (unsigned k = 0; k < vm->slice_count; k++) {
            if (slice_is_limited(&vm->slices[k])) {
                return true;
            }
        }
    }
    return false;
}

/* Who keeps a limit is woken when what waits may go on; a switch that has much to do, after a
 * pause. */
static void lay_out_timers(struct layout *layout)
{
    const struct system *system = layout->system;

    layout->switch_timer_channel = SWITCH_TIMER_CHANNEL;
    layout->block_timer_channel = BLOCK_TIMER_CHANNEL;
    for (size_t i = 0; i < system->networks.count; i++) {
        if (layout->switches[i] != NULL) {
            add_channel(layout, layout->switches[i], SWITCH_TIMER_CHANNEL, true, layout->timer,
                        (unsigned)layout->timer_client_count++);
        }
    }
    if (disk_is_limited(system)) {
        add_channel(layout, layout->disk.block, BLOCK_TIMER_CHANNEL, true, layout->timer,
                    (unsigned)layout->timer_client_count++);
    }
}

static const struct region *lay_out_gic(struct layout *layout)
{
    const struct gic_settings *gic = &layout->system->board.gic;

    return gic->version.number == 2 ? add_device(layout, "gicv", gic->vcpu_interface.number,
                                                 GUEST_GICC_SIZE, "virtual CPU interface")
                                    : NULL;
}

struct layout *layout_make(const struct system *system)
{
    struct layout *layout = memory_new(sizeof(*layout));

    layout->system = system;
    layout->vms = memory_new(system->vms.count * sizeof(*layout->vms));
    layout->memory_needed = layout_memory_needed(system);
    lay_out_services(layout);
    for (size_t i = 0; i < system->networks.count; i++) {
        lay_out_network(layout, system->networks.items[i]);
    }
    lay_out_disk(layout);
    lay_out_uplink(layout);
    lay_out_clock(layout);
    const struct region *gicv = lay_out_gic(layout);
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        layout->guest_memory_used += has_bus_master(vm) ? vm->settings.memory.number : 0;
    }
    for (size_t i = 0; i < system->vms.count; i++) {
        lay_out_vm(layout, system->vms.items[i], gicv);
    }
    for (size_t i = 0; i < system->shared.count; i++) {
        lay_out_shared(layout, system->shared.items[i]);
    }
    for (size_t i = 0; i < system->vms.count; i++) {
        emit_dtb(layout, system->vms.items[i], &layout->vms[i].dtb);
    }
    layout->console_timer_channel = CONSOLE_TIMER_CHANNEL;
    layout->timer_client_count = system->vms.count + 1;
    add_channel(layout, layout->console, CONSOLE_TIMER_CHANNEL, true, layout->timer,
                (unsigned)system->vms.count);
    lay_out_turns(layout);
    lay_out_timers(layout);
    return layout;
}
