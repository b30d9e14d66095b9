/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Emulated devices on the guest's bus: which one an access meets. */

#include <stdbool.h>
#include <stdint.h>

struct mmio_access {
    uint64_t offset; /* from the device's base */
    uint8_t width;   /* 1, 2, 4 or 8 bytes */
    bool write;
    uint8_t vcpu;    /* whose access it is */
    uint64_t value;  /* written, or to be filled in by a read */
};

/* Returns false if the device has nothing at this offset and width: the guest gets an abort. */
typedef bool (*mmio_handler)(void *device, struct mmio_access *access);

/* Put a device on the bus: `size` bytes from guest-physical `gpa`. Called at init only. */
void mmio_attach(uint64_t gpa, uint64_t size, mmio_handler handler, void *device);

/* Route an access at guest-physical `gpa`; false if nothing is there or the device refuses. */
bool mmio_route(uint64_t gpa, struct mmio_access *access);
