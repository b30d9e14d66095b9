/* SPDX-License-Identifier: BSD-2-Clause */
#include "board.h"

#include <stddef.h>
#include "tools/memory.h"

struct board *board_of(const struct system_board *description, uint64_t load_address)
{
    struct board *board = memory_new(sizeof(*board));

    *board = (struct board){
        .load_address = load_address,
        .ram_base = description->memory_base,
        .ram_size = description->memory_size,
        .irq_count = description->interrupts,
        .in_qemu = description->in_qemu != 0,
        .kernel = *description,
    };
    for (size_t i = 0; i < SYSTEM_MAX_DEVICES; i++) {
        char *name = board->kernel.devices[i].name;
        name[sizeof(board->kernel.devices[i].name) - 1] = '\0';
    }
    return board;
}

bool board_keeps_irq(const struct board *board, uint64_t irq)
{
    for (size_t i = 0; i < SYSTEM_MAX_KEPT_INTERRUPTS; i++) {
        if (irq != 0 && board->kernel.kept_interrupts[i] == irq) {
            return true;
        }
    }
    return false;
}

const struct system_device *board_kept(const struct board *board, uint64_t base, uint64_t size)
{
    for (size_t i = 0; i < SYSTEM_MAX_DEVICES; i++) {
        const struct system_device *device = &board->kernel.devices[i];
        if (device->size != 0 && base < device->base + device->size && device->base < base + size) {
            return device;
        }
    }
    return NULL;
}
