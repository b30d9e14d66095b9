/* SPDX-License-Identifier: BSD-2-Clause */
#include "board.h"

#include <stddef.h>
#include <string.h>

/* QEMU's "virt" machine with a GICv2. The virtual CPU interface (GICV, 0x0804_0000) is for virtual
 * machines. */
static const struct board_range qemu_virt_kept[] = {
    {"the interrupt distributor (GICD)", 0x08000000, 0x10000},
    {"the CPU interface of the interrupt controller (GICC)", 0x08010000, 0x2000},
    {"the hypervisor's view of the interrupt controller (GICH)", 0x08030000, 0x10000},
    {NULL, 0, 0},
};

/* PPIs: maintenance of the virtual interface, hypervisor timer, virtual timer. */
static const unsigned qemu_virt_kept_irqs[] = {25, 26, 27, 0};

static const struct board boards[] = {
    {
        .name = "qemu_virt_aarch64",
        .ram_base = 0x40000000,
        .ram_size = 0x80000000,
        .irq_count = 288,
        .kept = qemu_virt_kept,
        .kept_irqs = qemu_virt_kept_irqs,
        .qemu = "virt",
    },
};

const struct board *board_find(const char *name)
{
    for (size_t i = 0; i < sizeof(boards) / sizeof(boards[0]); i++) {
        if (strcmp(boards[i].name, name) == 0) {
            return &boards[i];
        }
    }
    return NULL;
}

bool board_keeps_irq(const struct board *board, uint64_t irq)
{
    for (const unsigned *kept = board->kept_irqs; *kept; kept++) {
        if (*kept == irq) {
            return true;
        }
    }
    return false;
}

const struct board_range *board_kept(const struct board *board, uint64_t base, uint64_t size)
{
    for (const struct board_range *range = board->kept; range->size; range++) {
        if (base < range->base + range->size && range->base < base + size) {
            return range;
        }
    }
    return NULL;
}
