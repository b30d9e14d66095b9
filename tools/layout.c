/* SPDX-License-Identifier: BSD-2-Clause */
#include "layout.h"

#include <inttypes.h>
#include <string.h>
#include "block/protocol.h"
#include "drivers/block/config.h"
#include "drivers/net/config.h"
#include "drivers/timer/config.h"
#include "drivers/uart/config.h"
#include "emit.h"
#include "lib/ring.h"
#include "lib/vhost.h"

#define PAGE       0x1000ULL
#define LARGE_PAGE (2 * MIB)

/* In a PD; guest RAM and images are far from the rest, so that addresses tell what they are. */
#define PD_RINGS  0x10000000ULL
#define PD_IMAGES 0x200000000ULL
#define PD_RAM    0x400000000ULL

#define PRIORITY_TIMER   250u
#define PRIORITY_UART    240u
#define PRIORITY_DISK    230u
#define PRIORITY_CARD    220u
#define PRIORITY_SWITCH  150u
#define PRIORITY_BLOCK   140u
#define PRIORITY_CONSOLE 120u
#define PRIORITY_MONITOR 100u

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
#define MONITOR_TIMER_CHANNEL     0u
#define MONITOR_CONSOLE_CHANNEL   1u
#define MONITOR_INTERFACE_CHANNEL 2u
#define MONITOR_DISK_CHANNEL      (MONITOR_INTERFACE_CHANNEL + VMM_MAX_INTERFACES)
#define MONITOR_TURN_CHANNEL      (MONITOR_DISK_CHANNEL + VMM_MAX_DISKS)
#define TURN_TIMER_CHANNEL        61u
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
_Static_assert(MONITOR_TURN_CHANNEL < 62, "a monitor's channel ids");
_Static_assert(MEMBERS_MAX <= TURN_TIMER_CHANNEL, "the turn's channel ids");
_Static_assert(BLOCK_MAX_CLIENTS <= BLOCK_DRIVER_CHANNEL, "block's channel ids");
_Static_assert(SLOT_INTERFACE + VMM_MAX_INTERFACES <= SLOT_DISK, "places on the guest's bus");
_Static_assert(MEMBERS_MAX + 3 <= CONSOLE_MAX_CLIENTS, "logs of the disk and of the card");
_Static_assert(MEMBERS_MAX + 1 + TURNS_MAX <= TIMER_IRQ_CHANNEL, "the timer's channel ids");

static uint64_t round_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) / alignment * alignment;
}

/* The guest's memory, from below: nothing, kernel, free, initramfs, device tree. */

static uint64_t kernel_offset(const struct vm *vm)
{
    return LARGE_PAGE + vm->kernel->text_offset;
}

static uint64_t initramfs_size(const struct vm *vm)
{
    return vm->initramfs == NULL ? 0 : vm->initramfs->size;
}

uint64_t guest_memory_needed(const struct vm *vm)
{
    uint64_t kernel_end = round_up(kernel_offset(vm) + vm->kernel->memory_size, PAGE);

    return round_up(kernel_end + round_up(initramfs_size(vm), PAGE), LARGE_PAGE) + LARGE_PAGE;
}

/* Sums. */

size_t layout_equals(const struct system *system, uint64_t priority)
{
    size_t count = 0;

    for (size_t i = 0; i < system->vms.count; i++) {
        count += system->vms.items[i]->settings.priority.number == priority;
    }
    return count;
}

static uint64_t image_copies(const struct system *system, const struct image *image)
{
    uint64_t users = 0;

    for (size_t i = 0; i < system->vms.count; i++) {
        const struct vm *vm = system->vms.items[i];
        users += (vm->kernel == image) + (vm->initramfs == image);
    }
    return system->options->prefill && users > 1 ? 1 : users;
}

static uint64_t image_bytes(const struct system *system)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < system->images.count; i++) {
        const struct image *image = system->images.items[i];
        sum += image_copies(system, image) * round_up(image->size, LARGE_PAGE);
    }
    return sum;
}

