/* SPDX-License-Identifier: BSD-2-Clause */

#include "virtio.h"

#include <stddef.h>
#include "block.h"
#include "console.h"
#include "device.h"
#include "input.h"
#include "net.h"
#include "rng.h"

/* Who is behind a channel; several devices may share one. A device without a peer is not here. */
static struct peer {
    microkit_channel channel;
    struct virtio_device *device;
} peers[VMM_MAX_INTERFACES + VMM_MAX_DISKS + 1];
static uint32_t peer_count;

static void add(microkit_channel channel, struct virtio_device *device)
{
    peers[peer_count++] = (struct peer){.channel = channel, .device = device};
}

void virtio_init(const struct vmm_config *config, const struct guest_memory *memory)
{
    if (config->console.present) {
        add(config->console.channel, virtio_console_init(&config->console, memory));
    }
    for (uint32_t i = 0; i < config->interface_count && i < VMM_MAX_INTERFACES; i++) {
        const struct vmm_interface_config *interface = &config->interfaces[i];

        add(interface->channel, virtio_net_init(i, interface, memory));
    }
    for (uint32_t i = 0; i < config->disk_count && i < VMM_MAX_DISKS; i++) {
        const struct vmm_disk_config *disk = &config->disks[i];

        add(disk->channel, virtio_block_init(i, disk, memory, config->ram_region_size));
    }
    if (config->rng.gpa != 0) {
        virtio_rng_init(&config->rng, memory);
    }
    if (config->button.gpa != 0) {
        virtio_input_init(&config->button, config->name, memory);
    }
}

void virtio_reset(void)
{
    virtio_devices_reset();
}

bool virtio_quiesced(void)
{
    for (uint32_t i = 0; i < peer_count; i++) {
        if (!virtio_device_quiesced(peers[i].device)) {
            return false;
        }
    }
    return true;
}

void virtio_resumed(void)
{
    virtio_devices_run();
}

void virtio_timer_expired(void)
{
    for (uint32_t i = 0; i < peer_count; i++) {
        struct virtio_device *device = peers[i].device;

        if (device->ops->timer_expired != NULL) {
            device->ops->timer_expired(device);
        }
    }
    virtio_devices_run();
}

void virtio_idle(void)
{
    for (uint32_t i = 0; i < peer_count; i++) {
        struct virtio_device *device = peers[i].device;

        if (device->ops->idle != NULL) {
            device->ops->idle(device);
        }
    }
    virtio_devices_run();
}

bool virtio_notified(microkit_channel channel)
{
    bool found = false;

    for (uint32_t i = 0; i < peer_count; i++) {
        struct virtio_device *device = peers[i].device;

        if (peers[i].channel == channel) {
            found = true;
            device->ops->notified(device);
        }
    }
    if (found) {
        virtio_devices_run();
    }
    return found;
}
