/* SPDX-License-Identifier: BSD-2-Clause */

#include "mmio.h"

#include <stddef.h>

struct bus_device {
    uint64_t gpa;
    uint64_t size;
    mmio_handler handler;
    void *device;
    bool lazy;
};

static struct bus_device devices[MMIO_MAX_DEVICES];
static unsigned device_count;

/* The device of the last access is the likeliest of the next. */
static const struct bus_device *recent;

static bool attach(uint64_t gpa, uint64_t size, mmio_handler handler, void *device, bool lazy)
{
    if (size == 0 || gpa + (size - 1) < gpa || device_count == MMIO_MAX_DEVICES) {
        return false;
    }
    for (unsigned i = 0; i < device_count; i++) {
        const struct bus_device *other = &devices[i];

        if (gpa - other->gpa < other->size || other->gpa - gpa < size) {
            return false;
        }
    }
    devices[device_count++] = (struct bus_device){gpa, size, handler, device, lazy};
    return true;
}

bool mmio_attach(uint64_t gpa, uint64_t size, mmio_handler handler, void *device)
{
    return attach(gpa, size, handler, device, false);
}

bool mmio_attach_lazy(uint64_t gpa, uint64_t size, mmio_handler handler, void *device)
{
    return attach(gpa, size, handler, device, true);
}

static const struct bus_device *find(uint64_t gpa)
{
    if (recent && gpa - recent->gpa < recent->size) {
        return recent;
    }
    for (unsigned i = 0; i < device_count; i++) {
        if (gpa - devices[i].gpa < devices[i].size) {
            recent = &devices[i];
            return recent;
        }
    }
    return NULL;
}

bool mmio_route(uint64_t gpa, struct mmio_access *access)
{
    const struct bus_device *found = find(gpa);

    if (!found) {
        return false;
    }
    access->offset = gpa - found->gpa;
    if ((gpa & (access->width - 1u)) != 0 || access->width > found->size - access->offset) {
        return false;
    }
    if (access->write && !found->lazy) {
        mmio_value(access);
    }
    return found->handler(found->device, access);
}