uint64_t layout_overhead(const struct system *system)
{
    uint64_t sum = image_bytes(system);

    for (size_t i = 0; i < system->networks.count; i++) {
        const struct network *network = system->networks.items[i];
        uint64_t rings = 2 * (RING_HEADER_SIZE + network->settings.queue.number);

        for (unsigned p = 0; p < network_port_count(network); p++) {
            bool vhost = p < network->port_count && interface_is_vhost(network->ports[p]);
            sum += vhost ? VHOST_PAGE_SIZE : rings;
        }
    }
    sum += system->uplink.network == NULL ? 0 : NET_DRIVER_DMA_SIZE;
    sum +=
        system->disk.slice_count * (2 * RING_HEADER_SIZE + BLOCK_REQUEST_RING + BLOCK_REPLY_RING);
    sum += system->vms.count *
           (2 * RING_HEADER_SIZE + CONSOLE_OUTPUT_RING + CONSOLE_INPUT_RING + PAGE);
    return sum;
}

/* The boot image, with the images in it, has its place; all else fits around it. */
static uint64_t memory_needed(const struct system *system)
{
    const struct board_settings *board = &system->board.settings;
    uint64_t reserved = board->memory_reserved.number;
    uint64_t sum = reserved + layout_overhead(system);
    uint64_t image_end =
        board->image_address.number - board->memory_base.number + reserved + image_bytes(system);

    for (size_t i = 0; i < system->vms.count; i++) {
        sum += system->vms.items[i]->settings.memory.number;
    }
    return round_up(sum > image_end ? sum : image_end, LARGE_PAGE);
}

const char *layout_mebibytes(uint64_t bytes)
{
    return value_format(VALUE_SIZE, round_up(bytes, MIB));
}

const char *layout_bootargs(const struct vm *vm)
{
    const struct vm_settings *settings = &vm->settings;
    const char *arguments =
        settings->console.number
            ? memory_format("console=hvc0 quiet earlycon=pl011,0x%llx cma=0", GUEST_PL011)
            : "quiet cma=0";

    arguments = memory_format("%s braid.hostname=%s", arguments, settings->hostname.text);
    for (unsigned i = 0; i < vm->interface_count; i++) {
        const struct interface_settings *interface = &vm->interfaces[i].settings;
        if (interface->ip.line != 0) {
            arguments = memory_format("%s braid.net%u=%s", arguments, i,
                                      value_format(VALUE_IPV4_NET, interface->ip.number));
        }
        if (vm->interfaces[i].lease != 0) {
            arguments = memory_format("%s,%s", arguments,
                                      value_format(VALUE_IPV4, vm->interfaces[i].lease));
        }
        if (interface->gateway.line != 0) {
            arguments = memory_format("%s braid.gw%u=%s", arguments, i,
                                      value_format(VALUE_IPV4, interface->gateway.number));
        }
    }
    if (settings->router.number) {
        arguments = memory_format("%s sysctl.net.ipv4.ip_forward=1", arguments);
    }
    return settings->cmdline.text[0] == '\0'
               ? arguments
               : memory_format("%s %s", arguments, settings->cmdline.text);
}

/* Building blocks. */

static struct region *add_region(struct layout *layout, const char *name, uint64_t size,
                                 uint64_t page_size, const char *purpose)
{
    struct region *region = memory_new(sizeof(*region));

    *region =
        (struct region){.name = name, .size = size, .page_size = page_size, .purpose = purpose};
    *list_add(&layout->regions) = region;
    return region;
}

static struct region *add_device(struct layout *layout, const char *name, uint64_t address,
                                 uint64_t size, const char *purpose)
{
    struct region *region = add_region(layout, name, size, PAGE, purpose);

    region->fixed = true;
    region->address = address;
    return region;
}

/* Map at the PD's next free address, with an unmapped page behind it; returns the address. */
static uint64_t map_next(struct pd *pd, const struct region *region, const char *perms, bool cached)
{
    uint64_t vaddr = pd->next_vaddr;

    *list_add(&pd->maps) =
        (struct map){.region = region, .vaddr = vaddr, .perms = perms, .cached = cached};
    pd->next_vaddr = round_up(vaddr + region->size, PAGE) + PAGE;
    return vaddr;
}

