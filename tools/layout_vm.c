/* SPDX-License-Identifier: BSD-2-Clause */

/* One VM and its monitor: RAM, images, devices. */

#include "layout_parts.h"
#include "lib/stats.h"
#include "lib/vhost.h"

static void map_guest(struct vm_layout *vm, const struct region *region, uint64_t gpa,
                      const char *perms, bool cached)
{
    *list_add(&vm->maps) =
        (struct map){.region = region, .vaddr = gpa, .perms = perms, .cached = cached};
}

/* Put a piece of guest RAM into the board's guest_memory, while there is room in it. */
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

/* RAM is several regions, because Microkit's tool finds room for small ones only. */
static void lay_out_ram(struct layout *layout, struct pd *pd, struct vm_layout *place,
                        const struct vm *vm)
{
    uint64_t size = vm->settings.memory.number;
    uint64_t piece_max = layout->system->board.settings.region_max.number;

    place->ram = PD_RAM;
    place->ram_gpa = layout_ram_gpa(layout->system, vm);
    place->first_data_region = layout->disk.data_regions.count;
    for (uint64_t offset = 0, i = 0; offset < size; offset += piece_max, i++) {
        uint64_t piece = size - offset < piece_max ? size - offset : piece_max;
        struct region *region = add_region(layout, memory_format("%s_ram%u", vm->name, (unsigned)i),
                                           piece, LARGE_PAGE, "guest RAM");
        if (has_bus_master(vm)) {
            region->fixed = true;
            region->address = place->ram_gpa + offset;
        } else {
            place_ram(layout, region);
        }
        *list_add(&pd->maps) =
            (struct map){.region = region, .vaddr = PD_RAM + offset, .perms = "rw", .cached = true};
        map_guest(place, region, place->ram_gpa + offset, "rwx", true);
        place->ram_map_count++;
        if (vm->slice_count != 0) {
            add_data_region(layout, region);
            place->data_region_count++;
        }
    }
}

/* The region that holds an image, one for all monitors. */
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

/* The monitor puts a firmware there: a machine's own, so that it may hold what is in no image. */
static void lay_out_flash(struct layout *layout, struct pd *pd, struct vm_layout *place,
                          const struct vm *vm)
{
    place->flash_size = layout_flash_size(vm);
    const struct region *flash = add_region(layout, memory_format("%s_flash", vm->name),
                                            place->flash_size, PAGE, "firmware");
    place->flash = map_next(pd, flash, "rw", true);
    map_guest(place, flash, GUEST_FLASH, "rx", true);

    const struct region *variables = add_region(layout, memory_format("%s_variables", vm->name),
                                                GUEST_VARS_SIZE, PAGE, "firmware's variables");
    map_guest(place, variables, GUEST_VARS, "r", true);
}

