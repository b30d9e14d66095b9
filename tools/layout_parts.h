/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the files of the layout share: addresses, priorities, channel ids, and the building blocks
 * (regions, PDs, channels, rings). Nobody else includes this.
 */

#include "block/protocol.h"
#include "drivers/timer/config.h"
#include "layout.h"
#include "lib/ring.h"

#define PAGE       0x1000ULL
#define LARGE_PAGE (2 * MIB)

/* Addresses in a PD. Guest RAM and images lie far apart, so that an address tells what it is. */
#define PD_RINGS  0x10000000ULL
#define PD_IMAGES 0x200000000ULL
#define PD_RAM    0x400000000ULL

/* Above all machines. */
#define PRIORITY_TIMER   250u
#define PRIORITY_UART    240u
#define PRIORITY_DISK    230u
#define PRIORITY_CARD    220u
#define PRIORITY_SWITCH  150u
#define PRIORITY_BLOCK   140u
#define PRIORITY_CONSOLE 120u

/* Above the monitors of those machines that they serve, where they give way to others. */
#define ABOVE_BLOCK  1u
#define ABOVE_SWITCH 1u
#define ABOVE_CARD   2u
#define ABOVE_DISK   2u

#define STACK_SIZE 0x8000ULL

#define UART_RING           (16ULL << 10)
#define CONSOLE_OUTPUT_RING (16ULL << 10)
#define CONSOLE_INPUT_RING  (4ULL << 10)
#define LOG_RING            (4ULL << 10)

/* Channel ids in each kind of PD; microkit.h: 0 .. 61. */
#define TIMER_IRQ_CHANNEL         61u
#define UART_IRQ_CHANNEL          0u
#define UART_CLIENT_CHANNEL       1u
#define CONSOLE_UART_CHANNEL      0u
#define CONSOLE_CLIENT_CHANNEL    1u
#define CONSOLE_TIMER_CHANNEL     61u
#define SWITCH_LOG_CHANNEL        60u
#define SWITCH_TIMER_CHANNEL      61u
#define MONITOR_TIMER_CHANNEL     0u
#define MONITOR_CONSOLE_CHANNEL   1u
#define MONITOR_INTERFACE_CHANNEL 2u
#define MONITOR_DISK_CHANNEL      (MONITOR_INTERFACE_CHANNEL + VMM_MAX_INTERFACES)
#define MONITOR_TURN_CHANNEL      (MONITOR_DISK_CHANNEL + VMM_MAX_DISKS)
#define MONITOR_FORWARD_CHANNEL   (MONITOR_TURN_CHANNEL + 1)
#define MONITOR_SHARED_CHANNEL    (MONITOR_FORWARD_CHANNEL + VMM_MAX_FORWARDS)
#define TURN_TIMER_CHANNEL        61u
#define BLOCK_TIMER_CHANNEL       59u
#define BLOCK_DRIVER_CHANNEL      60u
#define BLOCK_LOG_CHANNEL         61u
#define DISK_IRQ_CHANNEL          0u
#define DISK_CLIENT_CHANNEL       1u
#define DISK_LOG_CHANNEL          2u
#define CARD_IRQ_CHANNEL          0u
#define CARD_SWITCH_CHANNEL       1u
#define CARD_LOG_CHANNEL          2u

_Static_assert(CONSOLE_CLIENT_CHANNEL + CONSOLE_MAX_CLIENTS <= CONSOLE_TIMER_CHANNEL,
               "console's channel ids");