static struct pd *add_pd(struct layout *layout, const char *name, const char *kind,
                         unsigned priority)
{
    struct pd *pd = memory_new(sizeof(*pd));

    pd->name = name;
    pd->kind = kind;
    pd->priority = priority;
    pd->stack_size = STACK_SIZE;
    pd->next_vaddr = PD_RINGS;
    pd->next_ram = PD_RAM;
    *list_add(&layout->pds) = pd;
    return pd;
}

/* What the PD may use of the processor. */
static void limit(struct pd *pd, const struct setting *budget, const struct setting *period)
{
    pd->budget = budget->number;
    pd->period = period->number;
}

static void add_channel(struct layout *layout, const struct pd *client, unsigned client_id,
                        bool calls, const struct pd *server, unsigned server_id)
{
    *list_add(&layout->channels) = (struct channel){
        .ends = {{.pd = client, .id = client_id, .calls = calls}, {.pd = server, .id = server_id}}};
}

/* A pair of rings (ring_down 0: a single one) and a channel between two PDs. */
static struct link add_link(struct layout *layout, const char *name, struct pd *client,
                            unsigned client_id, struct pd *server, unsigned server_id,
                            uint64_t ring_up, uint64_t ring_down)
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

/* The PDs that every system has. */

static void lay_out_services(struct layout *layout)
{
    const struct board *board = &layout->system->board;
    const char *timer_kind = memory_format("drivers/%s", board->timer.driver.text);
    const char *uart_kind = memory_format("drivers/%s", board->uart.driver.text);

    layout->timer = add_pd(layout, "timer", timer_kind, PRIORITY_TIMER);
    layout->uart = add_pd(layout, "uart", uart_kind, PRIORITY_UART);
    layout->console = add_pd(layout, "console", "console", PRIORITY_CONSOLE);
    limit(layout->console, &layout->system->console.budget, &layout->system->console.period);

    *list_add(&layout->timer->irqs) =
        (struct irq){.irq = (unsigned)board->timer.interrupt.number, .channel = TIMER_IRQ_CHANNEL};
    *list_add(&layout->uart->irqs) =
        (struct irq){.irq = (unsigned)board->uart.interrupt.number, .channel = UART_IRQ_CHANNEL};
    const struct region *registers =
        add_device(layout, "uart_registers", board->uart.address.number, PAGE, "UART registers");
    layout->uart_registers = map_next(layout->uart, registers, "rw", false);
    layout->uart_link = add_link(layout, "uart", layout->console, CONSOLE_UART_CHANNEL,
                                 layout->uart, UART_CLIENT_CHANNEL, UART_RING, UART_RING);
}

static void lay_out_network(struct layout *layout, const struct network *network)
{
    if (network->port_count == 0) {
        return;
    }
    struct pd *pd =
        add_pd(layout, memory_format("switch_%s", network->name), "switch", PRIORITY_SWITCH);
    unsigned client = (unsigned)(layout->system->vms.count + network->index);

    pd->network = network;
    limit(pd, &network->settings.budget, &network->settings.period);
    layout->switches[network->index] = pd;
    layout->log_links[network->index] =
        add_link(layout, memory_format("%s_log", network->name), pd, SWITCH_LOG_CHANNEL,
                 layout->console, CONSOLE_CLIENT_CHANNEL + client, LOG_RING, 0);
}

/* The board's disk and its multiplexer. */

static void add_data_region(struct layout *layout, const struct region *region)
{
    struct disk_layout *disk = &layout->disk;
    const char *symbol = memory_format("data_paddr_%zu", disk->data_regions.count);

    *list_add(&disk->data_regions) = region;
    *list_add(&disk->driver->setvars) = (struct setvar){.symbol = symbol, .region = region};
}