static void lay_out_images(struct layout *layout, struct pd *pd, struct vm_layout *place,
                           const struct vm *vm)
{
    uint64_t vaddr = PD_IMAGES;
    struct guest_places places = {0};

    lay_out_image(layout, pd, &place->kernel, vm->kernel, &vaddr);
    lay_out_image(layout, pd, &place->initramfs, vm->initramfs, &vaddr);
    layout_guest(layout->system, vm, &places); /* check.c has seen that there is room */
    if (vm->kernel->is_firmware) {
        lay_out_flash(layout, pd, place, vm);
    }
    place->kernel.gpa = places.kernel;
    place->dtb_gpa = places.dtb;
    place->initramfs.gpa = places.initramfs;
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

/* Map all of a machine's RAM into a switch, once, in the machine's order. Returns where it is. */
static uint64_t map_ram(struct pd *pd, const struct vm_layout *vm)
{
    uint64_t vaddr = pd->next_ram;

    for (size_t i = 0; i < pd->maps.count; i++) {
        if (pd->maps.items[i].region == vm->maps.items[0].region) {
            return pd->maps.items[i].vaddr;
        }
    }
    for (size_t i = 0; i < vm->ram_map_count; i++) {
        const struct map *map = &vm->maps.items[i];
        *list_add(&pd->maps) = (struct map){.region = map->region,
                                            .vaddr = vaddr + (map->vaddr - vm->ram_gpa),
                                            .perms = "rw",
                                            .cached = true};
        pd->next_ram = vaddr + (map->vaddr - vm->ram_gpa) + map->region->size;
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
    if (interface->settings.of_rate.receive.number != 0) {
        const struct region *waiting = add_region(layout, memory_format("%s_waiting", name),
                                                  RING_HEADER_SIZE + ring, PAGE, "limit's queue");
        place->waiting[interface->index] =
            map_next(layout->switches[interface->network->index], waiting, "rw", true);
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

/* A monitor in another domain than the timer's driver does not call it: it would wait for its turn.
 */
static void lay_out_timer(struct layout *layout, struct pd *pd, struct vm_layout *place,
                          const struct vm *vm)
{
    bool calls = vm->domain == DOMAIN_SERVICES;

    add_channel(layout, pd, MONITOR_TIMER_CHANNEL, calls, layout->timer, vm->index);
    place->timer_channel = MONITOR_TIMER_CHANNEL;
    if (!calls) {
        const struct region *word =
            add_region(layout, memory_format("%s_deadline", vm->name), PAGE, PAGE, "deadline");
        place->timer_word = map_next(pd, word, "rw", true);
        place->driver_timer_word = map_next(layout->timer, word, "r", true);
    }
}

void lay_out_vm(struct layout *layout, const struct vm *vm, const struct region *gicv)
{
    struct vm_layout *place = &layout->vms[vm->index];
    struct pd *pd = add_pd(layout, memory_format("vmm_%s", vm->name), "vmm", monitor_priority(vm),
                           monitor_core(vm));

    pd->vm = vm;
    pd->domain = vm->domain;
    set_budget(pd, &vm->settings.of_monitor.budget, &vm->settings.of_monitor.period);
    layout->monitors[vm->index] = pd;
    lay_out_ram(layout, pd, place, vm);
    lay_out_images(layout, pd, place, vm);
    if (gicv != NULL) {
        map_guest(place, gicv, GUEST_GICC, "rw", false);
    }
    const struct region *reset =
        add_region(layout, memory_format("%s_reset", vm->name), PAGE, PAGE, "reset program");
    place->reset = map_next(pd, reset, "rw", true);
    map_guest(place, reset, GUEST_RESET, "rx", true);
    lay_out_timer(layout, pd, place, vm);

    place->stats = add_stats(layout, pd, 1, sizeof(struct stats_machine));
    if (layout->clock != NULL && layout_has_clock(vm)) {
        place->clock = map_next(pd, layout->clock, "r", false);
    }
    place->console =
        add_link(layout, memory_format("%s_console", vm->name), pd, MONITOR_CONSOLE_CHANNEL,
                 layout->console, CONSOLE_CLIENT_CHANNEL + vm->index, CONSOLE_OUTPUT_RING,
                 vm->settings.console.number ? CONSOLE_INPUT_RING : 0);
    if (vm->settings.console.number) {
        place->console_device = lay_out_device(
            layout, pd, place, memory_format("%s_console_registers", vm->name), SLOT_CONSOLE);
    }
    lay_out_devices(layout, pd, place, vm);
    for (unsigned i = 0; i < vm->interface_count; i++) {
        lay_out_interface(layout, pd, place, &vm->interfaces[i]);
    }
    for (unsigned i = 0; i < vm->slice_count; i++) {
        lay_out_slice(layout, pd, place, &vm->slices[i], layout->disk_client_count++);
    }
    place->rng =
        lay_out_device(layout, pd, place, memory_format("%s_rng_registers", vm->name), SLOT_RNG);
    if (vm->settings.power_button.number) {
        place->button = lay_out_device(layout, pd, place,
                                       memory_format("%s_button_registers", vm->name), SLOT_BUTTON);
    }
}
