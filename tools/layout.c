/* SPDX-License-Identifier: BSD-2-Clause */

/* The layout of a whole system, and who is equal to whom in it. */

#include <inttypes.h>
#include "layout_parts.h"

size_t layout_equals(const struct system *system, uint64_t priority)
{
    size_t count = 0;

    for (size_t i = 0; i < system->vms.count; i++) {
        count += system->vms.items[i]->settings.priority.number == priority;
    }
    return count;
}

/* The PD that takes part in the round robin of machines of one priority: turn/turn.c. */
static void lay_out_turn(struct layout *layout, uint64_t priority)
{
    const struct system *system = layout->system;
    struct turn_layout *turn = &layout->turns[layout->turn_count];
    const char *name = layout->turn_count == 0 ? "turn" : memory_format("turn_%" PRIu64, priority);

    layout->turn_count++;
    turn->pd = add_pd(layout, name, "turn", (unsigned)priority);
    turn->timer_channel = TURN_TIMER_CHANNEL;
    add_channel(layout, turn->pd, TURN_TIMER_CHANNEL, true, layout->timer,
                layout->timer_client_count++);
    for (size_t i = 0; i < system->vms.count; i++) {
        if (system->vms.items[i]->settings.priority.number == priority) {
            layout->vms[i].has_equals = true;
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
        uint64_t priority = system->vms.items[i]->settings.priority.number;
        if (!layout->vms[i].has_equals && layout_equals(system, priority) > 1) {
            lay_out_turn(layout, priority);
        }
    }
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
    const struct region *gicv = add_device(layout, "gicv", system->board.gic.vcpu_interface.number,
                                           GUEST_GICC_SIZE, "virtual CPU interface");
    for (size_t i = 0; i < system->vms.count; i++) {
        lay_out_vm(layout, system->vms.items[i], gicv);
    }
    layout->console_timer_channel = CONSOLE_TIMER_CHANNEL;
    layout->timer_client_count = system->vms.count + 1;
    add_channel(layout, layout->console, CONSOLE_TIMER_CHANNEL, true, layout->timer,
                (unsigned)system->vms.count);
    lay_out_turns(layout);
    return layout;
}