static void lay_out_disk_driver(struct layout *layout, unsigned client)
{
    struct disk_layout *disk = &layout->disk;
    const struct board_disk_settings *board = &layout->system->board.disk;
    uint64_t page = board->address.number / PAGE * PAGE;

    disk->driver = add_pd(layout, "block_driver", memory_format("drivers/%s", board->driver.text),
                          PRIORITY_DISK);
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

static void lay_out_disk(struct layout *layout)
{
    struct disk_layout *disk = &layout->disk;
    unsigned client = (unsigned)(layout->system->vms.count + layout->system->networks.count);

    if (layout->system->disk.slice_count == 0) {
        return;
    }
    lay_out_disk_driver(layout, client);
    disk->block = add_pd(layout, "block", "block", PRIORITY_BLOCK);
    limit(disk->block, &layout->system->disk.settings.budget,
          &layout->system->disk.settings.period);
    disk->link = add_link(layout, "disk", disk->block, BLOCK_DRIVER_CHANNEL, disk->driver,
                          DISK_CLIENT_CHANNEL, BLOCK_REQUEST_RING, BLOCK_REPLY_RING);
    disk->block_log = add_link(layout, "block_log", disk->block, BLOCK_LOG_CHANNEL, layout->console,
                               CONSOLE_CLIENT_CHANNEL + client + 1, LOG_RING, 0);
    const struct region *buffer =
        add_region(layout, "block_buffer", BLOCK_BUFFER_SIZE, PAGE, "disk data");
    disk->buffer = map_next(disk->block, buffer, "rw", true);
    add_data_region(layout, buffer);
}

/* The board's network card. */

static void lay_out_uplink(struct layout *layout)
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
    struct pd *pd = add_pd(layout, "net_driver", memory_format("drivers/%s", board->driver.text),
                           PRIORITY_CARD);
    place->driver = pd;
    limit(pd, &uplink->settings.budget, &uplink->settings.period);
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
    place->link = add_link(layout, "uplink", pd, CARD_SWITCH_CHANNEL,
                           layout->switches[uplink->network->index], uplink->port, ring, ring);
    place->log = add_link(layout, "card_log", pd, CARD_LOG_CHANNEL, layout->console,
                          CONSOLE_CLIENT_CHANNEL + client, LOG_RING, 0);
}

/* One VM and its monitor. */

static void map_guest(struct vm_layout *vm, const struct region *region, uint64_t gpa,
                      const char *perms, bool cached)
{
    *list_add(&vm->maps) =
        (struct map){.region = region, .vaddr = gpa, .perms = perms, .cached = cached};
}

/* Place a piece of guest RAM in the memory that is there for it, while there is some. */
static void place_ram(struct layout *layout, struct region *piece)
{
    const struct board_settings *board = &layout->system->board.settings;

    if (board->guest_memory.number - layout->guest_memory_used < piece->size) {
        return;
    }
    piece->fixed = true;
    piece->address = board->guest_memory_base.number + layout->guest_memory_used;
    layout->guest_memory_used += piece->size;
}

/* RAM is asked for in pieces, because a Microkit tool finds room for small ones only. */
static void lay_out_ram(struct layout *layout, struct pd *pd, struct vm_layout *place,
                        const struct vm *vm)
{
    uint64_t size = vm->settings.memory.number;
    uint64_t piece_max = layout->system->board.settings.region_max.number;

    place->ram = PD_RAM;
    place->first_data_region = layout->disk.data_regions.count;
    for (uint64_t offset = 0, i = 0; offset < size; offset += piece_max, i++) {
        uint64_t piece = size - offset < piece_max ? size - offset : piece_max;
        struct region *region = add_region(layout, memory_format("%s_ram%u", vm->name, (unsigned)i),
                                           piece, LARGE_PAGE, "guest RAM");
        place_ram(layout, region);
        *list_add(&pd->maps) =
            (struct map){.region = region, .vaddr = PD_RAM + offset, .perms = "rw", .cached = true};
        map_guest(place, region, GUEST_RAM + offset, "rwx", true);
        if (vm->slice_count != 0) {
            add_data_region(layout, region);
            place->data_region_count++;
        }
    }
}

