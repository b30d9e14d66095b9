/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A board: its memory, and the devices and interrupts that the kernel keeps for itself. */

#include <stdbool.h>
#include <stdint.h>
#include "sdk/kernel/system.h"

struct board {
    uint64_t load_address; /* physical; where the kernel, and with it the image, begins */
    uint64_t ram_base;     /* physical address */
    uint64_t ram_size;     /* bytes; what the system may use at most */
    unsigned irq_count;    /* INTIDs of the interrupt controller */
    bool in_qemu;
    struct system_board kernel; /* the rest, as the kernel has it */
};

/* The board of a kernel that is linked for `load_address`, as it describes it. */
struct board *board_of(const struct system_board *description, uint64_t load_address);

/* The first address beyond its RAM. */
static inline uint64_t board_ram_end(const struct board *board)
{
    return board->ram_base + board->ram_size;
}

/* Whether the kernel keeps this interrupt for itself. */
bool board_keeps_irq(const struct board *board, uint64_t irq);

/* The device of the kernel's that a physical range touches, or NULL. The range must not wrap. */
const struct system_device *board_kept(const struct board *board, uint64_t base, uint64_t size);
