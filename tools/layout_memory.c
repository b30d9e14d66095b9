/* SPDX-License-Identifier: BSD-2-Clause */

/* How much memory a layout needs, on the board and in a guest. */

#include <string.h>
#include "drivers/net/config.h"
#include "layout_parts.h"
#include "lib/stats.h"
#include "lib/vhost.h"

static uint64_t initramfs_size(const struct vm *vm)
{
    return vm->initramfs == NULL ? 0 : vm->initramfs->size;
}

static uint64_t kernel_offset(const struct vm *vm)
{
    return LARGE_PAGE + vm->kernel->text_offset;
}

/* The highest place of `size` bytes below `end` that is beside the kernel. False: there is none. */
static bool place_beside(const struct vm *vm, uint64_t ram, uint64_t end, uint64_t size,
                         const struct guest_places *places, uint64_t *place)
{
    for (unsigned i = 0; i < 2; i++) {
        if (end < ram || end - ram < size) {
            return false;
        }
        *place = end - size;
        if (*place >= places->kernel + vm->kernel->memory_size || end <= places->kernel) {
            return true;
        }
        end = places->kernel & ~(LARGE_PAGE - 1);
    }
    return false;
}

#define FIRMWARE_BSS (1u << 20) /* behind its file, and zero, until it has moved into RAM */

/*
 * A guest's RAM holds, from its start: nothing, an Image, free memory, initramfs, device tree.
 * Another kernel is where it belongs, and initramfs and device tree as high as there is room. A
 * firmware finds its device tree at the beginning.
 */
bool layout_guest(const struct system *system, const struct vm *vm, struct guest_places *places)
{
    uint64_t ram = layout_ram_gpa(system, vm);
    uint64_t end = ram + vm->settings.memory.number;

    if (vm->kernel->is_firmware) {
        places->kernel = GUEST_FLASH;
        places->dtb = ram;
        return true;
    }
    places->kernel = vm->kernel->is_placed ? vm->kernel->address : ram + kernel_offset(vm);
    return place_beside(vm, ram, end, LARGE_PAGE, places, &places->dtb) &&
           place_beside(vm, ram, places->dtb, round_up(initramfs_size(vm), PAGE), places,
                        &places->initramfs);
}

/*
 * What Linux needs until its first process runs. Kernel and initramfs stay where they are, and the
 * files are unpacked beside them. The kernel's own tables, drivers and threads take three quarters
 * of its size: measured with Debian's, with initramfs of 2 to 27 MiB (the least that boots: 50 MiB,
 * 67, 110). Files in a tmpfs may fill half of what is free then. With `root=` they are in a ramfs,
 * which has no such limit. There is a struct page of 64 bytes for each 4 KiB.
 */
static uint64_t linux_memory_needed(const struct vm *vm)
{
    uint64_t kernel = vm->kernel->memory_size;
    uint64_t files =
        vm->initramfs == NULL ? 0 : vm->initramfs->unpacked + vm->initramfs->files * PAGE / 2;
    uint64_t running = files + kernel * 3 / 4;
    uint64_t unpacking = 2 * files + kernel / 8;
    bool is_ramfs = strstr(layout_bootargs(vm), " root=") != NULL;
    uint64_t more = is_ramfs || running > unpacking ? running : unpacking;

    return round_up((kernel + initramfs_size(vm) + more) / 63 * 64, LARGE_PAGE);
}

uint64_t guest_memory_needed(const struct vm *vm)
{
    uint64_t kernel_end = round_up(kernel_offset(vm) + vm->kernel->memory_size, PAGE);
    uint64_t place =
        round_up(kernel_end + round_up(initramfs_size(vm), PAGE), LARGE_PAGE) + LARGE_PAGE;
    uint64_t own = vm->kernel->linux_version == NULL ? 0 : linux_memory_needed(vm);

    return own > place ? own : place;
}

uint64_t layout_ram_gpa(const struct system *system, const struct vm *vm)
{
    uint64_t gpa = system->board.settings.guest_memory_base.number;

    if (!has_bus_master(vm)) {
        return GUEST_RAM;
    }
    for (size_t i = 0; i < vm->index; i++) {
        const struct vm *other = system->vms.items[i];
        gpa += has_bus_master(other) ? other->settings.memory.number : 0;
    }
    return gpa;
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

uint64_t layout_flash_size(const struct vm *vm)
{
    return vm->kernel != NULL && vm->kernel->is_firmware
               ? round_up(vm->kernel->size + FIRMWARE_BSS, LARGE_PAGE)
               : 0;
}

uint64_t layout_overhead(const struct system *system)
{
    uint64_t sum = image_bytes(system);

    for (size_t i = 0; i < system->vms.count; i++) {
        uint64_t flash = layout_flash_size(system->vms.items[i]);
        sum += flash == 0 ? 0 : flash + GUEST_VARS_SIZE;
    }

    for (size_t i = 0; i < system->networks.count; i++) {
        const struct network *network = system->networks.items[i];
        uint64_t rings = 2 * (RING_HEADER_SIZE + network->settings.queue.number);

        sum += round_up(network_port_count(network) * sizeof(struct stats_port), PAGE);
        for (unsigned p = 0; p < network_port_count(network); p++) {
            bool vhost = p < network->port_count && interface_is_vhost(network->ports[p]);
            sum += vhost ? VHOST_PAGE_SIZE : rings;
            if (p < network->port_count &&
                network->ports[p]->settings.of_rate.receive.number != 0) {
                sum += rings / 2;
            }
        }
    }
    if (system->uplink.network != NULL) {
        sum += NET_DRIVER_DMA_SIZE + card_rings_size(&system->board);
    }
    sum += system->disk.slice_count *
           (2ull * RING_HEADER_SIZE + BLOCK_REQUEST_RING + BLOCK_REPLY_RING);
    sum += round_up(system->disk.slice_count * sizeof(struct stats_disk), PAGE);
    sum += system->vms.count *
           (2ull * RING_HEADER_SIZE + CONSOLE_OUTPUT_RING + CONSOLE_INPUT_RING + 4 * PAGE);
    for (size_t i = 0; i < system->shared.count; i++) {
        const struct shared *shared = system->shared.items[i];
        sum += shared->settings.size.number + shared->machine_count * PAGE;
    }
    return sum;
}

/* The boot image, with the guests' images in it, has a fixed place. All else lies around it. */
uint64_t layout_memory_needed(const struct system *system)
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