/* The one region that holds an image, for all monitors. */
static const struct region *image_region(struct layout *layout, const struct image *image)
{
    for (size_t i = 0; i < layout->regions.count; i++) {
        if (layout->regions.items[i]->prefill == image) {
            return layout->regions.items[i];
        }
    }
    unsigned index = 0;
    while (layout->system->images.items[index] != image) {
        index++;
    }
    uint64_t page = image->size >= LARGE_PAGE ? LARGE_PAGE : PAGE;
    struct region *region =
        add_region(layout, memory_format("%s%u", image->is_kernel ? "kernel" : "initramfs", index),
                   round_up(image->size, page), page, image->is_kernel ? "kernel" : "initramfs");
    region->prefill = image;
    return region;
}

static void lay_out_image(struct layout *layout, struct pd *pd, struct guest_image *place,
                          const struct image *image, uint64_t *vaddr)
{
    place->image = image;
    if (image == NULL || !layout->system->options->prefill) {
        return;
    }
    const struct region *region = image_region(layout, image);
    place->vaddr = *vaddr;
    *list_add(&pd->maps) =
        (struct map){.region = region, .vaddr = *vaddr, .perms = "r", .cached = true};
    *vaddr = round_up(*vaddr + region->size, LARGE_PAGE) + LARGE_PAGE;
}

static void lay_out_images(struct layout *layout, struct pd *pd, struct vm_layout *place,
                           const struct vm *vm)
{
    uint64_t vaddr = PD_IMAGES;
    uint64_t ram_end = GUEST_RAM + vm->settings.memory.number;

    lay_out_image(layout, pd, &place->kernel, vm->kernel, &vaddr);
    lay_out_image(layout, pd, &place->initramfs, vm->initramfs, &vaddr);
    place->kernel.gpa = GUEST_RAM + kernel_offset(vm);
    place->dtb_gpa = ram_end - LARGE_PAGE;
    place->initramfs.gpa = place->dtb_gpa - round_up(initramfs_size(vm), PAGE);
}

/* A page of registers that the monitor writes and the guest reads. */
static struct device lay_out_device(struct layout *layout, struct pd *pd, struct vm_layout *place,
                                    const char *name, unsigned slot)
{
    const struct region *region = add_region(layout, name, PAGE, PAGE, "virtio registers");
    struct device device = {.gpa = GUEST_VIRTIO + slot * GUEST_VIRTIO_STRIDE,
                            .intid = GUEST_VIRTIO_INTID + slot};

    device.registers = map_next(pd, region, "rw", false);
    map_guest(place, region, device.gpa, "r", false);
    return device;
}

/* Let a switch see all of a machine's RAM, once, as the machine does; returns where. */
static uint64_t map_ram(struct pd *pd, const struct vm_layout *vm)
{
    uint64_t vaddr = pd->next_ram;

    for (size_t i = 0; i < pd->maps.count; i++) {
        for (size_t k = 0; k < vm->maps.count; k++) {
            const struct map *map = &vm->maps.items[k];
            if (map->vaddr == GUEST_RAM && map->region == pd->maps.items[i].region) {
                return pd->maps.items[i].vaddr;
            }
        }
    }
    for (size_t i = 0; i < vm->maps.count; i++) {
        const struct map *map = &vm->maps.items[i];
        if (map->vaddr >= GUEST_RAM) {
            *list_add(&pd->maps) = (struct map){.region = map->region,
                                                .vaddr = vaddr + (map->vaddr - GUEST_RAM),
                                                .perms = "rw",
                                                .cached = true};
            pd->next_ram = vaddr + (map->vaddr - GUEST_RAM) + map->region->size;
        }
    }
    pd->next_ram = round_up(pd->next_ram, LARGE_PAGE) + LARGE_PAGE;
    return vaddr;
}

/* A page in place of rings, and calls besides notifications: lib/vhost.h. */
static void lay_out_vhost(struct layout *layout, const char *name, struct pd *pd,
                          struct vm_layout *place, const struct interface *interface)
{
    struct pd *server = layout->switches[interface->network->index];
    const struct region *page =
        add_region(layout, memory_format("%s_vhost", name), VHOST_PAGE_SIZE, PAGE, "vhost page");

