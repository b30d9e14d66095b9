/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Emulated devices on the guest's bus: an access is dispatched to a device by its address. */

#include <stdbool.h>
#include <stdint.h>
#include "config.h"

struct mmio_access {
    uint64_t offset; /* from the device's base */
    uint8_t width;   /* 1, 2, 4 or 8 bytes */
    bool write;
    uint8_t vcpu;   /* the one that has made the access */
    uint64_t value; /* written, or to be filled in by a read */
    /*
     * Gets a written value that is still in the guest's register, by a system call. NULL if `value`
     * holds it. Only handlers of mmio_attach_lazy see one: they call mmio_value.
     */
    uint64_t (*fetch)(const struct mmio_access *access);
    uint8_t source; /* for `fetch`: which register */
};

/* The value of a write, fetched from the guest's register if it has not been yet. */
static inline uint64_t mmio_value(struct mmio_access *access)
{
    if (access->fetch) {
        access->value = access->fetch(access);
        access->fetch = 0;
    }
    return access->value;
}

/*
 * Handles an access, which lies within the device and is aligned to its width. Returns false if the
 * device has no register at this offset and width: the guest gets an abort.
 */
typedef bool (*mmio_handler)(void *device, struct mmio_access *access);

/*
 * All that a machine can have: of a GICv3 the distributor and the redistributors; two consoles, a
 * PL011 and a virtio one; a clock, a watchdog, a pvpanic; random bytes; a power button; firmware
 * and its variables; cards, disks and shared memory, of which the generator allows no more.
 */
#define MMIO_MAX_DEVICES                                                                           \
    (2 + 2 + 3 + 1 + 1 + 2 + VMM_MAX_INTERFACES + VMM_MAX_DISKS + VMM_MAX_SHARED)

/*
 * Put a device on the bus: `size` bytes from guest-physical `gpa`. Called at init only. Returns
 * false if the range is empty, wraps, meets another device's, or the bus is full.
 */
bool mmio_attach(uint64_t gpa, uint64_t size, mmio_handler handler, void *device);

/* The same for a handler that calls mmio_value() for the value of a write, if it needs it. */
bool mmio_attach_lazy(uint64_t gpa, uint64_t size, mmio_handler handler, void *device);

/*
 * Dispatch an access at guest-physical `gpa`, and fill in its `offset`. Returns false if no device
 * is there, if the access is misaligned or crosses the device's end, or if the device refuses it.
 */
bool mmio_route(uint64_t gpa, struct mmio_access *access);
