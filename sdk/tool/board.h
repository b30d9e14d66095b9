/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A board: its memory, and the devices and interrupts that the kernel keeps for itself. */

#include <stdbool.h>
#include <stdint.h>

struct board_range {
    const char *name;
    uint64_t base; /* physical */
    uint64_t size; /* bytes */
};

struct board {
    const char *name;
    uint64_t ram_base;              /* physical address */
    uint64_t ram_size;              /* bytes; what the system may use at most */
    unsigned irq_count;             /* INTIDs of the interrupt controller */
    const struct board_range *kept; /* devices that only the kernel touches; ends with size 0 */
    const unsigned *kept_irqs;      /* INTIDs that only the kernel handles; ends with 0 */
    const char *qemu;               /* QEMU's machine, or NULL */
};

/* The board of that name, or NULL. */
const struct board *board_find(const char *name);

/* The first address beyond its RAM. */
static inline uint64_t board_ram_end(const struct board *board)
{
    return board->ram_base + board->ram_size;
}

/* Whether the kernel keeps this interrupt for itself. */
bool board_keeps_irq(const struct board *board, uint64_t irq);

/* The device of the kernel's that a physical range touches, or NULL. The range must not wrap. */
const struct board_range *board_kept(const struct board *board, uint64_t base, uint64_t size);