    place->interfaces[interface->index] =
        (struct link){.client_channel = MONITOR_INTERFACE_CHANNEL + interface->index,
                      .server_channel = interface->port,
                      .client_up = map_next(pd, page, "rw", true),
                      .server_up = map_next(server, page, "rw", true)};
    place->switch_ram[interface->index] = map_ram(server, place);
    add_channel(layout, pd, MONITOR_INTERFACE_CHANNEL + interface->index, true, server,
                interface->port);
}

static void lay_out_interface(struct layout *layout, struct pd *pd, struct vm_layout *place,
                              const struct interface *interface)
{
    const char *name = memory_format("%s_net%u", interface->vm->name, interface->index);
    uint64_t ring = interface->network->settings.queue.number;

    if (interface_is_vhost(interface)) {
        lay_out_vhost(layout, name, pd, place, interface);
    } else {
        place->interfaces[interface->index] =
            add_link(layout, name, pd, MONITOR_INTERFACE_CHANNEL + interface->index,
                     layout->switches[interface->network->index], interface->port, ring, ring);
    }
    place->interface_devices[interface->index] = lay_out_device(
        layout, pd, place, memory_format("%s_registers", name), SLOT_INTERFACE + interface->index);
}

/* `number` counts the disks of all machines. */
static void lay_out_slice(struct layout *layout, struct pd *pd, struct vm_layout *place,
                          const struct slice *slice, unsigned number)
{
    const char *name = memory_format("%s_disk%u", slice->vm->name, slice->index);

    place->slices[slice->index] =
        add_link(layout, name, pd, MONITOR_DISK_CHANNEL + slice->index, layout->disk.block, number,
                 BLOCK_REQUEST_RING, BLOCK_REPLY_RING);
    place->slice_devices[slice->index] = lay_out_device(
        layout, pd, place, memory_format("%s_registers", name), SLOT_DISK + slice->index);
}

static void lay_out_vm(struct layout *layout, const struct vm *vm, const struct region *gicv)
{
    struct vm_layout *place = &layout->vms[vm->index];
    struct pd *pd = add_pd(layout, memory_format("vmm_%s", vm->name), "vmm", PRIORITY_MONITOR);

    pd->vm = vm;
    limit(pd, &vm->settings.of_monitor.budget, &vm->settings.of_monitor.period);
    layout->monitors[vm->index] = pd;
    lay_out_ram(layout, pd, place, vm);
    lay_out_images(layout, pd, place, vm);
    map_guest(place, gicv, GUEST_GICC, "rw", false);
    const struct region *reset =
        add_region(layout, memory_format("%s_reset", vm->name), PAGE, PAGE, "reset program");
    place->reset = map_next(pd, reset, "rw", true);
    map_guest(place, reset, GUEST_RESET, "rx", true);
    add_channel(layout, pd, MONITOR_TIMER_CHANNEL, true, layout->timer, vm->index);
    place->timer_channel = MONITOR_TIMER_CHANNEL;

    place->console =
        add_link(layout, memory_format("%s_console", vm->name), pd, MONITOR_CONSOLE_CHANNEL,
                 layout->console, CONSOLE_CLIENT_CHANNEL + vm->index, CONSOLE_OUTPUT_RING,
                 vm->settings.console.number ? CONSOLE_INPUT_RING : 0);
    if (vm->settings.console.number) {
        place->console_device = lay_out_device(
            layout, pd, place, memory_format("%s_console_registers", vm->name), SLOT_CONSOLE);
    }
    for (unsigned i = 0; i < vm->interface_count; i++) {
        lay_out_interface(layout, pd, place, &vm->interfaces[i]);
    }
    for (unsigned i = 0; i < vm->slice_count; i++) {
        lay_out_slice(layout, pd, place, &vm->slices[i], layout->disk_client_count++);
    }
    emit_dtb(layout, vm, &place->dtb);
}

/* Among the machines of one priority, if it is shared, somebody passes turns on: turn/turn.c. */
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
    layout->memory_needed = memory_needed(system);
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