_Static_assert(SWITCH_MAX_PORTS <= SWITCH_LOG_CHANNEL, "a switch's channel ids");
_Static_assert(MONITOR_SHARED_CHANNEL + SHARED_OTHERS_MAX <= 62, "a monitor's channel ids");
_Static_assert(MEMBERS_MAX <= TURN_TIMER_CHANNEL, "the turn's channel ids");
_Static_assert(BLOCK_MAX_CLIENTS <= BLOCK_TIMER_CHANNEL, "block's channel ids");
_Static_assert(SLOT_INTERFACE + VMM_MAX_INTERFACES <= SLOT_DISK, "places on the guest's bus");
_Static_assert(GUEST_VIRTIO_INTID + SLOTS <= GUEST_SHARED_INTID, "interrupts of the guest's bus");
_Static_assert(MEMBERS_MAX + 3 <= CONSOLE_MAX_CLIENTS, "logs of the disk and of the card");
_Static_assert(MEMBERS_MAX + PROGRAMS_ALWAYS + TURNS_MAX <= PROGRAMS_MAX, "programs on one core");
/* Its clients: machines, switches and turns, and console and block besides. */
_Static_assert(PROGRAMS_MAX - PROGRAMS_ALWAYS + 2 <= TIMER_IRQ_CHANNEL, "the timer's channel ids");

static inline uint64_t round_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) / alignment * alignment;
}

/* ---- Building blocks: layout_parts.c ---- */

/* A new memory region, zeroed, anywhere. `purpose` is for people. Strings are kept. */
struct region *add_region(struct layout *layout, const char *name, uint64_t size,
                          uint64_t page_size, const char *purpose);

/* A region at a physical address: a device's registers. */
struct region *add_device(struct layout *layout, const char *name, uint64_t address, uint64_t size,
                          const char *purpose);

/* Map at the PD's next free address, with an unmapped page behind it; returns the address. */
uint64_t map_next(struct pd *pd, const struct region *region, const char *perms, bool cached);

/* A new PD; `kind` is the directory of its sources. */
struct pd *add_pd(struct layout *layout, const char *name, const char *kind, unsigned priority,
                  unsigned core);

/* Make `parent` the PD that handles the faults of `pd`, as its child of that number. */
void set_parent(struct pd *pd, const struct pd *parent, unsigned child_id);

/* Set the processor time that the PD may use. */
void set_budget(struct pd *pd, const struct setting *budget, const struct setting *period);

/* A channel. `calls`: the client makes protected calls to the server. */
void add_channel(struct layout *layout, const struct pd *client, unsigned client_id, bool calls,
                 const struct pd *server, unsigned server_id);

/* A pair of rings (ring_down 0: a single one) and a channel between two PDs. */
struct link add_link(struct layout *layout, const char *name, struct pd *client, unsigned client_id,
                     struct pd *server, unsigned server_id, uint64_t ring_up, uint64_t ring_down);

/* A region for `count` sets of counters of `size` bytes, which `pd` writes. */
struct stats_layout add_stats(struct layout *layout, struct pd *pd, size_t count, size_t size);

/* Let the disk's driver reach a region: the next of the data regions of block/protocol.h. */
void add_data_region(struct layout *layout, const struct region *region);

/* ---- The parts of a layout ---- */

/* The board's memory that the system needs, in bytes. */
uint64_t layout_memory_needed(const struct system *system);

/* The PDs that every system has: layout_services.c. */
void lay_out_services(struct layout *layout);

/* A switch. */
void lay_out_network(struct layout *layout, const struct network *network);

/* The board's disk and its multiplexer, if a machine has a disk. */
void lay_out_disk(struct layout *layout);

/*
 * How many bytes of uncached memory the board's network card wants: for rings that card and driver
 * write at any time, past the caches. 0: none.
 */
uint64_t card_rings_size(const struct board *board);

/* The board's network card, if a switch has an uplink. */
void lay_out_uplink(struct layout *layout);

/* The devices that are handed to a VM, behind its RAM: layout_devices.c. */
void lay_out_clock(struct layout *layout);
void lay_out_devices(struct layout *layout, struct pd *pd, struct vm_layout *place,
                     const struct vm *vm);

/* Memory that machines share; their monitors are there. */
void lay_out_shared(struct layout *layout, const struct shared *shared);

/* One VM and its monitor: layout_vm.c. `gicv` is a GICv2's virtual CPU interface, or
 * NULL. */
void lay_out_vm(struct layout *layout, const struct vm *vm, const struct region *gicv);
