/* SPDX-License-Identifier: BSD-2-Clause */

/* The PDs that the machines share: services, switches, the board's disk and network card. */

#include <string.h>
#include "block/config.h"
#include "console/config.h"
#include "drivers/block/config.h"
#include "drivers/net/config.h"
#include "drivers/uart/config.h"
#include "layout_parts.h"
#include "lib/stats.h"
#include "placement.h"
#include "switch/config.h"

/* ---- Priorities ---- */

/*
 * What is done for machines is as urgent as the most urgent of them, and holds up none above it. So
 * a PD that serves machines is just above their monitors, and a driver is just above the PD that it
 * serves. A PD that serves a monitor of another core or domain is above all machines: else the
 * machines of the PD's own core or domain could keep it from those elsewhere.
 */
struct clients {
    unsigned priority; /* the highest of the monitors */
    bool elsewhere;    /* one of them is on another core, or in another domain */
};

static void add_client(struct clients *clients, const struct vm *vm, unsigned core)
{
    unsigned priority = monitor_priority(vm);

    if (priority > clients->priority) {
        clients->priority = priority;
    }
    clients->elsewhere |= monitor_core(vm) != core || vm->domain != DOMAIN_SERVICES;
}

/* `above`: how far above the monitors; `fixed`: the priority above all machines. */
static unsigned priority_above(const struct clients *clients, unsigned above, unsigned fixed)
{
    return clients->elsewhere ? fixed : clients->priority + above;
}

static struct clients clients_of_switch(const struct network *network)
{
    struct clients clients = {0};

    for (unsigned i = 0; i < network->port_count; i++) {
        add_client(&clients, network->ports[i]->vm, (unsigned)network->settings.cpu.number);
    }
    return clients;
}

static struct clients clients_of_disk(const struct system *system)
{
    struct clients clients = {0};

    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        if (vm->slice_count != 0) {
            add_client(&clients, vm, (unsigned)system->disk.settings.cpu.number);
        }
    }
    return clients;
}

/* The driver of the card gives way as its switch does, if it is on that one's core. */
static unsigned card_priority(const struct uplink *uplink)
{
    struct clients clients = clients_of_switch(uplink->network);

    clients.elsewhere |= uplink->settings.cpu.number != uplink->network->settings.cpu.number;
    return priority_above(&clients, ABOVE_CARD, PRIORITY_CARD);
}

/* ---- The PDs that every system has ---- */

void lay_out_services(struct layout *layout)
{
    const struct board *board = &layout->system->board;
    unsigned console_core = (unsigned)layout->system->console.cpu.number;

    layout->timer = add_pd(layout, "timer", "drivers/timer", PRIORITY_TIMER, TIMER_CORE);
    layout->timer->chip = board->timer.driver.text;
    layout->uart = add_pd(layout, "uart", "drivers/uart", PRIORITY_UART, console_core);
    layout->uart->chip = board->uart.driver.text;
    layout->console = add_pd(layout, "console", "console", PRIORITY_CONSOLE, console_core);
    set_budget(layout->console, &layout->system->console.budget, &layout->system->console.period);
    set_parent(layout->uart, layout->console, CONSOLE_DRIVER_CHILD);

    *list_add(&layout->timer->irqs) =
        (struct irq){.irq = (unsigned)board->timer.interrupt.number, .channel = TIMER_IRQ_CHANNEL};
    *list_add(&layout->uart->irqs) =
        (struct irq){.irq = (unsigned)board->uart.interrupt.number, .channel = UART_IRQ_CHANNEL};
    if (board->timer.address.line != 0) {
        layout->timer_registers =
            map_next(layout->timer,
                     add_device(layout, "timer_registers", board->timer.address.number, PAGE,
                                "timer registers"),
                     "rw", false);
    }
    const struct region *registers =
        add_device(layout, "uart_registers", board->uart.address.number, PAGE, "UART registers");
    layout->uart_registers = map_next(layout->uart, registers, "rw", false);
    layout->uart_link = add_link(layout, "uart", layout->console, CONSOLE_UART_CHANNEL,
                                 layout->uart, UART_CLIENT_CHANNEL, UART_RING, UART_RING);
}

/* Whoever is handed the board's clock can set it: nobody else goes by it then. */
void lay_out_clock(struct layout *layout)
{
    const struct system *system = layout->system;
    const struct setting *address = &system->board.clock.address;

    if (address->line == 0) {
        return;
    }
    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        for (unsigned k = 0; k < vm->device_count; k++) {
            if (address->number >= vm->devices[k]->page &&
                address->number - vm->devices[k]->page < vm->devices[k]->pages_size) {
                return;
            }
        }
    }
    layout->clock = add_device(layout, "clock_registers", address->number, PAGE, "board's clock");
}

void lay_out_network(struct layout *layout, const struct network *network)
{
    if (network->port_count == 0) {
        return;
    }
    struct clients clients = clients_of_switch(network);
    struct pd *pd = add_pd(layout, memory_format("switch_%s", network->name), "switch",
                           priority_above(&clients, ABOVE_SWITCH, PRIORITY_SWITCH),
                           (unsigned)network->settings.cpu.number);
    unsigned client = (unsigned)(layout->system->vms.count + network->index);

    pd->network = network;
    set_budget(pd, &network->settings.budget, &network->settings.period);
    layout->switches[network->index] = pd;
    layout->log_links[network->index] =
        add_link(layout, memory_format("%s_log", network->name), pd, SWITCH_LOG_CHANNEL,
                 layout->console, CONSOLE_CLIENT_CHANNEL + client, LOG_RING, 0);
    layout->stats[network->index] =
        add_stats(layout, pd, network_port_count(network), sizeof(struct stats_port));
}

/* The board's disk and its multiplexer. */

