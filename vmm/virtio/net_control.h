/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The control queue of a network card (virtio 1.2, 5.1.6.5): the driver sets the receive filter,
 * its MAC address and its offloads while the card runs.
 */

#include <stdbool.h>
#include <stdint.h>
#include "device.h"
#include "lib/net_filter.h"
#include "net_vhost.h"
#include "vmm/config.h"

/* Its number, without VIRTIO_NET_F_MQ (5.1.2), and the most descriptors that it can have. */
#define NET_CONTROL_QUEUE      2u
#define NET_CONTROL_QUEUE_SIZE 64u

/* All zero before net_control_init. `filter`, `offloads` and `promiscuous` may be read. */
struct net_control {
    struct virtio_device *device;
    const struct vmm_interface_config *config;
    struct net_vhost *vhost;
    void (*changed)(struct virtio_device *device);
    struct net_filter filter;
    uint64_t offloads; /* VIRTIO_NET_F_GUEST_* bits that the driver has on */
    bool promiscuous;  /* the driver has asked for it; the filter also is when it asked nothing */
};

/*
 * `device` is the card; it, `config`, `vhost` and `changed` are kept. With `vhost`, commands for
 * the filter are passed to the switch; NULL on the data path `isolated`. `changed` is called after
 * a command that may have changed what the guest receives, before the guest has its answer.
 */
void net_control_init(struct net_control *control, struct virtio_device *device,
                      const struct vmm_interface_config *config, struct net_vhost *vhost,
                      void (*changed)(struct virtio_device *device));

/* The driver is ready: filter and offloads are as after power-on. */
void net_control_start(struct net_control *control);

/* The device has been stopped. */
void net_control_stop(struct net_control *control);

/*
 * Carry out commands of the queue, a bounded number. `segments` has room for VIRTQUEUE_SIZE_MAX,
 * and is overwritten. A driver that breaks the queue's rules has its device stopped. Returns
 * whether there is more to do at once.
 */
bool net_control_work(struct net_control *control, struct virtqueue_segment *segments);
