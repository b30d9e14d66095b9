/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * A pvpanic device (QEMU, docs/specs/pvpanic.rst; in a device tree "qemu,pvpanic-mmio"): a byte
 * into which a guest's kernel writes what has happened. It reads as the events that are understood.
 *
 *   bit 0   the kernel has panicked (panic.h);
 *   bit 1   it has, and starts a crash kernel of its own now: that is no crash of the machine's.
 */

#include <stdbool.h>
#include <stdint.h>
#include "mmio.h"

#define PVPANIC_SIZE 2u /* bytes, as its binding has it: the second one is unused */

/* The register; an mmio_handler. */
bool pvpanic_access(void *unused, struct mmio_access *access);