static void lay_out_disk_driver(struct layout *layout, unsigned client)
{
    struct disk_layout *disk = &layout->disk;
    const struct board_disk_settings *board = &layout->system->board.disk;
    uint64_t page = board->address.number / PAGE * PAGE;

    struct clients clients = clients_of_disk(layout->system);

    disk->driver = add_pd(layout, "block_driver", "drivers/block",
                          priority_above(&clients, ABOVE_DISK, PRIORITY_DISK),
                          (unsigned)layout->system->disk.settings.cpu.number);
    disk->driver->chip = board->driver.text;
    *list_add(&disk->driver->irqs) =
        (struct irq){.irq = (unsigned)board->interrupt.number, .channel = DISK_IRQ_CHANNEL};
    disk->registers =
        map_next(disk->driver, add_device(layout, "disk_registers", page, PAGE, "disk registers"),
                 "rw", false) +
        board->address.number % PAGE;
    const struct region *dma =
        add_region(layout, "disk_dma", BLOCK_DRIVER_DMA_SIZE, PAGE, "disk queue");
    disk->dma = map_next(disk->driver, dma, "rw", true);
    *list_add(&disk->driver->setvars) = (struct setvar){.symbol = "dma_paddr", .region = dma};
    disk->driver_log = add_link(layout, "disk_log", disk->driver, DISK_LOG_CHANNEL, layout->console,
                                CONSOLE_CLIENT_CHANNEL + client, LOG_RING, 0);
}

void lay_out_disk(struct layout *layout)
{
    struct disk_layout *disk = &layout->disk;
    unsigned client = (unsigned)(layout->system->vms.count + layout->system->networks.count);

    if (layout->system->disk.slice_count == 0) {
        return;
    }
    lay_out_disk_driver(layout, client);
    struct clients clients = clients_of_disk(layout->system);
    disk->block =
        add_pd(layout, "block", "block", priority_above(&clients, ABOVE_BLOCK, PRIORITY_BLOCK),
               (unsigned)layout->system->disk.settings.cpu.number);
    set_budget(disk->block, &layout->system->disk.settings.budget,
               &layout->system->disk.settings.period);
    set_parent(disk->driver, disk->block, BLOCK_DRIVER_CHILD);
    disk->link = add_link(layout, "disk", disk->block, BLOCK_DRIVER_CHANNEL, disk->driver,
                          DISK_CLIENT_CHANNEL, BLOCK_REQUEST_RING, BLOCK_REPLY_RING);
    disk->block_log = add_link(layout, "block_log", disk->block, BLOCK_LOG_CHANNEL, layout->console,
                               CONSOLE_CLIENT_CHANNEL + client + 1, LOG_RING, 0);
    const struct region *buffer =
        add_region(layout, "block_buffer", BLOCK_BUFFER_SIZE, PAGE, "disk data");
    disk->buffer = map_next(disk->block, buffer, "rw", true);
    disk->stats =
        add_stats(layout, disk->block, layout->system->disk.slice_count, sizeof(struct stats_disk));
    add_data_region(layout, buffer);
}

/* The board's network card. */

uint64_t card_rings_size(const struct board *board)
{
    return strcmp(board->network.driver.text, "cadence_gem") == 0 ? NET_DRIVER_RINGS_SIZE : 0;
}

static void lay_out_card_rings(struct layout *layout, struct pd *pd)
{
    const struct region *rings = add_region(
        layout, "card_rings", card_rings_size(&layout->system->board), PAGE, "network card rings");

    layout->uplink.rings = map_next(pd, rings, "rw", false);
    *list_add(&pd->setvars) = (struct setvar){.symbol = "rings_paddr", .region = rings};
}

void lay_out_uplink(struct layout *layout)
{
    const struct system *system = layout->system;
    const struct uplink *uplink = &system->uplink;
    const struct board_network_settings *board = &system->board.network;
    struct uplink_layout *place = &layout->uplink;
    uint64_t page = board->address.number / PAGE * PAGE;
    unsigned client = (unsigned)(system->vms.count + system->networks.count + 2);

    if (uplink->network == NULL) {
        return;
    }
    uint64_t ring = uplink->network->settings.queue.number;
    struct pd *pd = add_pd(layout, "net_driver", "drivers/net", card_priority(uplink),
                           (unsigned)uplink->settings.cpu.number);
    pd->chip = board->driver.text;
    place->driver = pd;
    set_parent(pd, layout->switches[uplink->network->index], SWITCH_DRIVER_CHILD);
    set_budget(pd, &uplink->settings.budget, &uplink->settings.period);
    *list_add(&pd->irqs) =
        (struct irq){.irq = (unsigned)board->interrupt.number, .channel = CARD_IRQ_CHANNEL};
    place->registers =
        map_next(pd, add_device(layout, "card_registers", page, PAGE, "network card registers"),
                 "rw", false) +
        board->address.number % PAGE;
    const struct region *dma =
        add_region(layout, "card_dma", NET_DRIVER_DMA_SIZE, LARGE_PAGE, "network card frames");
    pd->next_vaddr = round_up(pd->next_vaddr, LARGE_PAGE);
    place->dma = map_next(pd, dma, "rw", true);
    *list_add(&pd->setvars) = (struct setvar){.symbol = "dma_paddr", .region = dma};
    if (card_rings_size(&system->board) != 0) {
        lay_out_card_rings(layout, pd);
    }
    place->link = add_link(layout, "uplink", pd, CARD_SWITCH_CHANNEL,
                           layout->switches[uplink->network->index], uplink->port, ring, ring);
    place->log = add_link(layout, "card_log", pd, CARD_LOG_CHANNEL, layout->console,
                          CONSOLE_CLIENT_CHANNEL + client, LOG_RING, 0);
}
