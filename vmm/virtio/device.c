/* SPDX-License-Identifier: BSD-2-Clause */

#include "device.h"

#include "lib/cpu.h"
#include "lib/log.h"
#include "mmio.h"
#include "vmm/pace.h"

/*
 * In parts of a second: how long the devices may work in one event, 2 ms, before they pause. The
 * turn of one device is much shorter. Guests that send as fast as they can stay below.
 */
#define PIECES_PER_SECOND 500u

/* All devices of the machine. */
static struct virtio_device *devices;

/* Give every device that has work a turn. Returns whether one has some left. */
static bool run_once(void)
{
    uint32_t left = 0;

    for (struct virtio_device *device = devices; device != NULL; device = device->next) {
        uint32_t pending = device->pending;

        if (pending == 0) {
            continue;
        }
        device->pending = 0;
        if (virtio_device_running(device)) {
            device->pending |= device->ops->work(device, pending);
            left |= device->pending;
        }
    }
    return left != 0;
}

void virtio_devices_run(void)
{
    while (!pace_pauses() && run_once()) {
        uint64_t elapsed = pace_elapsed();

        if (elapsed >= cpu_counter_frequency() / PIECES_PER_SECOND) {
            pace_pause(elapsed);
        }
    }
}

void virtio_device_interrupt(struct virtio_device *device)
{
    if ((device->interrupts & VIRTIO_MMIO_INT_VRING) == 0) {
        device->interrupts |= VIRTIO_MMIO_INT_VRING;
        virtio_mmio_show_interrupts(device);
    }
}

void virtio_device_stop(struct virtio_device *device)
{
    device->pending = 0;
    if (device->ops->stop != NULL) {
        device->ops->stop(device);
    }
}

void virtio_device_fail(struct virtio_device *device, const char *cause)
{
    if ((device->status & VIRTIO_CONFIG_S_NEEDS_RESET) != 0) {
        return;
    }
    log_limited("%s: %s; the device is stopped until its driver resets it", device->name, cause);
    device->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
    virtio_mmio_show_status(device);
    virtio_device_stop(device);
    if ((device->status & VIRTIO_CONFIG_S_DRIVER_OK) != 0) {
        device->interrupts |= VIRTIO_MMIO_INT_CONFIG;
        virtio_mmio_show_interrupts(device);
    }
}

void virtio_device_set_config(struct virtio_device *device, uint32_t offset, const void *bytes,
                              uint32_t count)
{
    virtio_mmio_show_config(device, offset, bytes, count);
    if (virtio_device_running(device)) {
        virtio_mmio_bump_generation(device);
        device->interrupts |= VIRTIO_MMIO_INT_CONFIG;
        virtio_mmio_show_interrupts(device);
    }
}

void virtio_device_show_reset(struct virtio_device *device)
{
    if (device->status == 0) {
        virtio_mmio_show_status(device);
    }
}

void virtio_device_reset(struct virtio_device *device)
{
    virtio_device_stop(device);
    for (uint32_t i = 0; i < device->ops->queue_count; i++) {
        virtqueue_disable(&device->queue[i]);
        device->setup[i] = (struct virtio_queue_setup){0};
    }
    device->driver_features = 0;
    device->features_sel = 0;
    device->driver_features_sel = 0;
    device->queue_sel = 0;
    device->status = 0;
    device->interrupts = 0;
    if (device->ops->reset != NULL) {
        device->ops->reset(device);
    }
    virtio_mmio_show_all(device);
}

void virtio_devices_reset(void)
{
    for (struct virtio_device *device = devices; device != NULL; device = device->next) {
        virtio_device_reset(device);
    }
}

void virtio_device_init(struct virtio_device *device, const struct guest_memory *memory, void *page,
                        uint64_t gpa, uint32_t intid)
{
    device->page = page;
    device->memory = memory;
    device->intid = intid;
    device->next = devices;
    devices = device;
    virtio_device_reset(device);
    virtio_mmio_attach(device, gpa);
}
