/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Emulated devices on the guest's bus: which one an access meets. */

#include <stdbool.h>
#include <stdint.h>

struct mmio_access {
    uint64_t offset; /* from the device's base */
    uint8_t width;   /* 1, 2, 4 or 8 bytes */
    bool write;
    uint8_t vcpu;   /* whose access it is */
    uint64_t value; /* written, or to be filled in by a read */
    /*
     * How to get a written value that is still in the guest's register, which costs a system call;
     * NULL if `value` holds it. Only handlers of mmio_attach_lazy meet this: see mmio_value.
     */
    uint64_t (*fetch)(const struct mmio_access *access);
    uint8_t source; /* for `fetch`: which register */
};

/* The value that a write writes. */
static inline uint64_t mmio_value(struct mmio_access *access)
{
    if (access->fetch) {
        access->value = access->fetch(access);
        access->fetch = 0;
    }
    return access->value;
}

/*
 * Returns false if the device has nothing at this offset and width: the guest gets an abort. The
 * access lies within the device and is aligned to its width.
 */
typedef bool (*mmio_handler)(void *device, struct mmio_access *access);

#define MMIO_MAX_DEVICES 16

/*
 * Put a device on the bus: `size` bytes from guest-physical `gpa`. Called at init only. Returns
 * false if the range is empty, wraps, meets another device's, or the bus is full.
 */
bool mmio_attach(uint64_t gpa, uint64_t size, mmio_handler handler, void *device);

/* The same for a handler that calls mmio_value() for what a write writes, and only if it cares. */
bool mmio_attach_lazy(uint64_t gpa, uint64_t size, mmio_handler handler, void *device);

/*
 * Route an access at guest-physical `gpa`; false if nothing is there, the access is misaligned or
 * crosses a device's end, or the device refuses. `offset` is filled in.
 */
bool mmio_route(uint64_t gpa, struct mmio_access *access);
