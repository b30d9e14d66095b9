/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What the emulated PrimeCell devices have in common (a PL011, a PL031, an SP805): registers of 32
 * bits at multiples of four, which may be read in part, and at the end of the page those by which a
 * driver knows the device.
 */

#include <stdbool.h>
#include <stdint.h>
#include "mmio.h"

#define PRIMECELL_PERIPHID0 0xfe0u /* the first of the eight */

struct primecell {
    uint16_t part; /* the part number, as 0x011 for a PL011 */
    uint32_t (*read)(uint32_t offset);
    void (*write)(uint32_t offset, uint32_t value);
};

/* An access as an mmio_handler gets it; returns likewise. A write changes a whole register. */
bool primecell_access(const struct primecell *cell, struct mmio_access *access);
