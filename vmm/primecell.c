/* SPDX-License-Identifier: BSD-2-Clause */

#include "primecell.h"

/*
 * The part's number of 12 bits, designer 0x41 (Arm), revision 1, and what all PrimeCells end with.
 */
static uint8_t id_of(const struct primecell *cell, uint32_t offset)
{
    const uint8_t ids[] = {
        (uint8_t)cell->part, (uint8_t)(0x10 | cell->part >> 8), 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    return ids[(offset - PRIMECELL_PERIPHID0) / 4];
}

bool primecell_access(const struct primecell *cell, struct mmio_access *access)
{
    uint32_t offset = (uint32_t)access->offset;

    if (access->width > 4 || (offset & 3) != 0) {
        return false;
    }
    if (!access->write) {
        uint32_t value = offset >= PRIMECELL_PERIPHID0 ? id_of(cell, offset) : cell->read(offset);

        access->value = value & (uint32_t)((1ull << (8 * access->width)) - 1);
    } else if (offset < PRIMECELL_PERIPHID0) {
        cell->write(offset, (uint32_t)access->value);
    }
    return true;
}
