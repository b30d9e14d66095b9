/* SPDX-License-Identifier: BSD-2-Clause */

#include "net_control.h"

#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <string.h>
#include "net_features.h"

#define BUDGET            16u                /* commands per turn */
#define COMMAND_BYTES_MAX VHOST_COMMAND_SIZE /* bytes of a command that are copied */

void net_control_init(struct net_control *control, struct virtio_device *device,
                      const struct vmm_interface_config *config, struct net_vhost *vhost,
                      void (*changed)(struct virtio_device *device))
{
    control->device = device;
    control->config = config;
    control->vhost = vhost;
    control->changed = changed;
}

void net_control_start(struct net_control *control)
{
    net_filter_reset(&control->filter, control->config->mac,
                     virtio_device_has(control->device, VIRTIO_NET_F_CTRL_VLAN));
    control->offloads = control->device->driver_features & NET_GUEST_OFFLOADS;
}

void net_control_stop(struct net_control *control)
{
    control->promiscuous = false;
}

/* VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET (5.1.6.5.6.1). */
static bool set_offloads(struct net_control *control, const uint8_t *data, uint32_t length)
{
    uint64_t offloads = 0;

    if (length < sizeof(offloads)) {
        return false;
    }
    for (unsigned i = 0; i < sizeof(offloads); i++) {
        offloads |= (uint64_t)data[i] << (8 * i);
    }
    if ((offloads & ~(control->device->driver_features & NET_GUEST_OFFLOADS)) != 0) {
        return false;
    }
    control->offloads = offloads;
    return true;
}

/* Whether the driver has negotiated the feature that the command belongs to. */
static bool has_feature(const struct net_control *control, uint8_t class, uint8_t command)
{
    const struct virtio_device *device = control->device;

    switch (class) {
    case VIRTIO_NET_CTRL_RX:
        return virtio_device_has(device, command <= VIRTIO_NET_CTRL_RX_ALLMULTI
                                             ? VIRTIO_NET_F_CTRL_RX
                                             : VIRTIO_NET_F_CTRL_RX_EXTRA);
    case VIRTIO_NET_CTRL_MAC:
        return virtio_device_has(device, command == VIRTIO_NET_CTRL_MAC_TABLE_SET
                                             ? VIRTIO_NET_F_CTRL_RX
                                             : VIRTIO_NET_F_CTRL_MAC_ADDR);
    case VIRTIO_NET_CTRL_VLAN:
        return virtio_device_has(device, VIRTIO_NET_F_CTRL_VLAN);
    case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
        return virtio_device_has(device, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
    default:
        return false;
    }
}

/*
 * Whether the card may have the address that the driver sets. Where the switch lets only one pass,
 * another one would cut the guest off without a word. That VIRTIO_NET_F_CTRL_MAC_ADDR is offered
 * all the same has a reason: a driver without it takes the address for set, and tells nobody.
 */
static bool may_have_address(const struct net_control *control, const uint8_t *data,
                             uint32_t length)
{
    return !control->config->mac_fixed ||
           (length >= ETH_ALEN && memcmp(data, control->config->mac, ETH_ALEN) == 0);
}

/*
 * Carry out a command of `total` bytes, its class and code included. `data` is a private copy of
 * its first `length` bytes. Returns false if it is refused.
 */
static bool run_command(struct net_control *control, const uint8_t *data, uint32_t length,
                        uint32_t total)
{
    uint8_t class = data[0];
    uint8_t command = data[1];
    uint32_t header = sizeof(struct virtio_net_ctrl_hdr);
    bool done;

    if (!has_feature(control, class, command)) {
        return false;
    }
    data += header;
    length -= header;
    total -= header;
    if (class == VIRTIO_NET_CTRL_GUEST_OFFLOADS) {
        done = command == VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET && set_offloads(control, data, length);
    } else if (class == VIRTIO_NET_CTRL_MAC && command == VIRTIO_NET_CTRL_MAC_ADDR_SET &&
               !may_have_address(control, data, length)) {
        done = false;
    } else {
        done = net_filter_command(&control->filter, class, command, data, length, total);
        if (done && control->vhost != NULL) {
            net_vhost_command(control->vhost, class, command, data, length, total);
        }
    }
    if (done && class == VIRTIO_NET_CTRL_RX && command == VIRTIO_NET_CTRL_RX_PROMISC) {
        control->promiscuous = control->filter.promiscuous;
    }
    if (done && class == VIRTIO_NET_CTRL_MAC && command == VIRTIO_NET_CTRL_MAC_ADDR_SET) {
        virtio_device_set_config(control->device, 0, data, ETH_ALEN);
    }
    control->changed(control->device);
    return done;
}

bool net_control_work(struct net_control *control, struct virtqueue_segment *segments)
{
    static uint8_t command[COMMAND_BYTES_MAX];
    struct virtio_device *device = control->device;
    struct virtqueue *queue = &device->queue[NET_CONTROL_QUEUE];
    bool more = true;

    for (uint32_t budget = BUDGET; more && budget > 0; budget--) {
        struct virtqueue_chain chain;
        uint32_t copied;

        if (virtqueue_pop(queue, segments, VIRTQUEUE_SIZE_MAX, &chain) != VIRTQUEUE_POPPED) {
            more = virtqueue_enable_kicks(queue);
            continue;
        }
        if (chain.writable == 0 || chain.readable_bytes < sizeof(struct virtio_net_ctrl_hdr)) {
            virtqueue_break(queue, "a control command without header or without room to answer");
            break;
        }
        copied = virtqueue_copy_out(segments, chain.readable, 0, command, sizeof(command));
        segments[chain.readable].data[0] =
            run_command(control, command, copied, chain.readable_bytes) ? VIRTIO_NET_OK
                                                                        : VIRTIO_NET_ERR;
        virtqueue_push(queue, chain.head, 1);
    }
    if (virtqueue_flush(queue)) {
        virtio_device_interrupt(device);
    }
    if (virtqueue_error(queue) != NULL) {
        virtio_device_fail(device, virtqueue_error(queue));
        return false;
    }
    return more;
}
